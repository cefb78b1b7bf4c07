package hooks

import "slices"

// pairMovedOn mends the changes of an upsert on SQLite that gives a row which
// it wrote itself another key. Such a row is not there any more in the end: it
// goes on as the next one with the same values in what they conflicted on.
// Where nothing tells which that is, the row is deleted in the end.
func (s *statement) pairMovedOn(done *outcome) error {
	there, err := s.byKey(s.table.keys, done.images.rawKeys())
	if err != nil {
		return err
	}
	still, changes := index(there), done.changes
	var lost []change
	for i := range changes {
		row := changes[i].after
		rest := changes[i+1:]
		if row.nameless() || still[row.key] != nil || slices.ContainsFunc(rest, func(c change) bool { return c.before == row }) {
			continue
		}
		next := slices.IndexFunc(rest, func(c change) bool {
			return c.before == nil && row.identity != "" && c.after.identity == row.identity
		})
		if next >= 0 {
			rest[next].before, rest[next].unknown = row, false
			continue
		}
		lost = append(lost, change{before: row})
	}
	done.changes = append(changes, lost...)
	return nil
}
