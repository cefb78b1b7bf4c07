package hooks

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/eventaudit/eventaudit/internal/connpool"
)

// update captures an UPDATE: every row it changes with its values before and
// after. The rows are fixed and locked before they change, so that a WHERE on
// the changed columns, or another writer, cannot come between.
func (s *statement) update() (outcome, error) {
	switch {
	case s.wantsRows && !s.dialect.updateReturning:
		// The database will say that it has no such thing.
		own, _, err := s.runQuery(s.ConnPool, s.query, s.args)
		return outcome{own: own, images: &images{}}, err
	case !s.reproducible():
		return s.updateBlind()
	case len(s.table.keys) == 0:
		return s.updateUnpaired()
	case s.dialect.oldReturning && !s.has("FROM"):
		return s.updateReturningOld()
	default:
		return s.updateAfterSelect()
	}
}

// reproducible reports whether the statement is what its clauses say. It is
// not when another plugin wrote the SQL; then nothing can be built around it.
func (s *statement) reproducible() bool {
	if !s.has("SET") {
		return false
	}
	again := s.fresh()
	again.Build(s.updateClauses()...)
	return again.SQL.String() == s.query && len(again.Vars) == len(s.args)
}

func (s *statement) updateClauses() []string {
	return s.db.Callback().Update().Clauses
}

func (s *statement) has(name string) bool {
	_, ok := s.db.Statement.Clauses[name]
	return ok
}

// updateReturningOld does it in one statement: a CTE locks the rows and keeps
// them as documents, the UPDATE joins it by key and returns both.
func (s *statement) updateReturningOld() (outcome, error) {
	const old, row, key = "__old", "__row", "__key"
	t, quote := s.tableName(), s.table.quote
	q := s.fresh()
	q.WriteString("WITH " + quote(old) + " AS (SELECT " + s.dialect.row(s.table, t) + " AS " + quote(row))
	for i, column := range s.table.keys {
		q.WriteString("," + t + "." + quote(column) + " AS " + quote(key+strconv.Itoa(i)))
	}
	q.WriteString(" FROM ")
	target(q)
	q.WriteByte(' ')
	q.Build("WHERE")
	q.WriteString(s.lock() + ") ")
	q.Build("UPDATE", "SET")
	q.WriteString(" FROM " + quote(old) + " WHERE ")
	for i, column := range s.table.keys {
		if i > 0 {
			q.WriteString(" AND ")
		}
		q.WriteString(t + "." + quote(column) + " = " + quote(old) + "." + quote(key+strconv.Itoa(i)))
	}
	q.WriteString(" RETURNING ")
	if s.wantsRows {
		s.ownReturning(q)
		q.WriteByte(',')
	}
	q.WriteString("1 AS " + quote(mark) + "," + s.dialect.row(s.table, t) + "," + quote(old) + "." + quote(row))

	own, both, err := s.runQuery(s.ConnPool, q.SQL.String(), q.Vars)
	if err != nil {
		return outcome{}, err
	}
	after, err := s.imagesOf(s.table, both.cut(0, 1))
	if err != nil {
		return outcome{}, err
	}
	before, err := s.imagesOf(s.table, both.cut(1, 2))
	if err != nil {
		return outcome{}, err
	}
	done := outcome{own: own, affected: int64(len(both.values)), images: after}
	for i := range after.rows {
		done.changes = append(done.changes, change{before: &before.rows[i], after: &after.rows[i]})
	}
	return s.withTriggers(done)
}

// ownReturning writes the statement's own RETURNING list with its columns
// qualified, because the CTE has columns too.
func (s *statement) ownReturning(to *gorm.Statement) {
	returning, _ := s.db.Statement.Clauses["RETURNING"].Expression.(clause.Returning)
	if len(returning.Columns) == 0 {
		to.WriteString(s.tableName() + ".*")
		return
	}
	for i, column := range returning.Columns {
		if i > 0 {
			to.WriteByte(',')
		}
		switch {
		case column.Name == "*":
			to.WriteString(s.tableName() + ".*")
		case column.Table == "" && !column.Raw:
			column.Table = clause.CurrentTable
			to.WriteQuoted(column)
		default:
			to.WriteQuoted(column)
		}
	}
}

