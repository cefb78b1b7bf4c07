package hooks

import (
	"fmt"
	"slices"

	"gorm.io/gorm/clause"
)

// pairUpdated finds what became of locked rows: among the images after, or by
// their keys.
func (s *statement) pairUpdated(locked *locked, piece *buffer, after *images) (*images, []change, error) {
	before, err := s.imagesOf(s.table, piece.cut(0, locked.width))
	if err != nil {
		return nil, nil, err
	}
	keys := s.newKeys(before, locked.moved, piece.cut(locked.width, len(piece.columns)))
	returned := after != nil
	if !returned {
		if after, err = s.byKey(s.table.keys, keys); err != nil {
			return nil, nil, err
		}
	}
	// Of several rows that a trigger took elsewhere, one may be where another was to go.
	astray := s.table.facts.moves && len(locked.moved) > 0 && len(before.rows) > 1 && len(after.rows) < len(before.rows)
	found, seen, taken := index(after), map[string]bool{}, map[*image]bool{}
	var changes []change
	var left [][]any      // keys of rows that were not returned
	var nameless []*image // rows without a key, before or after
	for i := range before.rows {
		c := change{before: &before.rows[i]}
		if seen[c.before.key] { // a FROM may match a row more than once
			continue
		}
		if len(locked.moved) == 0 && c.before.nameless() || slices.Contains(keys[i], nil) {
			nameless = append(nameless, c.before)
			continue
		}
		seen[c.before.key] = !c.before.nameless()
		switch {
		case astray:
		case len(locked.moved) == 0:
			c.after = found[c.before.key]
		default:
			if c.after, err = s.moved(found, before, keys[i], returned); err != nil {
				return nil, nil, err
			}
		}
		switch {
		case c.after == nil && c.before.nameless():
			return nil, nil, s.errNullKeys("give them a key first")
		case c.after == nil && returned:
			left = append(left, before.rows[i].raw)
		case c.after != nil && taken[c.after]:
			return nil, nil, s.errIgnoredMoves()
		}
		taken[c.after] = true
		if c.after == nil && !s.dialect.updateReturning && !s.table.facts.moves {
			return nil, nil, s.errLost()
		}
		changes = append(changes, c)
	}
	if returned && !s.table.facts.moves {
		if left, err = s.unforeseen(changes, after, taken, left); err != nil {
			return nil, nil, err
		}
	}
	if err := s.leftAlone(changes, left, found); err != nil {
		return nil, nil, err
	}
	if len(nameless) > 0 {
		without, err := s.pairNameless(nameless, after, returned)
		if err != nil {
			return nil, nil, err
		}
		changes = append(without, changes...)
	}
	if len(after.columns) == 0 { // no row is left to name them
		return before, changes, nil
	}
	return after, changes, nil
}

// unforeseen looks for rows that the statement returned and that are none of
// those it was to change: their new key is another one than was asked for
// before, or they are other rows. One and one are the same row, of which
// something is known then; for others there is no telling.
func (s *statement) unforeseen(changes []change, after *images, taken map[*image]bool, left [][]any) ([][]any, error) {
	var unseen []*image
	for i := range after.rows {
		if row := &after.rows[i]; !row.nameless() && !taken[row] {
			unseen = append(unseen, row)
		}
	}
	if len(unseen) == 0 {
		return left, nil
	}
	if len(unseen) == 1 && len(changes) == 1 && changes[0].after == nil && len(s.movedKeys()) > 0 {
		changes[0].after = unseen[0]
		return nil, nil
	}
	return nil, fmt.Errorf("hooks: an UPDATE of table %s changed rows that it did not match a moment before, so that nothing is known of them; "+
		"give it a condition, and keys a value, that says the same twice", s.table.quoted())
}

// pairNameless pairs rows whose key is null before or after. One and one are
// the same row; of several nobody can say which became which, as in a table
// without a key.
func (s *statement) pairNameless(before []*image, after *images, returned bool) ([]change, error) {
	var now []*image
	for i := range after.rows {
		if after.rows[i].nameless() {
			now = append(now, &after.rows[i])
		}
	}
	switch {
	case !returned || len(now) != len(before):
		return nil, s.errNullKeys("give them a key first")
	case len(now) == 1:
		return []change{{before: before[0], after: now[0]}}, nil
	}
	return replaced(before, now), nil
}

// errNullKeys says that rows cannot be told apart.
func (s *statement) errNullKeys(advice string) error {
	return fmt.Errorf("hooks: rows of table %s cannot be told apart because their key is null; %s", s.table.quoted(), advice)
}

// leftAlone finds the rows that the statement did not return because it left
// them as they were, as OR IGNORE and constraints that say so do. Another row
// may have their key by now.
func (s *statement) leftAlone(changes []change, keys [][]any, returned map[string]*image) error {
	if len(keys) == 0 {
		return nil
	}
	still, err := s.byKey(s.table.keys, keys)
	if err != nil {
		return err
	}
	there := index(still)
	for i, c := range changes {
		if c.after == nil && returned[c.before.key] == nil {
			changes[i].after = there[c.before.key]
		}
	}
	return nil
}

// moved finds a row by the key that was assigned to it, if need be as the
// database understands it: it may have converted that. What it finds besides
// the rows that were returned is another row, if they are known.
func (s *statement) moved(after map[string]*image, before *images, key []any, returned bool) (*image, error) {
	if row := after[s.keyText(before, key)]; row != nil {
		return row, nil
	}
	found, err := s.byKey(s.table.keys, [][]any{key})
	if err != nil || len(found.rows) != 1 {
		return nil, err
	}
	if row := after[found.rows[0].key]; row != nil || returned {
		return row, nil
	}
	return &found.rows[0], nil
}

// keyText is a key as the images have it.
func (s *statement) keyText(set *images, key []any) string {
	var text []byte
	for i, value := range key {
		var typeName string
		if set.types != nil {
			typeName = set.types[set.keys[i]]
		}
		if plain, ok := value.(string); ok && set.texts {
			text = append(appendString(text, plain), ',')
		} else {
			text = append(s.dialect.encode(text, value, typeName), ',')
		}
	}
	return string(text)
}

// movedKeys returns the assignments of the statement to key columns.
func (s *statement) movedKeys() []clause.Assignment {
	set, _ := s.db.Statement.Clauses["SET"].Expression.(clause.Set)
	var moved []clause.Assignment
	for _, assignment := range set {
		if s.table.among(s.table.keys, assignment.Column.Name) {
			moved = append(moved, assignment)
		}
	}
	return moved
}

// newKeys returns the keys of the locked rows as the statement leaves them:
// the old ones, or where it assigns to key columns what it assigns.
func (s *statement) newKeys(before *images, moved []clause.Assignment, assigned *buffer) [][]any {
	keys := before.rawKeys()
	if len(moved) == 0 {
		return keys
	}
	for i := range keys {
		keys[i] = slices.Clone(keys[i])
		for m, assignment := range moved {
			place := slices.IndexFunc(s.table.keys, func(key string) bool { return s.table.same(key, assignment.Column.Name) })
			keys[i][place] = assigned.values[i][m]
		}
	}
	return keys
}
