package sqlrepo

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"sync"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/connpool"
	"github.com/eventaudit/eventaudit/repository"
)

// Write stores the events, all or none. See repository.Repository.
func (r *Repository) Write(ctx context.Context, events ...event.Event) error {
	events, err := repository.Prepare(events)
	if err != nil {
		return err
	}
	if r.dialect.takesOne(events) || !connpool.Begins(r.pool) {
		return r.Insert(ctx, r.pool, events)
	}
	return connpool.Atomically(ctx, r.pool, nil, func(conn gorm.ConnPool) error {
		return r.Insert(ctx, conn, events)
	})
}

// Insert stores events that are complete and valid, through a connection or
// transaction of the caller. It is what Write does after its checks, with the
// same SQL. It begins no transaction: many events take several statements, so
// that all or none is up to the caller. An error leaves the caller's
// transaction as the database leaves it.
//
// Every statement begins with the comment /*audit:defer*/, returns no rows,
// and its row count is never looked at: a connector may hold it back and send
// it together with the next statement or the commit.
func (r *Repository) Insert(ctx context.Context, conn gorm.ConnPool, events []event.Event) error {
	return r.insertAll(ctx, conn, events, true)
}

// InsertNew is Insert for events whose ids were made for them. An id that is
// stored already is an error, where Insert passes the event over; that nobody
// has to look for it makes the difference.
func (r *Repository) InsertNew(ctx context.Context, conn gorm.ConnPool, events []event.Event) error {
	return r.insertAll(ctx, conn, events, false)
}

func (r *Repository) insertAll(ctx context.Context, conn gorm.ConnPool, events []event.Event, again bool) (err error) {
	if len(events) > 1 {
		conn = connpool.Unwrap(conn)
	}
	run := conn.ExecContext
	if r.dialect.prepares && len(events) > 2*r.dialect.chunk { // the same text comes again
		last := prepared{conn: conn}
		defer func() { err = errors.Join(err, last.close()) }()
		run = last.exec
	}
	for chunk := range r.dialect.chunks(events) {
		if err := r.insert(ctx, run, chunk, again); err != nil {
			return fmt.Errorf("sqlrepo: write %d events: %w", len(events), err)
		}
	}
	return nil
}

// execute runs a statement.
type execute = func(ctx context.Context, text string, args ...any) (sql.Result, error)

// prepared keeps the last statement prepared for the next of the same text.
type prepared struct {
	conn gorm.ConnPool
	text string
	stmt *sql.Stmt
}

func (p *prepared) exec(ctx context.Context, text string, args ...any) (sql.Result, error) {
	if p.stmt == nil || text != p.text {
		if err := p.close(); err != nil {
			return nil, err
		}
		stmt, err := p.conn.PrepareContext(ctx, text)
		if err != nil {
			return nil, err
		}
		p.stmt, p.text = stmt, text
	}
	return p.stmt.ExecContext(ctx, args...)
}

func (p *prepared) close() error {
	if p.stmt == nil {
		return nil
	}
	stmt := p.stmt
	p.stmt = nil
	return stmt.Close()
}

func (r *Repository) insert(ctx context.Context, run execute, events []event.Event, again bool) error {
	values := valuesPool.Get().(*[]any)
	defer func() {
		clear(*values)
		*values = (*values)[:0]
		valuesPool.Put(values)
	}()
	for i := range events {
		if err := r.bind(values, &events[i]); err != nil {
			return err
		}
	}
	shape := r.dialect.shapeOf(*values)
	shape.again = again
	text := connpool.Deferrable(ctx, r.inserts.text(r.dialect, shape))
	_, err := run(ctx, text, r.dialect.arguments(shape, *values)...)
	return err
}

// valuesPool lends the memory for the values of rows.
var valuesPool = sync.Pool{New: func() any { return new([]any) }}

// chunks cuts the events into those of one INSERT each.
func (d dialect) chunks(events []event.Event) iter.Seq[[]event.Event] {
	return connpool.Chunks(events, d.chunk, func(e *event.Event) int { return len(e.Result) + len(e.Payload) })
}

// takesOne reports whether one INSERT stores all of them.
func (d dialect) takesOne(events []event.Event) bool {
	for chunk := range d.chunks(events) {
		return len(chunk) == len(events)
	}
	return true
}

// bind appends the values of the event in the order of columnNames.
func (r *Repository) bind(args *[]any, e *event.Event) error {
	var overflow map[string]string
	for i := range textColumns {
		column := &textColumns[i]
		value := *column.field(e)
		if value == "" {
			*args = append(*args, "")
			continue
		}
		stored, overflows := encode(value)
		if overflows {
			if overflow == nil {
				overflow = map[string]string{}
			}
			overflow[column.name] = value
		}
		*args = append(*args, boxed(stored))
	}
	meta, err := object(e.Meta)
	if err != nil {
		return err
	}
	whole, err := object(overflow)
	if err != nil {
		return err
	}
	*args = append(*args,
		r.dialect.bindTime(e.Timestamp), document(e.Result), document(e.Payload), meta,
		int64(e.SchemaVersion), e.BeforeUnknown, whole)
	return nil
}

// boxed returns the text as an argument. The words that most events share cost
// no allocation: constants are boxed when the program is compiled.
func boxed(text string) any {
	switch text {
	case event.CategoryModel:
		return event.CategoryModel
	case event.CategoryAction:
		return event.CategoryAction
	case event.ActionCreated:
		return event.ActionCreated
	case event.ActionChanged:
		return event.ActionChanged
	case event.ActionDeleted:
		return event.ActionDeleted
	case string(event.OutcomeSuccess):
		return string(event.OutcomeSuccess)
	}
	return text
}

// document returns JSON as text, which no driver mistakes for binary data.
func document(raw json.RawMessage) any {
	if len(raw) == 0 {
		return nil
	}
	return string(raw)
}

func object(values map[string]string) (any, error) {
	if values == nil {
		return nil, nil
	}
	raw, err := json.Marshal(values)
	return string(raw), err
}