// updateAfterSelect reads and locks the rows first and then runs the UPDATE,
// held to their keys where other writers could add rows to it.
func (s *statement) updateAfterSelect() (outcome, error) {
	moved := s.movedKeys()
	before, assigned, err := s.lockRows("UPDATE", moved)
	if err != nil {
		return outcome{}, err
	}
	newKeys := s.newKeys(before, moved, assigned)

	done := outcome{}
	if s.dialect.updateReturning {
		done, err = s.teeImages()
		if err == nil && s.table.facts.triggers {
			done.images, err = s.byKey(s.table.keys, newKeys)
		}
	} else {
		done.result, err = s.runRestricted("UPDATE", before)
		if err != nil {
			return outcome{}, err
		}
		done.images, err = s.byKey(s.table.keys, newKeys)
	}
	if err != nil {
		return outcome{}, err
	}
	after := index(done.images)
	for i := range before.rows {
		c := change{before: &before.rows[i], after: after[s.keyText(newKeys[i])]}
		if c.after == nil && len(moved) > 0 {
			// The database may have converted what was assigned.
			if c.after, err = s.moved(after, newKeys[i]); err != nil {
				return outcome{}, err
			}
		}
		done.changes = append(done.changes, c)
	}
	return done, nil
}

// moved finds a row by the key that was assigned to it, as the database
// understands it.
func (s *statement) moved(after map[string]*image, key []any) (*image, error) {
	found, err := s.byKey(s.table.keys, [][]any{key})
	if err != nil || len(found.rows) != 1 {
		return nil, err
	}
	if known := after[found.rows[0].key]; known != nil {
		return known, nil
	}
	return &found.rows[0], nil
}

