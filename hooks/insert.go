package hooks

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/eventaudit/eventaudit/internal/connpool"
)

// insert captures an INSERT: the rows it created, and for an upsert the rows
// it changed, told apart by what was there before.
func (s *statement) insert() (outcome, error) {
	s.inserts = true
	done, err := s.insertRows()
	if err == nil && done.result == nil && s.asksForID() {
		done.insertID, err = s.insertedID(done)
	}
	return done, err
}

// insertedID returns the id that the driver would have told. MySQL tells an
// auto-increment key that was given like one that it made.
func (s *statement) insertedID(done outcome) (*int64, error) {
	id := new(int64)
	if auto := s.table.facts.autoIncrement; s.dialect.prepareReads {
		values, _ := s.db.Statement.Clauses["VALUES"].Expression.(clause.Values)
		at := s.valuePlaces(values, []string{auto})
		switch {
		case auto == "":
			return id, nil
		case at != nil && len(done.images.rows) > 0 && !isDefault(values.Values[0][at[0]]):
			last := done.images.rows[len(done.images.rows)-1]
			given, err := strconv.ParseInt(string(last.cell(done.images.placesOf(s.table, []string{auto})[0])), 10, 64)
			return &given, err
		}
	}
	return id, scanRow(s.own, connpool.Unwrap(s.ConnPool), s.dialect.lastInsertID, id)
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
	case replaces && !upsert && s.table.facts.replaces && (len(s.table.keys) == 0 || s.table.facts.moves || s.hides(s.uniques())):
		return s.replacing(s.insertReturning)
	case replaces && s.dialect.insertReturning:
		return s.insertOrReplace()
	case upsert && (!onConflict.DoNothing || s.dialect.prepareReads):
		// MySQL's DO NOTHING is an update of nothing, which returns rows.
		return s.upsert(onConflict)
	case !s.dialect.insertReturning:
		return s.insertThenSelect()
	default:
		return s.insertReturning()
	}
}

// insertReturning captures an INSERT whose returned rows are exactly the rows
// that it created.
func (s *statement) insertReturning() (outcome, error) {
	return s.teeImages(func(set *images) ([]change, error) { return s.lookAgain(set, created(set)) })
}

// created makes every row a new one.
func created(set *images) []change {
	changes := make([]change, len(set.rows))
	for i := range set.rows {
		changes[i].after = &set.rows[i]
	}
	return changes
}

// unpaired leaves the pairing of the rows for later.
func unpaired(*images) ([]change, error) { return nil, nil }

// insertOrReplace captures SQLite's INSERT OR REPLACE, which deletes every
// row that is in its way under any unique index.
func (s *statement) insertOrReplace() (outcome, error) {
	if len(s.table.keys) == 0 {
		return outcome{}, fmt.Errorf("hooks: table %s has no primary key, so INSERT OR REPLACE into it cannot be captured; add one", s.table.quoted())
	}
	if s.hides(s.uniques()) {
		return outcome{}, fmt.Errorf("hooks: table %s has a unique index over an expression, a collation or a default, so nobody can tell which rows INSERT OR REPLACE deletes; use OnConflict", s.table.quoted())
	}
	if s.table.facts.moves {
		return outcome{}, fmt.Errorf("hooks: a trigger of table %s gives rows other keys, so nobody can tell which ones INSERT OR REPLACE deletes; delete them first", s.table.quoted())
	}
	met, err := s.selectConflicting(look{}, s.uniques())
	if err != nil {
		return outcome{}, err
	}
	if slices.ContainsFunc(met.rows, image.nameless) {
		return outcome{}, s.errNullKeys("use OnConflict")
	}
	s.wantsAll = true
	done, err := s.teeImages(unpaired)
	if err != nil {
		return outcome{}, err
	}
	stands, err := s.standing(done.images)
	if err != nil {
		return outcome{}, err
	}
	left, err := s.byKey(s.table.keys, met.rawKeys())
	if err != nil {
		return outcome{}, err
	}
	after := index(left) // those that were not in the way after all
	for _, row := range stands {
		if !row.nameless() {
			after[row.key] = row
		}
	}
	for i, row := range met.rows {
		done.changes = append(done.changes, change{before: &met.rows[i], after: after[row.key]})
		delete(after, row.key)
	}
	for _, row := range stands {
		if row.nameless() || after[row.key] == row {
			done.changes = append(done.changes, change{after: row})
		}
	}
	return done, nil
}

