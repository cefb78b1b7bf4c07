package hooks

// delete captures a DELETE. Where the database returns the rows it deleted,
// these are the images before. Elsewhere they are read and locked first, and
// the DELETE is held to their keys.
func (s *statement) delete() (outcome, error) {
	if s.dialect.deleteReturning {
		done, err := s.teeImages()
		if err != nil {
			return outcome{}, err
		}
		for i := range done.images.rows {
			done.changes = append(done.changes, change{before: &done.images.rows[i]})
		}
		return done, nil
	}
	before, _, err := s.lockRows("DELETE", nil)
	if err != nil {
		return outcome{}, err
	}
	result, err := s.runRestricted("DELETE", before)
	if err != nil {
		return outcome{}, err
	}
	left, err := s.byKey(s.table.keys, before.rawKeys())
	if err != nil {
		return outcome{}, err
	}
	done, still := outcome{result: result, images: before}, index(left)
	for i, row := range before.rows {
		if still[row.key] == nil {
			done.changes = append(done.changes, change{before: &before.rows[i]})
		}
	}
	return done, nil
}

// index finds images by key.
func index(set *images) map[string]*image {
	found := make(map[string]*image, len(set.rows))
	for i := range set.rows {
		found[set.rows[i].key] = &set.rows[i]
	}
	return found
}
