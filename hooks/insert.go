package hooks

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/eventaudit/eventaudit/internal/connpool"
)

// insert captures an INSERT: the rows it created, and for an upsert the rows
// it changed, told apart by what was there before.
func (s *statement) insert() (outcome, error) {
	done, err := s.insertRows()
	if err == nil && done.result == nil && s.asksForID() {
		done.insertID = new(int64)
		err = connpool.Unwrap(s.ConnPool).QueryRowContext(s.own, s.dialect.lastInsertID).Scan(done.insertID)
	}
	return done, err
}

// asksForID reports whether somebody will ask for the id of the new row: GORM
// for a map or an auto-increment key, the app for a result. It must be read
// before the events are inserted.
func (s *statement) asksForID() bool {
	stmt := s.db.Statement
	if s.wantsRows || s.dialect.lastInsertID == "" {
		return false
	}
	if stmt.Schema == nil || stmt.Result != nil {
		return true
	}
	key := stmt.Schema.PrioritizedPrimaryField
	return key != nil && key.HasDefaultValue
}

func (s *statement) insertRows() (outcome, error) {
	onConflict, upsert := s.db.Statement.Clauses["ON CONFLICT"].Expression.(clause.OnConflict)
	replaces := s.replaces()
	switch {
	case !s.dialect.insertReturning:
		return s.insertThenSelect(onConflict, upsert)
	case replaces:
		return s.insertOrReplace()
	case upsert && (!onConflict.DoNothing || s.dialect.prepareReads):
		// MySQL's DO NOTHING is an update of nothing, which returns rows.
		return s.upsert(onConflict)
	default:
		return s.insertReturning()
	}
}

// replaces reports whether the INSERT deletes rows in its way.
func (s *statement) replaces() bool {
	insert, _ := s.db.Statement.Clauses["INSERT"].Expression.(clause.Insert)
	return strings.Contains(strings.ToUpper(insert.Modifier), "REPLACE")
}

// insertReturning captures an INSERT whose returned rows are exactly the rows
// that it created.
func (s *statement) insertReturning() (outcome, error) {
	done, err := s.teeImages()
	if err != nil {
		return outcome{}, err
	}
	for i := range done.images.rows {
		done.changes = append(done.changes, change{after: &done.images.rows[i]})
	}
	return s.withTriggers(done)
}

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
	met, err := s.selectConflicting(targets)
	if err != nil {
		return outcome{}, err
	}
	list := s.dialect.row(s.table, s.returningName())
	flagged := s.dialect.insertedFlag != "" && !s.table.facts.composed
	if flagged {
		list = s.dialect.insertedFlag + "," + list
	}
	own, rows, err := s.tee(list)
	if err != nil {
		return outcome{}, err
	}
	var inserted []bool
	if flagged {
		for _, values := range rows.values {
			flag, _ := values[0].(bool)
			inserted = append(inserted, flag)
		}
		rows = rows.cut(1, len(rows.columns))
	}
	done := outcome{own: own}
	if done.images, err = s.imagesOf(s.table, rows); err != nil {
		return outcome{}, err
	}
	before := index(met)
	for i := range done.images.rows {
		after := &done.images.rows[i]
		c := change{before: before[after.key], after: after}
		c.unknown = c.before == nil && inserted != nil && !inserted[i]
		done.changes = append(done.changes, c)
		before[after.key] = after // the same row again: changed from here
	}
	done.affected = s.upsertAffected(done)
	if err := s.pairMoved(&done, met, onConflict); err != nil {
		return outcome{}, err
	}
	return s.withTriggers(done)
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

// insertOrReplace captures SQLite's INSERT OR REPLACE, which deletes every
// row that is in its way under any unique index.
func (s *statement) insertOrReplace() (outcome, error) {
	if len(s.table.keys) == 0 {
		return outcome{}, fmt.Errorf("hooks: table %s has no primary key, so INSERT OR REPLACE into it cannot be captured; add one", s.table.quoted())
	}
	met, err := s.selectConflicting(s.uniques())
	if err != nil {
		return outcome{}, err
	}
	done, err := s.teeImages()
	if err != nil {
		return outcome{}, err
	}
	after := index(done.images)
	for i, row := range met.rows {
		done.changes = append(done.changes, change{before: &met.rows[i], after: after[row.key]})
		delete(after, row.key)
	}
	for i, row := range done.images.rows {
		if after[row.key] == &done.images.rows[i] {
			done.changes = append(done.changes, change{after: &done.images.rows[i]})
		}
	}
	return done, nil
}

