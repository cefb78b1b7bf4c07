package hooks

import "slices"

// delete captures a DELETE. Where the database returns the rows it deleted,
// these are the images before. Elsewhere they are read and locked first, and
// the DELETE is held to their keys.
func (s *statement) delete() (outcome, error) {
	if s.dialect.deleteReturning {
		return s.teeImages(func(set *images) ([]change, error) {
			if s.table.facts.restores && len(set.keys) > 0 {
				return s.deleted(set)
			}
			changes := make([]change, len(set.rows))
			for i := range set.rows {
				changes[i].before = &set.rows[i]
			}
			return changes, nil
		})
	}
	s.once = !severalTables(s.dialect.syntax, s.query) && !steady(s.dialect.syntax, s.query)
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
		changes, err := s.deleted(before)
		return before, changes, err
	})
	return done, err
}

// deleted looks for the rows again. One that is there was not deleted, or was
// inserted again by a trigger, which may have changed it.
func (s *statement) deleted(before *images) ([]change, error) {
	if s.table.facts.restores && slices.ContainsFunc(before.rows, image.nameless) {
		return nil, s.errNullKeys("give them a key, or do without the triggers of the table")
	}
	left, err := s.byKey(s.table.keys, before.rawKeys())
	if err != nil {
		return nil, err
	}
	changes := make([]change, len(before.rows))
	for i, still := 0, index(left); i < len(before.rows); i++ {
		changes[i] = change{before: &before.rows[i], after: still[before.rows[i].key]}
	}
	return changes, nil
}

// index finds images by key, those that have one.
func index(set *images) map[string]*image {
	found := make(map[string]*image, len(set.rows))
	for i := range set.rows {
		if key := set.rows[i].key; key != "" {
			found[key] = &set.rows[i]
		}
	}
	return found
}
