package hooks

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/eventaudit/eventaudit/internal/connpool"
)

// update captures an UPDATE: every row it changes with its values before and
// after. The rows are fixed and locked before they change, so that a WHERE on
// the changed columns, or another writer, cannot come between.
func (s *statement) update() (outcome, error) {
	if s.wantsRows && !s.dialect.updateReturning {
		// The database will say that it has no such thing.
		own, _, err := s.runQuery(s.ConnPool, s.query, s.args)
		return outcome{own: own, images: noImages()}, err
	}
	if text, ok := s.table.texts.get(asked{text: s.query, old: true}); ok && !s.wantsRows {
		return s.runReturningOld(text)
	}
	parts, ok := s.parts()
	switch {
	case !ok:
		return s.updateBlind()
	case len(s.table.keys) == 0 && byChance(s.dialect.syntax, parts["WHERE"]):
		return outcome{}, fmt.Errorf("hooks: table %s has no primary key, so an update of rows that its WHERE chooses at random cannot be captured; add one", s.table.quoted())
	case len(s.table.keys) == 0:
		return s.updateUnpaired()
	case s.dialect.oldReturning && (!s.has("FROM") || len(s.joined()) > 0 && !s.wantsRows && s.isBare("FROM") && s.isBare("WHERE")):
		return s.updateReturningOld(parts)
	}
	s.once = !s.has("FROM") && !severalTables(s.dialect.syntax, s.query) && !steady(s.dialect.syntax, parts["WHERE"])
	if s.resolves(s.updateModifier(), "REPLACE") {
		return s.replacing(s.updateAfterSelect)
	}
	return s.updateAfterSelect()
}

// parts cuts the statement's SQL into its clauses. It is not ok when the SQL
// is not what the clauses say, as when another plugin wrote it; then nothing
// can be built around it.
func (s *statement) parts() (parts map[string]string, ok bool) {
	if !s.has("SET") {
		return nil, false
	}
	again := s.fresh()
	again.SQL.Grow(len(s.query))
	ends := make(map[string][2]int, 4)
	for _, name := range s.updateClauses() {
		if !s.has(name) {
			continue
		}
		if again.SQL.Len() > 0 {
			again.WriteByte(' ')
		}
		start := again.SQL.Len()
		again.Build(name)
		ends[name] = [2]int{start, again.SQL.Len()}
	}
	if again.SQL.String() != s.query || len(again.Vars) != len(s.args) {
		return nil, false
	}
	parts = make(map[string]string, len(ends))
	for name, at := range ends {
		parts[name] = s.query[at[0]:at[1]]
	}
	return parts, true
}

// isBare reports whether a clause is its name and its expression, without the
// hints and comments that others put around them.
func (s *statement) isBare(name string) bool {
	c := s.db.Statement.Clauses[name]
	_, built := s.db.ClauseBuilders[name]
	return !built && c.Builder == nil && c.BeforeExpression == nil && c.AfterNameExpression == nil && c.AfterExpression == nil
}

func (s *statement) updateClauses() []string {
	return s.db.Callback().Update().Clauses
}

func (s *statement) has(name string) bool {
	_, ok := s.db.Statement.Clauses[name]
	return ok
}