// keyText is the key of a row as images have it.
func (s *statement) keyText(key []any) string {
	var text []byte
	for i, value := range key {
		text = append(s.dialect.encode(text, value, s.table.facts.types[s.table.keys[i]]), ',')
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

// lockRows reads the rows that the statement is about to change, by its own
// WHERE, and locks them where the database can. The values that it moves keys
// to are evaluated for each row and returned beside.
func (s *statement) lockRows(verb string, moved []clause.Assignment) (rows *images, assigned *buffer, err error) {
	q := s.fresh()
	q.WriteString("SELECT " + s.dialect.row(s.table, s.tableName()))
	for i, assignment := range moved {
		q.WriteByte(',')
		q.AddVar(q, assignment.Value)
		q.WriteString(" AS " + s.table.quote("__key"+strconv.Itoa(i)))
	}
	q.WriteString(" FROM ")
	target(q)
	if from, ok := s.db.Statement.Clauses["FROM"]; ok && verb == "UPDATE" {
		if tables, ok := from.Expression.(clause.From); ok && len(tables.Tables)+len(tables.Joins) > 0 {
			q.WriteByte(',')
			tables.Build(q)
		}
	}
	q.WriteByte(' ')
	built := s.db.Callback().Update().Clauses
	if verb == "DELETE" {
		built = s.db.Callback().Delete().Clauses
	}
	for _, name := range []string{"WHERE", "ORDER BY", "LIMIT"} {
		if slices.Contains(built, name) {
			q.Build(name)
			q.WriteByte(' ')
		}
	}
	q.WriteString(s.lock())
	all, err := s.selectRows(q)
	if err != nil {
		return nil, nil, err
	}
	width := len(all.columns) - len(moved)
	rows, err = s.imagesOf(s.table, all.cut(0, width))
	return rows, all.cut(width, len(all.columns)), err
}

// lock is the lock that rows need before this statement changes them. Only one
// that moves keys may keep inserts of child rows waiting.
func (s *statement) lock() string {
	if len(s.movedKeys()) > 0 {
		return s.dialect.keyLock
	}
	return s.dialect.lock
}

// runRestricted runs the statement held to the rows that were locked, so that
// a row which matches its WHERE only since then is left alone, as it would be
// had the statement run at once.
func (s *statement) runRestricted(verb string, locked *images) (sql.Result, error) {
	if len(s.table.keys) == 0 {
		return nil, fmt.Errorf("hooks: table %s has no primary key, so its changes cannot be captured on this database; add one", s.table.quoted())
	}
	q := s.fresh()
	if verb == "UPDATE" {
		q.Build("UPDATE", "SET")
	} else {
		q.Build("DELETE", "FROM")
	}
	q.WriteString(" WHERE ")
	if where, ok := s.db.Statement.Clauses["WHERE"].Expression.(clause.Where); ok && len(where.Exprs) > 0 {
		q.WriteByte('(')
		where.Build(q)
		q.WriteString(") AND ")
	}
	switch {
	case len(locked.rows) == 0:
		q.WriteString("1 = 0")
	case len(locked.rows) > maxRestriction:
		drop, err := s.keysInTable(locked.rawKeys())
		if err != nil {
			return nil, err
		}
		defer drop()
		q.WriteString("(" + s.keyList(s.tableName()) + ") IN (SELECT " + s.keyList("") + " FROM " + keysTable + ")")
	default:
		writeKeys(q, s.table, s.tableName(), s.table.keys, locked.rawKeys())
	}
	q.WriteByte(' ')
	q.Build("ORDER BY", "LIMIT")
	return s.runExec(connpool.Unwrap(s.ConnPool), q.SQL.String(), q.Vars)
}

// withTriggers replaces the images after by what a second look finds, where
// the table has triggers that may change rows after RETURNING saw them.
func (s *statement) withTriggers(done outcome) (outcome, error) {
	if !s.table.facts.triggers || len(done.images.keys) == 0 {
		return done, nil
	}
	found, err := s.byKey(s.table.keys, done.images.rawKeys())
	if err != nil {
		return outcome{}, err
	}
	after := index(found)
	for i, c := range done.changes {
		if c.after != nil {
			done.changes[i].after = after[c.after.key]
		}
	}
	return done, nil
}

// updateBlind captures a statement whose SQL another plugin wrote: the new
// rows are known, the old ones are not, and the events say so.
func (s *statement) updateBlind() (outcome, error) {
	if !s.dialect.updateReturning {
		return outcome{}, errors.New("hooks: another plugin wrote the SQL of this UPDATE, and the database cannot return the rows it changes; exclude the table with ignore.models or write the update through GORM")
	}
	done, err := s.teeImages()
	if err != nil {
		return outcome{}, err
	}
	for i := range done.images.rows {
		done.changes = append(done.changes, change{after: &done.images.rows[i], unknown: true})
	}
	return done, nil
}

// updateUnpaired captures an UPDATE of a table without a key: old and new rows
// are both known, but not which became which. Rows that are the same before
// and after did not change; of the others the old ones are recorded as deleted
// and the new ones as created.
func (s *statement) updateUnpaired() (outcome, error) {
	if !s.dialect.updateReturning {
		return outcome{}, fmt.Errorf("hooks: table %s has no primary key, so its changes cannot be captured on this database; add one", s.table.quoted())
	}
	old, _, err := s.lockRows("UPDATE", nil)
	if err != nil {
		return outcome{}, err
	}
	done, err := s.teeImages()
	if err != nil {
		return outcome{}, err
	}
	if len(old.rows) == 1 && len(done.images.rows) == 1 {
		done.changes = []change{{before: &old.rows[0], after: &done.images.rows[0]}}
		return done, nil
	}
	for _, row := range without(old.rows, done.images.rows) {
		done.changes = append(done.changes, change{before: row})
	}
	for _, row := range without(done.images.rows, old.rows) {
		done.changes = append(done.changes, change{after: row})
	}
	return done, nil
}

// without returns the rows that are not among the others, one for one.
func without(rows, others []image) []*image {
	present := map[string]int{}
	for _, row := range others {
		present[row.content()]++
	}
	var left []*image
	for i, row := range rows {
		if present[row.content()] > 0 {
			present[row.content()]--
			continue
		}
		left = append(left, &rows[i])
	}
	return left
}
