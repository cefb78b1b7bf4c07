package sqlrepo

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

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
	if len(events) <= r.dialect.chunk || !connpool.Begins(r.pool) {
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
	if len(events) > 1 {
		conn = connpool.Unwrap(conn)
	}
	for chunk := range slices.Chunk(events, r.dialect.chunk) {
		if err := r.insert(ctx, conn, chunk); err != nil {
			return fmt.Errorf("sqlrepo: write %d events: %w", len(events), err)
		}
	}
	return nil
}

func (r *Repository) insert(ctx context.Context, conn gorm.ConnPool, events []event.Event) error {
	args := argsPool.Get().(*[]any)
	defer func() {
		clear(*args)
		*args = (*args)[:0]
		argsPool.Put(args)
	}()
	for i := range events {
		if err := r.bind(args, &events[i]); err != nil {
			return err
		}
	}
	_, err := conn.ExecContext(ctx, connpool.Deferrable(ctx, r.inserts.text(r.dialect, len(events))), *args...)
	return err
}

// argsPool lends the argument lists of inserts. Drivers get a copy of each.
var argsPool = sync.Pool{New: func() any { return new([]any) }}

// bind appends the values of the event in the order of columnNames.
func (r *Repository) bind(args *[]any, e *event.Event) error {
	var overflow map[string]string
	for i := range textColumns {
		column := &textColumns[i]
		value := *column.field(e)
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

// maxChunk is the largest chunk of all dialects.
const maxChunk = 100

// inserts holds the text of the INSERT for each number of rows.
type inserts struct {
	prefix string
	texts  [maxChunk + 1]atomic.Pointer[string]
}

func (i *inserts) text(d dialect, rows int) string {
	if text := i.texts[rows].Load(); text != nil {
		return *text
	}
	text := i.build(d, rows)
	i.texts[rows].Store(&text)
	return text
}

func (i *inserts) build(d dialect, rows int) string {
	var text strings.Builder
	text.WriteString(i.prefix)
	for n := range rows * written {
		switch {
		case n == 0:
			text.WriteString("(")
		case n%written == 0:
			text.WriteString("),(")
		default:
			text.WriteString(",")
		}
		text.WriteString(d.placeholder(n + 1))
	}
	text.WriteString(")" + d.passOver)
	return text.String()
}

func insertPrefix(d dialect, table string) string {
	names := columnNames()
	for i, name := range names {
		names[i] = d.quoted(name)
	}
	return connpool.Deferred + "INSERT INTO " + d.quoted(table) + " (" + strings.Join(names, ",") + ") VALUES "
}