// insertThenSelect captures an INSERT where the database returns nothing: the
// rows are read by the keys they were given or were assigned.
func (s *statement) insertThenSelect(onConflict clause.OnConflict, upsert bool) (outcome, error) {
	if len(s.table.keys) == 0 {
		return outcome{}, fmt.Errorf("hooks: table %s has no primary key, so its changes cannot be captured on this database; add one", s.table.quoted())
	}
	met := &images{}
	var err error
	if upsert {
		if !s.everyRowHasTarget() {
			return outcome{}, errKeysUnknown
		}
		if met, err = s.selectConflicting(s.targets(onConflict)); err != nil {
			return outcome{}, err
		}
	}
	result, err := s.runExec(s.ConnPool, s.query, s.args)
	if err != nil {
		return outcome{}, err
	}
	done := outcome{result: result, images: &images{}}
	if upsert {
		done.images, err = s.selectConflicting(s.targets(onConflict))
	}
	if err == nil && len(done.images.rows) == 0 {
		done.images, err = s.selectInserted(done)
	}
	if err != nil {
		return outcome{}, err
	}
	before := index(met)
	for i := range done.images.rows {
		after := &done.images.rows[i]
		done.changes = append(done.changes, change{before: before[after.key], after: after})
	}
	return done, nil
}

// everyRowHasTarget reports whether each row of an upsert can be found again:
// it has values for some unique index, or is the only one.
func (s *statement) everyRowHasTarget() bool {
	values, _ := s.db.Statement.Clauses["VALUES"].Expression.(clause.Values)
	for _, row := range values.Values {
		found := len(values.Values) == 1
		for _, target := range s.uniques() {
			at := s.valuePlaces(values, target)
			found = found || at != nil && !slices.ContainsFunc(at, func(place int) bool { return isDefault(row[place]) })
		}
		if !found {
			return false
		}
	}
	return true
}

// errKeysUnknown says that rows were inserted whose keys cannot be known.
var errKeysUnknown = errors.New("hooks: the keys of the inserted rows cannot be known on this database; set them in the model, or use auto-increment")

// selectInserted reads the rows of a plain INSERT by the keys in its VALUES
// or, for an auto-increment key, by the first one assigned: one statement is
// given consecutive ones.
func (s *statement) selectInserted(done outcome) (*images, error) {
	affected, err := done.result.RowsAffected()
	if err != nil || affected == 0 {
		return &images{}, err
	}
	values, _ := s.db.Statement.Clauses["VALUES"].Expression.(clause.Values)
	at := s.valuePlaces(values, s.table.keys)
	if at == nil && len(s.table.keys) > 1 {
		return nil, errKeysUnknown
	}
	assigned, err := done.result.LastInsertId()
	if err != nil {
		return nil, err
	}
	step := int64(1)
	if len(values.Values) > 1 {
		err := connpool.Unwrap(s.ConnPool).QueryRowContext(s.own, "SELECT @@auto_increment_increment").Scan(&step)
		if err != nil {
			return nil, err
		}
	}
	keys := make([][]any, max(len(values.Values), 1))
	for i := range keys {
		keys[i] = make([]any, len(s.table.keys))
		for j := range keys[i] {
			if at != nil && !isDefault(values.Values[i][at[j]]) {
				keys[i][j] = values.Values[i][at[j]]
				continue
			}
			if assigned == 0 {
				return nil, errKeysUnknown
			}
			keys[i][j] = assigned
			assigned += step
		}
	}
	rows, err := s.byKey(s.table.keys, keys)
	if err == nil && int64(len(rows.rows)) != affected {
		err = errKeysUnknown
	}
	return rows, err
}

// isDefault reports whether a value in VALUES leaves the choice to the
// database.
func isDefault(value any) bool {
	if value == nil {
		return true
	}
	if v := reflect.ValueOf(value); v.Kind() == reflect.Pointer && v.IsNil() {
		return true
	}
	expr, ok := value.(clause.Expr)
	return ok && strings.EqualFold(expr.SQL, "DEFAULT")
}

var _ gorm.ConnPool = (*interceptor)(nil)