// updateReturningOld does it in one statement: a CTE locks the rows and keeps
// them as documents, the UPDATE joins it by key and returns both. It is made
// of the parts of the statement's own SQL, so that it has the same arguments.
func (s *statement) updateReturningOld(parts map[string]string) (outcome, error) {
	const old, row, key, origin = "__old", "__row", "__key", "__table"
	t, quote := s.tableName(), s.table.quote
	joined := ""
	if tables, ok := strings.CutPrefix(parts["FROM"], "FROM "); ok {
		joined = "," + tables
	}
	q := s.fresh()
	q.SQL.Grow(len(s.query) + 512)
	q.WriteString("WITH " + quote(old) + " AS (SELECT " + s.dialect.row(s.table, t) + " AS " + quote(row))
	for i, column := range s.table.keys {
		q.WriteString("," + t + "." + quote(column) + " AS " + quote(key+strconv.Itoa(i)))
	}
	if !s.table.facts.composed { // tables that inherit from it may have the same key
		q.WriteString("," + t + ".tableoid AS " + quote(origin))
	}
	q.WriteString(" FROM ")
	target(q)
	q.WriteString(joined + " " + parts["WHERE"] + s.lock())
	if joined != "" {
		q.WriteString(" OF " + t)
	}
	q.WriteString(") " + parts["UPDATE"] + " " + parts["SET"] + " FROM " + quote(old) + joined + " WHERE ")
	if condition, ok := strings.CutPrefix(parts["WHERE"], "WHERE "); ok && joined != "" {
		q.WriteString("(" + condition + ") AND ")
	}
	for i, column := range s.table.keys {
		if i > 0 {
			q.WriteString(" AND ")
		}
		q.WriteString(t + "." + quote(column) + " = " + quote(old) + "." + quote(key+strconv.Itoa(i)))
	}
	if !s.table.facts.composed {
		q.WriteString(" AND " + t + ".tableoid = " + quote(old) + "." + quote(origin))
	}
	q.WriteString(" RETURNING ")
	if s.wantsRows {
		s.ownReturning(q)
		q.WriteByte(',')
	}
	q.WriteString(s.origin() + "," + quote(old) + "." + quote(row) + "," + s.dialect.row(s.table, t) + s.place())
	text := s.marked(q.SQL.String())
	if joined == "" && !s.wantsRows {
		s.table.texts.put(asked{text: s.query, old: true}, text)
	}
	return s.runReturningOld(text)
}

// runReturningOld runs the one statement.
func (s *statement) runReturningOld(text string) (outcome, error) {
	keys := s.table.keys
	own, both, err := s.runQuery(s.ConnPool, text, s.args)
	if err == nil && !slices.Equal(keys, s.table.keys) {
		s.tables.put(keyOf(s.db.Statement), s.table)
		err = s.spoiled(fmt.Errorf("hooks: table %s is another one than before, with the key (%s); roll back and try again",
			s.table.quoted(), strings.Join(s.table.keys, ", ")))
	}
	if err != nil {
		return outcome{}, err
	}
	done := outcome{own: own, affected: both.count()}
	err = done.take(both, func(piece *buffer) (*images, []change, error) {
		after, err := s.imagesOf(s.table, piece.cut(1, len(piece.columns)))
		if err != nil {
			return nil, nil, err
		}
		before, err := s.imagesOf(s.table, piece.cut(0, 1))
		if err != nil {
			return nil, nil, err
		}
		if err := s.apart(pointers(before.rows)); err != nil {
			return nil, nil, err
		}
		changes := make([]change, len(after.rows))
		for i := range after.rows {
			changes[i] = change{before: &before.rows[i], after: &after.rows[i]}
		}
		changes, err = s.lookAgain(after, changes)
		return after, changes, err
	})
	return done, err
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
	locked, err := s.lockRows("UPDATE", s.movedKeys())
	if err != nil {
		return outcome{}, err
	}
	takes, err := s.takesKeys(locked)
	if err != nil {
		return outcome{}, err
	}
	if s.once && s.dialect.writeLock {
		done, err := s.hold(locked)
		defer done()
		if err != nil {
			return outcome{}, err
		}
	}
	done := outcome{}
	var after *images // nil: to be looked up by key
	returns := s.dialect.updateReturning && !s.table.facts.triggers && locked.rows.spill == nil
	switch {
	case !returns && len(locked.moved) > 0 && s.resolves(s.updateModifier(), "IGNORE"):
		return outcome{}, s.errIgnoredMoves()
	case !s.dialect.updateReturning:
		done.result, err = s.runRestricted("UPDATE", locked)
	case s.dialect.oldReturning:
		return s.updateJoined(locked)
	case returns:
		done, err = s.teeImages(unpaired)
		after = done.images
	case s.wantsRows:
		done.own, _, err = s.runQuery(s.ConnPool, s.query, s.args)
	default:
		done.result, err = s.runExec(s.ConnPool, s.query, s.args)
	}
	if err == nil && takes {
		err = s.errMadeRoom()
	}
	if err != nil {
		return outcome{}, err
	}
	err = done.take(locked.rows, func(piece *buffer) (*images, []change, error) {
		return s.pairUpdated(locked, piece, after)
	})
	return done, err
}

// locked are rows that a statement is about to change. Behind the columns of
// the row stand the values that it moves keys to.
type locked struct {
	rows  *buffer
	width int
	moved []clause.Assignment
}

