package hooks

import (
	"context"
	"database/sql"
	"encoding/binary"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/eventaudit/eventaudit/internal/connpool"
)

// statement is one INSERT, UPDATE or DELETE being captured.
type statement struct {
	*interceptor
	// ctx is the app's context, for its own statement; own is detached from
	// its cancellation, so that a change and its event are never split.
	ctx, own context.Context
	query    string
	args     []any
	// wantsRows says that the statement has a RETURNING of its own.
	wantsRows bool
	// inserts says that it is an INSERT.
	inserts bool
	// wantsAll keeps all rows in memory, because they are compared as a whole.
	wantsAll bool
	// buffers are those with a file, to be closed in the end.
	buffers []*buffer
	// once says that its condition may say something else the second time, and
	// held that its text names the keys of rows in place of that.
	once, held bool
	// ran says that the statement itself succeeded: from here on an error
	// would leave a change without its event.
	ran bool
}

// outcome is what a captured statement did.
type outcome struct {
	// own are the rows that the statement itself asked for.
	own *buffer
	// result is what the driver said, when the statement was executed as it
	// stands; affected counts rows when it was not.
	result   sql.Result
	affected int64
	// insertID is what the driver would have said, had it been asked.
	insertID *int64
	// images has the columns of the changes.
	images  *images
	changes []change
	// rest yields the changes behind these, of a statement whose rows did not
	// fit into memory; nil when there are none.
	rest func(yield func(*images, []change) error) error
}

// change is one row before and after; nil is no row.
type change struct {
	before, after *image
	// unknown says that there was a row before, with values unknown.
	unknown bool
}

// execute runs the statement by the technique that its kind and the database
// call for.
func (s *statement) execute() (outcome, error) {
	verb, _, _ := strings.Cut(strings.TrimSpace(s.query), " ")
	var run func() (outcome, error)
	switch strings.ToUpper(verb) {
	case "INSERT":
		run = s.insert
	case "UPDATE":
		run = s.update
	case "DELETE":
		run = s.delete
	default:
		return outcome{}, &unknownStatementError{verb}
	}
	if s.table.facts.moves {
		return s.following(run)
	}
	return run()
}

// unseen runs a statement about a virtual table as if it were raw SQL.
func (s *statement) unseen() (done outcome, err error) {
	conn := s.ConnPool
	if s.OnBypass != BypassIgnore {
		conn = s.instead(s.db, conn, parseSQL(s.dialect.syntax, s.query), virtualTable)
	}
	if s.wantsRows {
		done.own, err = fetch(s.ctx, conn, s.query, s.args, reading{keep: true})
	} else {
		done.result, err = conn.ExecContext(s.ctx, s.query, s.args...)
	}
	return done, err
}

// unknownStatementError says that another plugin put a statement of a kind
// that cannot be captured in the place of GORM's own.
type unknownStatementError struct{ verb string }

func (e *unknownStatementError) Error() string {
	return "hooks: a statement that begins with " + e.verb + " cannot be captured; use INSERT, UPDATE or DELETE"
}

// tableName is the name that the statement knows the table by, quoted.
func (s *statement) tableName() string { return s.db.Statement.Quote(s.db.Statement.Table) }

// tee runs the statement with the whole rows that it writes added to what it
// returns, and splits the two.
func (s *statement) tee(query, list string) (own, rows *buffer, err error) {
	return s.runQuery(s.ConnPool, s.teed(query, list), s.args)
}

// teed is the text of that.
func (s *statement) teed(query, list string) string {
	joint := " RETURNING "
	if s.wantsRows {
		joint = ", "
	}
	return s.marked(query + joint + s.origin() + "," + list)
}

// teeImages runs the statement and returns the rows that it wrote as changes;
// made turns the images of some of them into changes.
func (s *statement) teeImages(made func(*images) ([]change, error)) (outcome, error) {
	query := asked{text: s.query, rows: s.wantsRows}
	text, ok := s.table.texts.get(query)
	if !ok {
		text = s.teed(s.query, s.dialect.row(s.table, s.returningName())+s.place())
		if !s.held {
			s.table.texts.put(query, text)
		}
	}
	own, rows, err := s.runQuery(s.ConnPool, text, s.args)
	if err != nil {
		return outcome{}, err
	}
	done := outcome{own: own, affected: rows.count()}
	err = done.take(rows, func(piece *buffer) (*images, []change, error) {
		set, err := s.imagesOf(s.table, piece)
		if err != nil {
			return nil, nil, err
		}
		changes, err := made(set)
		return set, changes, err
	})
	return done, err
}

// take makes the changes of the rows in memory the outcome's, and leaves those
// of the rest for later.
func (o *outcome) take(rows *buffer, made func(piece *buffer) (*images, []change, error)) (err error) {
	o.images, o.changes, err = made(&buffer{columns: rows.columns, values: rows.values})
	if rows.spill == nil || err != nil {
		return err
	}
	o.rest = func(yield func(*images, []change) error) error {
		return rows.spill.pieces(func(values [][]any) error {
			set, changes, err := made(&buffer{columns: rows.columns, values: values})
			if err != nil {
				return err
			}
			return yield(set, changes)
		})
	}
	return nil
}

