package hooks

// delete captures a DELETE. Where the database returns the rows it deleted,
// these are the images before. Elsewhere they are read and locked first, and
// the DELETE is held to their keys.
func (s *statement) delete() (outcome, error) {
	if s.dialect.deleteReturning {
		return s.teeImages(func(set *images) []change {
			changes := make([]change, len(set.rows))
			for i := range set.rows {
				changes[i].before = &set.rows[i]
			}
			return changes
		})
	}
	locked, err := s.lockRows("DELETE", nil)
	if err != nil {
		return outcome{}, err
	}
	done := outcome{}
	if done.result, err = s.runRestricted("DELETE", locked); err != nil {
		return outcome{}, err
	}
	err = done.take(locked.rows, func(piece *buffer) (*images, []change, error) {
		before, err := s.imagesOf(s.table, piece)
		if err != nil {
			return nil, nil, err
		}
		left, err := s.byKey(s.table.keys, before.rawKeys())
		if err != nil {
			return nil, nil, err
		}
		var changes []change
		for i, still := 0, index(left); i < len(before.rows); i++ {
			if still[before.rows[i].key] == nil {
				changes = append(changes, change{before: &before.rows[i]})
			}
		}
		return before, changes, nil
	})
	return done, err
}

// index finds images by key.
func index(set *images) map[string]*image {
	found := make(map[string]*image, len(set.rows))
	for i := range set.rows {
		found[set.rows[i].key] = &set.rows[i]
	}
	return found
}
