package hooks

import (
	"slices"

	"gorm.io/gorm/clause"
)

// state is what an upsert finds when it comes to the next of its rows, as far
// as that is known: the rows that it was expected to meet, and those that it
// has written.
type state struct {
	byKey      map[string]*image
	byIdentity map[string]*image // nil where identities may change
	moves      bool              // says that keys may
}

func newState(met *images, identities, moves bool) state {
	known := state{byKey: index(met), moves: moves}
	if identities {
		known.byIdentity = byIdentity(met)
	}
	return known
}

// of returns what the row was before the upsert made it this one, nil when it
// was nothing that is known. Where identities stay and keys do not, they tell
// for sure: the key may have been another row's.
func (s state) of(after *image) *image {
	if row := s.byIdentity[after.identity]; row != nil && after.identity != "" && (s.moves || after.nameless()) {
		return row
	}
	return s.byKey[after.key]
}

// becomes takes the change over.
func (s state) becomes(c change) {
	if c.before != nil && s.byKey[c.before.key] == c.before {
		delete(s.byKey, c.before.key)
	}
	if c.after.key != "" {
		s.byKey[c.after.key] = c.after
	}
	if s.byIdentity != nil {
		if c.before != nil && s.byIdentity[c.before.identity] == c.before {
			delete(s.byIdentity, c.before.identity)
		}
		s.byIdentity[c.after.identity] = c.after
	}
}

// tellsApart reports whether no two rows have the same values in the target,
// not only no two of those in a partial index.
func (s *statement) tellsApart(target []string) bool {
	return slices.ContainsFunc(s.table.facts.uniques, func(index uniqueIndex) bool {
		return !index.partial && s.table.sameColumns(index.columns, target)
	})
}

// keeps reports whether the upsert leaves what it conflicts on as it is: a
// column is neither computed from others nor assigned, or what made the conflict
// is assigned to it.
func (s *statement) keeps(onConflict clause.OnConflict, target []string) bool {
	computed := slices.ContainsFunc(target, func(name string) bool { return s.table.among(s.table.facts.generated, name) })
	return !computed && !slices.ContainsFunc(onConflict.DoUpdates, func(a clause.Assignment) bool {
		brought, _ := a.Value.(clause.Column)
		return s.table.among(target, a.Column.Name) && (brought.Table != "excluded" || !s.table.same(brought.Name, a.Column.Name))
	})
}