// returningName qualifies the columns of a RETURNING list, which SQLite does
// not allow.
func (s *statement) returningName() string {
	if s.dialect.writeLock {
		return ""
	}
	return s.tableName()
}

// runQuery runs the app's statement in a form that returns rows.
func (s *statement) runQuery(conn gorm.ConnPool, text string, args []any) (own, rows *buffer, err error) {
	read := fetch
	if s.dialect.prepareReads {
		read = fetchPrepared
	}
	all, err := read(s.ctx, conn, text, args, reading{keep: s.wantsRows || s.wantsAll, untyped: s.dialect.documents && !s.wantsRows})
	s.closeLater(all)
	if err != nil {
		s.forgetIfOther(err)
		return nil, nil, err
	}
	s.ran = true
	own, rows, origin := all.split()
	return own, rows, s.settle(origin)
}

// runExec runs the app's statement in a form that returns none.
func (s *statement) runExec(conn gorm.ConnPool, text string, args []any) (sql.Result, error) {
	done, err := conn.ExecContext(s.ctx, s.marked(text), args...)
	if err == nil {
		s.ran = true
	}
	return done, err
}

// fresh returns an empty statement with the clauses of this one, to build SQL
// around them. Expressions in them are built a second time.
func (s *statement) fresh() *gorm.Statement {
	from := s.db.Statement
	return &gorm.Statement{
		DB: from.DB, Table: from.Table, TableExpr: from.TableExpr, Model: from.Model, Dest: from.Dest,
		ReflectValue: from.ReflectValue, Clauses: from.Clauses, Schema: from.Schema, Context: s.own,
		ConnPool: s.ConnPool, Unscoped: from.Unscoped,
	}
}

// target writes the table as the statement names it, alias and all.
func target(to *gorm.Statement) { to.WriteQuoted(clause.Table{Name: clause.CurrentTable}) }

// selectRows reads whole rows for images, by a statement built with fresh.
func (s *statement) selectRows(from *gorm.Statement) (*buffer, error) {
	if s.db.Error != nil { // an expression could not be built
		return nil, s.db.Error
	}
	read := fetch
	if s.dialect.prepareReads {
		read = fetchPrepared
	}
	all, err := read(s.own, connpool.Unwrap(s.ConnPool), from.SQL.String(), from.Vars, reading{keep: s.wantsAll, untyped: s.dialect.documents})
	s.closeLater(all)
	return all, err
}

// closeLater keeps a buffer that has a file, and no other: the many small ones
// of a large statement would add up to all of its rows.
func (s *statement) closeLater(b *buffer) {
	if b != nil && b.spill != nil {
		s.buffers = append(s.buffers, b)
	}
}

// close gives back the files of a large statement.
func (s *statement) close() {
	for _, b := range s.buffers {
		if err := b.close(); err != nil {
			s.Logger.WarnContext(s.own, "a file of rows was not closed", "error", err)
		}
	}
}

// takeWriteLock makes the transaction a writing one before it reads. SQLite
// refuses the step from reading to writing, without waiting, when another
// connection writes meanwhile. A transaction keeps the lock that it has.
func (s *statement) takeWriteLock() error {
	if !s.dialect.writeLock {
		return nil
	}
	name := s.table.quoted()
	if s.Transactions.hasLocked(s.ConnPool, name) {
		return nil
	}
	_, err := connpool.Unwrap(s.ConnPool).ExecContext(s.own, "DELETE FROM "+name+" WHERE 0")
	if err != nil && strings.Contains(err.Error(), "because it is a view") {
		return nil // one without a trigger for deletes has nothing to lock
	}
	if err == nil {
		s.Transactions.locks(s.ConnPool, name)
	}
	return err
}

// comparable turns the bytes of a column of bits into the number that they
// are: MySQL takes bytes for such a column, and compares them as text.
func (t *table) comparable(column string, value any) any {
	bytes, ok := value.([]byte)
	if !ok || len(bytes) > 8 || !t.among(t.facts.bits, column) {
		return value
	}
	var number [8]byte
	copy(number[8-len(bytes):], bytes)
	return binary.BigEndian.Uint64(number[:])
}

// writeKeys writes the condition that a row has one of the keys. The columns
// are qualified by name unless it is empty.
func writeKeys(to *gorm.Statement, t *table, name string, columns []string, keys [][]any) {
	qualified := make([]string, len(columns))
	for i, column := range columns {
		qualified[i] = t.quote(column)
		if name != "" {
			qualified[i] = name + "." + qualified[i]
		}
	}
	if len(columns) == 1 {
		to.WriteString(qualified[0] + " IN (")
		for i, key := range keys {
			if i > 0 {
				to.WriteByte(',')
			}
			to.AddVar(to, t.comparable(columns[0], key[0]))
		}
		to.WriteByte(')')
		return
	}
	to.WriteByte('(')
	for i, key := range keys {
		if i > 0 {
			to.WriteString(" OR ")
		}
		to.WriteByte('(')
		for j, value := range key {
			if j > 0 {
				to.WriteString(" AND ")
			}
			to.WriteString(qualified[j] + " = ")
			to.AddVar(to, t.comparable(columns[j], value))
		}
		to.WriteByte(')')
	}
	to.WriteByte(')')
}
