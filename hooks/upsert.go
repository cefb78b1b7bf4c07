package hooks

import (
	"fmt"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/eventaudit/eventaudit/internal/connpool"
)

// upsert captures INSERT ... ON CONFLICT DO UPDATE. The rows it may meet are
// read and locked first; those it returns are paired with them by key.
func (s *statement) upsert(onConflict clause.OnConflict) (outcome, error) {
	targets := s.targets(onConflict)
	if len(s.table.keys) == 0 {
		if len(targets) != 1 {
			return outcome{}, fmt.Errorf("hooks: table %s has no primary key, so an upsert into it cannot be captured; add one", s.table.quoted())
		}
		keyed := *s.table // what it may conflict on tells its rows apart
		keyed.keys = targets[0]
		s.table = &keyed
	}
	for tries := 1; ; tries++ {
		met, err := s.selectConflicting(targets)
		if err != nil {
			return outcome{}, err
		}
		savepoint, err := s.beforeUpsert(met, tries)
		if err != nil {
			return outcome{}, err
		}
		done, unseen, err := s.runUpsert(met, onConflict)
		if err != nil {
			return outcome{}, err
		}
		again, err := savepoint(unseen)
		if err != nil {
			return outcome{}, err
		}
		if !again {
			return done, nil
		}
	}
}

// beforeUpsert sets a savepoint when the upsert may meet a row that was not
// there when it looked, because another transaction puts it there meanwhile:
// its values before would not be known. The returned function undoes the
// upsert if that happened; the next look sees the row and locks it.
func (s *statement) beforeUpsert(met *images, tries int) (after func(unseen bool) (again bool, err error), err error) {
	const savepoint = "eventaudit_upsert"
	values, _ := s.db.Statement.Clauses["VALUES"].Expression.(clause.Values)
	_, inTransaction := s.ConnPool.(gorm.TxCommitter)
	if !s.flagsInserted() || !inTransaction || len(met.rows) >= len(values.Values) || tries == maxUpserts || !s.looksForAll() {
		return func(bool) (bool, error) { return false, nil }, nil
	}
	conn := connpool.Unwrap(s.ConnPool)
	_, err = conn.ExecContext(s.own, "SAVEPOINT "+savepoint)
	return func(unseen bool) (bool, error) {
		verb := "RELEASE SAVEPOINT "
		if unseen {
			verb = "ROLLBACK TO SAVEPOINT "
		}
		_, err := conn.ExecContext(s.own, verb+savepoint)
		return unseen, err
	}, err
}

// looksForAll reports whether the look was for every row of the upsert. A key
// that the database makes may meet a row too; trying again would only make
// another key.
func (s *statement) looksForAll() bool {
	onConflict, _ := s.db.Statement.Clauses["ON CONFLICT"].Expression.(clause.OnConflict)
	return s.rowsWithTarget(s.targets(onConflict), true) == s.rowsOfValues()
}

// flagsInserted reports whether the rows that an upsert returns say whether
// they were inserted.
func (s *statement) flagsInserted() bool {
	return s.dialect.insertedFlag != "" && !s.table.facts.composed
}

// maxUpserts is how often an upsert is tried. What it met unseen even then is
// recorded with its values before unknown.
const maxUpserts = 3

// runUpsert runs the upsert and pairs what it returns with the rows it was
// expected to meet. Unseen says that it changed another one.
func (s *statement) runUpsert(met *images, onConflict clause.OnConflict) (done outcome, unseen bool, err error) {
	list := s.dialect.row(s.table, s.returningName())
	flagged := s.flagsInserted()
	if flagged {
		list = s.dialect.insertedFlag + "," + list
	}
	own, rows, err := s.tee(list)
	if err != nil {
		return outcome{}, false, err
	}
	var inserted []bool
	if flagged {
		for _, values := range rows.values {
			flag, _ := values[0].(bool)
			inserted = append(inserted, flag)
		}
		rows = rows.cut(1, len(rows.columns))
	}
	done = outcome{own: own}
	if done.images, err = s.imagesOf(s.table, rows); err != nil {
		return outcome{}, false, err
	}
	before := index(met)
	for i := range done.images.rows {
		after := &done.images.rows[i]
		c := change{before: before[after.key], after: after}
		c.unknown = c.before == nil && flagged && !inserted[i]
		done.changes = append(done.changes, c)
		before[after.key] = after // the same row again: changed from here
	}
	done.affected = s.upsertAffected(done)
	if err := s.pairMoved(&done, met, onConflict); err != nil {
		return outcome{}, false, err
	}
	unseen = slices.ContainsFunc(done.changes, func(c change) bool { return c.unknown })
	done, err = s.withTriggers(done)
	return done, unseen, err
}