// lockRows reads the rows that the statement is about to change, by its own
// WHERE, and locks them where the database can.
func (s *statement) lockRows(verb string, moved []clause.Assignment) (*locked, error) {
	q := s.fresh()
	q.WriteString("SELECT " + s.dialect.row(s.table, s.tableName()))
	for i, assignment := range moved {
		q.WriteByte(',')
		q.AddVar(q, assignment.Value)
		q.WriteString(" AS " + s.table.quote("__key"+strconv.Itoa(i)))
	}
	q.WriteString(" FROM ")
	target(q)
	if verb == "UPDATE" {
		s.writeJoined(q)
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
	if s.dialect.documents && s.has("FROM") { // only PostgreSQL locks tables by name
		q.WriteString(" OF " + s.tableName())
	}
	if s.once && s.dialect.syntax == mysqlSyntax {
		if text := lockingSubqueries(q.SQL.String(), s.table.name); text != q.SQL.String() {
			locks, err := s.locksSubqueries()
			if err != nil {
				return nil, err
			}
			if locks {
				q.SQL.Reset()
				q.SQL.WriteString(text)
			}
		}
	}
	rows, err := s.selectRows(q)
	if err != nil {
		return nil, err
	}
	return &locked{rows, len(rows.columns) - len(moved), moved}, nil
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
// had the statement run at once. A WHERE that may say something else by now is
// left out.
func (s *statement) runRestricted(verb string, locked *locked) (sql.Result, error) {
	if len(s.table.keys) == 0 {
		return nil, fmt.Errorf("hooks: table %s has no primary key, so its changes cannot be captured on this database; add one", s.table.quoted())
	}
	q := s.fresh()
	if verb == "UPDATE" {
		q.Build("UPDATE")
		// It may have an index hint already, or need the index of a text.
		if s.db.Statement.Clauses["UPDATE"].AfterExpression == nil && !s.searchesText() {
			q.WriteString(s.byPrimary(s.table.keys))
		}
		q.WriteByte(' ')
		q.Build("SET")
	} else {
		q.Build("DELETE", "FROM")
	}
	q.WriteString(" WHERE ")
	n := locked.rows.count()
	if n == 0 || !s.once {
		s.writeWhere(q)
	}
	switch {
	case n == 0: // never true, but only a row can tell: the WHERE may have an error to find
		q.WriteString("LENGTH(" + s.tableName() + "." + s.table.quote(s.table.keys[0]) + ") < 0")
	case n > maxRestriction, int64(len(q.Vars))+n*int64(len(s.table.keys)) > maxParameters:
		drop, err := s.keysInTable(locked)
		if err != nil {
			return nil, err
		}
		defer drop()
		q.WriteString(s.inKeysTable())
	default:
		before, err := s.imagesOf(s.table, locked.rows.cut(0, locked.width))
		if err != nil {
			return nil, err
		}
		writeKeys(q, s.table, s.tableName(), s.table.keys, before.rawKeys())
	}
	q.WriteByte(' ')
	q.Build("ORDER BY", "LIMIT")
	return s.runExec(connpool.Unwrap(s.ConnPool), q.SQL.String(), q.Vars)
}

// withTriggers replaces the images after by what a second look finds, where
// the table has triggers that may change rows after RETURNING saw them.
func (s *statement) withTriggers(done outcome) (outcome, error) {
	var err error
	done.changes, err = s.lookAgain(done.images, done.changes)
	return done, err
}

func (s *statement) lookAgain(set *images, changes []change) ([]change, error) {
	if !s.table.facts.triggers || len(set.keys) == 0 {
		return changes, nil
	}
	if slices.ContainsFunc(set.rows, image.nameless) {
		return nil, s.errNullKeys("give them a key, or do without the triggers of the table")
	}
	found, err := s.byKey(s.table.keys, set.rawKeys())
	if err != nil {
		return nil, err
	}
	after := index(found)
	changes = unchained(changes)
	made, err := s.followPlaces(changes, after)
	if err != nil {
		return nil, err
	}
	for i, c := range changes {
		if c.after == nil || made[c.after] {
			continue
		}
		now := after[c.after.key]
		if made[now] {
			now = nil // another row has its key now
		}
		changes[i].after, made[now] = now, true
	}
	return changes, nil
}

// followPlaces replaces the images after of rows that are still somewhere, on
// PostgreSQL and where triggers may move keys: a row found by its key may be
// another one that came there. It returns the images it put in, as those that
// were found by their key, if they were.
func (s *statement) followPlaces(changes []change, byKey map[string]*image) (made map[*image]bool, err error) {
	made = map[*image]bool{}
	moved := func(c change) bool { return c.after != nil && byKey[c.after.key] == nil }
	if !s.table.facts.moves && !slices.ContainsFunc(changes, moved) {
		return made, nil
	}
	for i, c := range changes {
		if c.after == nil || c.after.place == nil {
			continue
		}
		now, err := s.atPlace(c.after.place)
		if err != nil {
			return nil, err
		}
		if now == nil { // deleted; a trigger may have inserted it again
			continue
		}
		if known := byKey[now.key]; known != nil {
			now = known
		}
		changes[i].after, made[now] = now, true
	}
	return made, nil
}

// unchained makes one change of those that a statement made to the same row one
// after the other: what triggers made of it in between nobody saw.
func unchained(changes []change) []change {
	at := map[*image]int{}
	kept := changes[:0]
	for _, c := range changes {
		i, again := at[c.before]
		if c.before != nil && again {
			delete(at, c.before)
			kept[i].after = c.after
		} else {
			i = len(kept)
			kept = append(kept, c)
		}
		if c.after != nil {
			at[c.after] = i
		}
	}
	return kept
}

// updateBlind captures a statement whose SQL another plugin wrote: the new
// rows are known, the old ones are not, and the events say so.
func (s *statement) updateBlind() (outcome, error) {
	if !s.dialect.updateReturning {
		return outcome{}, errors.New("hooks: another plugin wrote the SQL of this UPDATE, and the database cannot return the rows it changes; exclude the table with ignore.models or write the update through GORM")
	}
	return s.teeImages(func(set *images) ([]change, error) {
		changes := created(set)
		for i := range changes {
			changes[i].unknown = true
		}
		return changes, nil
	})
}

// updateUnpaired captures an UPDATE of a table without a key: old and new rows
// are both known, but not which became which. Rows that are the same before
// and after did not change; of the others the old ones are recorded as deleted
// and the new ones as created.
func (s *statement) updateUnpaired() (outcome, error) {
	if !s.dialect.updateReturning {
		return outcome{}, fmt.Errorf("hooks: table %s has no primary key, so its changes cannot be captured on this database; add one", s.table.quoted())
	}
	s.wantsAll = true
	locked, err := s.lockRows("UPDATE", nil)
	if err != nil {
		return outcome{}, err
	}
	old, err := s.imagesOf(s.table, locked.rows)
	if err != nil {
		return outcome{}, err
	}
	done, err := s.teeImages(unpaired)
	if err != nil {
		return outcome{}, err
	}
	if len(old.rows) != len(done.images.rows) {
		return outcome{}, fmt.Errorf("hooks: the UPDATE of table %s matches %d rows and changed %d; some were left alone or came in between, and without a primary key nobody can tell which; add one",
			s.table.quoted(), len(old.rows), len(done.images.rows))
	}
	if len(old.rows) == 1 {
		done.changes = []change{{before: &old.rows[0], after: &done.images.rows[0]}}
		return done, nil
	}
	done.changes = replaced(pointers(old.rows), pointers(done.images.rows))
	return done, nil
}

func pointers(rows []image) []*image {
	list := make([]*image, len(rows))
	for i := range rows {
		list[i] = &rows[i]
	}
	return list
}

// replaced records rows of which nobody can say which became which: those that
// are not among the others, one for one, are deleted and created.
func replaced(before, after []*image) []change {
	var changes []change
	for _, row := range without(before, after) {
		changes = append(changes, change{before: row})
	}
	for _, row := range without(after, before) {
		changes = append(changes, change{after: row})
	}
	return changes
}

func without(rows, others []*image) []*image {
	present := map[string]int{}
	for _, row := range others {
		present[row.content()]++
	}
	return slices.DeleteFunc(slices.Clone(rows), func(row *image) bool {
		present[row.content()]--
		return present[row.content()] >= 0
	})
}