// standing returns what became of the inserted rows that no later row of the
// same statement replaced, nor a trigger deleted.
func (s *statement) standing(inserted *images) ([]*image, error) {
	if s.table.facts.triggers {
		changes, err := s.lookAgain(inserted, created(inserted))
		return afters(changes), err
	}
	if len(inserted.rows) > 1 {
		if slices.ContainsFunc(inserted.rows, image.nameless) {
			return nil, s.errNullKeys("insert one at a time")
		}
		left, err := s.byKey(s.table.keys, inserted.rawKeys())
		if err != nil {
			return nil, err
		}
		there := index(left)
		inserted.rows = slices.DeleteFunc(inserted.rows, func(row image) bool { return there[row.key] == nil })
	}
	return afters(created(inserted)), nil
}

// afters returns the rows that the changes came to.
func afters(changes []change) []*image {
	var rows []*image
	for _, c := range changes {
		if c.after != nil {
			rows = append(rows, c.after)
		}
	}
	return rows
}

// insertThenSelect captures an INSERT where the database returns nothing: the
// rows are read by the keys they were given or were assigned.
func (s *statement) insertThenSelect() (outcome, error) {
	if len(s.table.keys) == 0 {
		return outcome{}, fmt.Errorf("hooks: table %s has no primary key, so its changes cannot be captured on this database; add one", s.table.quoted())
	}
	result, err := s.runExec(s.ConnPool, s.query, s.args)
	if err != nil {
		return outcome{}, err
	}
	done := outcome{result: result}
	if done.images, err = s.selectInserted(done); err != nil {
		return outcome{}, err
	}
	done.changes = created(done.images)
	return done, nil
}

// rowsOfValues returns how many rows the INSERT brings.
func (s *statement) rowsOfValues() int {
	values, _ := s.db.Statement.Clauses["VALUES"].Expression.(clause.Values)
	return len(values.Values)
}

// rowsWithTarget returns how many rows of the INSERT bring values for all the
// columns of a target, or of every one.
func (s *statement) rowsWithTarget(targets [][]string, every bool) (n int) {
	values, _ := s.db.Statement.Clauses["VALUES"].Expression.(clause.Values)
	for _, row := range values.Values {
		found := 0
		for _, target := range targets {
			at := s.valuePlaces(values, target)
			if at != nil && !slices.ContainsFunc(at, func(place int) bool { return isDefault(row[place]) }) {
				found++
			}
		}
		if found == len(targets) || found > 0 && !every {
			n++
		}
	}
	return n
}

// errKeysUnknown says that rows were inserted whose keys cannot be known.
var errKeysUnknown = errors.New("hooks: the keys of the inserted rows cannot be known on this database; set them in the model, or use auto-increment")

// selectInserted reads the rows of a plain INSERT by the keys in its VALUES
// or, for an auto-increment key, by the first one assigned: one statement is
// given consecutive ones.
func (s *statement) selectInserted(done outcome) (*images, error) {
	affected, err := done.result.RowsAffected()
	if err != nil || affected == 0 {
		return noImages(), err
	}
	if s.table.facts.moves { // the keys may be others by now
		rows, err := s.arrived()
		if err == nil && int64(len(rows.rows)) != affected {
			err = errKeysUnknown
		}
		return rows, err
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
		if step, err = s.increment(); err != nil {
			return nil, err
		}
	}
	keys := make([][]any, max(len(values.Values), 1))
	for i := range keys {
		keys[i] = make([]any, len(s.table.keys))
		for j := range keys[i] {
			if at != nil && !s.isAssigned(j, values.Values[i][at[j]], assigned) {
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

// increment returns how far apart the keys are that MySQL assigns.
func (s *statement) increment() (step int64, err error) {
	err = scanRow(s.own, connpool.Unwrap(s.ConnPool), "SELECT @@auto_increment_increment", &step)
	return step, err
}

// isAssigned reports whether the database chose the value of a key column,
// which for MySQL's auto-increment keys zero asks for too.
func (s *statement) isAssigned(key int, given any, assigned int64) bool {
	if isDefault(given) {
		return true
	}
	v := reflect.Indirect(reflect.ValueOf(given))
	return assigned != 0 && s.table.same(s.table.keys[key], s.table.facts.autoIncrement) && (v.CanInt() || v.CanUint()) && v.IsZero()
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