// pairMoved mends the changes of an upsert that assigns key columns: a row it
// met may go on under another key, and then is not a new one.
func (s *statement) pairMoved(done *outcome, met *images, onConflict clause.OnConflict) error {
	moves := slices.ContainsFunc(onConflict.DoUpdates, func(a clause.Assignment) bool {
		return s.table.among(s.table.keys, a.Column.Name)
	})
	if !moves || len(met.rows) == 0 {
		return nil
	}
	left, err := s.byKey(s.table.keys, met.rawKeys())
	if err != nil {
		return err
	}
	var gone []*image
	for i, still := 0, index(left); i < len(met.rows); i++ {
		if still[met.rows[i].key] == nil {
			gone = append(gone, &met.rows[i])
		}
	}
	var fresh []*change
	for i := range done.changes {
		if done.changes[i].before == nil {
			fresh = append(fresh, &done.changes[i])
		}
	}
	for i, row := range gone {
		if len(gone) == 1 && len(fresh) == 1 {
			fresh[i].before, fresh[i].unknown = row, false
			continue
		}
		done.changes = append([]change{{before: row}}, done.changes...)
	}
	return nil
}

// upsertAffected is the row count that the statement would have had without
// RETURNING: MySQL counts an updated row twice and an untouched one not at
// all.
func (s *statement) upsertAffected(done outcome) int64 {
	if !s.dialect.prepareReads {
		return int64(len(done.changes))
	}
	var n int64
	for _, c := range done.changes {
		if c.before == nil {
			n++
		} else if differs, _ := done.images.changes(*c.before, *c.after); slices.Contains(differs, true) {
			n += 2
		}
	}
	return n
}

// targets returns the column sets that the INSERT may conflict on.
func (s *statement) targets(onConflict clause.OnConflict) [][]string {
	if s.dialect.prepareReads || onConflict.OnConstraint != "" || len(onConflict.Columns) == 0 {
		return s.uniques()
	}
	target := make([]string, len(onConflict.Columns))
	for i, column := range onConflict.Columns {
		target[i] = column.Name
		if column.Name == clause.PrimaryKey && s.db.Statement.Schema != nil {
			target[i] = s.db.Statement.Schema.PrioritizedPrimaryField.DBName
		}
	}
	return [][]string{target}
}

// uniques returns the columns of every unique index.
func (s *statement) uniques() [][]string {
	var sets [][]string
	for _, index := range s.table.facts.uniques {
		sets = append(sets, index.columns)
	}
	return sets
}

// selectConflicting reads and locks the rows that have the values which the
// INSERT brings for one of the targets.
func (s *statement) selectConflicting(targets [][]string) (*images, error) {
	values, _ := s.db.Statement.Clauses["VALUES"].Expression.(clause.Values)
	all := &images{}
	seen := map[string]bool{}
	for _, target := range targets {
		at := s.valuePlaces(values, target)
		if at == nil {
			continue
		}
		var keys [][]any
		for _, row := range values.Values {
			key := make([]any, len(at))
			for i, place := range at {
				key[i] = row[place]
			}
			if !slices.ContainsFunc(key, isDefault) {
				keys = append(keys, key)
			}
		}
		found, err := s.byKey(target, keys)
		if err != nil {
			return nil, err
		}
		for _, row := range found.rows {
			if !seen[row.key] {
				seen[row.key] = true
				all.rows = append(all.rows, row)
			}
		}
		if len(found.rows) > 0 {
			all.columns, all.keys = found.columns, found.keys
		}
	}
	return all, nil
}

// valuePlaces finds the columns among those that the INSERT names; nil when
// one is missing.
func (s *statement) valuePlaces(values clause.Values, names []string) []int {
	var at []int
	for _, name := range names {
		place := slices.IndexFunc(values.Columns, func(c clause.Column) bool { return s.table.same(c.Name, name) })
		if place < 0 {
			return nil
		}
		at = append(at, place)
	}
	return at
}
