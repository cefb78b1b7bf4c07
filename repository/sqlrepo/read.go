package sqlrepo

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
)

// Find yields the events that the filter asks for, row by row as the database
// sends them. It holds a connection until the loop ends. See
// repository.Repository.
func (r *Repository) Find(ctx context.Context, f event.Filter) iter.Seq2[event.Event, error] {
	if err := f.Validate(); err != nil {
		return repository.Failed(err)
	}
	s, ok := r.list(f)
	if !ok {
		return func(func(event.Event, error) bool) {}
	}
	return r.read(ctx, s, f.Limit == 0)
}

// History yields the events of one record in the order in which the database
// took them, whatever the clocks of the writers said.
func (r *Repository) History(ctx context.Context, object, objectID string) iter.Seq2[event.Event, error] {
	s := r.selectRows()
	for _, field := range []event.Field{{Name: "action_object", Value: object}, {Name: "action_object_id", Value: objectID}} {
		stored, _ := encode(field.Value)
		s.and(r.dialect.quoted(field.Name), " = ", s.mark(stored))
	}
	s.add(" ORDER BY ", r.dialect.quoted(sequence))
	return r.read(ctx, s, true)
}

// Get returns the event, or an error that wraps repository.ErrNotFound.
func (r *Repository) Get(ctx context.Context, id string) (event.Event, error) {
	if id != "" {
		for e, err := range r.Find(ctx, event.Filter{ID: id, Limit: 1}) {
			return e, err
		}
	}
	return event.Event{}, fmt.Errorf("sqlrepo: get %q: %w", id, repository.ErrNotFound)
}

// Count returns how many events the filter matches; Limit, Offset and Order
// are ignored, except that Order says on which side of After to count.
func (r *Repository) Count(ctx context.Context, f event.Filter) (int64, error) {
	if err := f.Validate(); err != nil {
		return 0, err
	}
	s := &statement{dialect: r.dialect}
	s.add("SELECT count(*) FROM ", r.table)
	if !s.matching(f) {
		return 0, nil
	}
	var n int64
	if err := r.pool.QueryRowContext(ctx, s.text.String(), s.args...).Scan(&n); err != nil {
		return 0, failed(ctx, "count", err)
	}
	return n, nil
}

// list returns the SELECT that the filter asks for, or false when no row can
// match it.
func (r *Repository) list(f event.Filter) (*statement, bool) {
	s := r.selectRows()
	if !s.matching(f) {
		return nil, false
	}
	s.orderBy(f)
	switch {
	case f.Limit > 0:
		s.add(" LIMIT ", strconv.Itoa(f.Limit))
	case f.Offset > 0:
		s.add(" LIMIT ", r.dialect.noLimit)
	}
	if f.Offset > 0 {
		s.add(" OFFSET ", strconv.Itoa(f.Offset))
	}
	return s, true
}

func (r *Repository) selectRows() *statement {
	s := &statement{dialect: r.dialect}
	s.add("SELECT ", strings.Join(r.dialect.selected(), ","), " FROM ", r.table)
	return s
}

// read runs the SELECT and yields its rows.
func (r *Repository) read(ctx context.Context, s *statement, unbounded bool) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		reading, cancel := context.WithCancel(ctx)
		defer cancel()
		rows, err := r.pool.QueryContext(reading, s.text.String(), s.args...)
		if err != nil {
			yield(event.Event{}, failed(ctx, "find", err))
			return
		}
		defer rows.Close()
		for ctx.Err() == nil && rows.Next() {
			e, err := r.scan(rows)
			if err != nil {
				yield(event.Event{}, failed(ctx, "find", err))
				return
			}
			if !yield(e, nil) {
				if unbounded && !r.inTransaction() {
					// Closing the rows would read the rest of the table.
					cancel()
				}
				return
			}
		}
		if err := firstOf(ctx.Err(), rows.Err()); err != nil {
			yield(event.Event{}, failed(ctx, "find", err))
		}
	}
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *Repository) inTransaction() bool {
	_, ok := r.pool.(gorm.TxCommitter)
	return ok
}

// failed names what was done. When the context ended, that is the error:
// drivers report it in words of their own.
func failed(ctx context.Context, what string, err error) error {
	if ended := ctx.Err(); ended != nil {
		err = ended
	}
	return fmt.Errorf("sqlrepo: %s: %w", what, err)
}

// scan reads the row that rows stands on, with the columns of selected.
func (r *Repository) scan(rows *sql.Rows) (event.Event, error) {
	var e event.Event
	var text string
	var result, payload, meta, overflow sql.NullString
	into := make([]any, 0, written+1)
	if r.dialect.packs == apart {
		for i := range textColumns {
			into = append(into, textColumns[i].field(&e))
		}
	} else {
		into = append(into, &text)
	}
	if r.dialect.packs != shorts {
		into = append(into, timestamp{&e.Timestamp}, &e.SchemaVersion, &e.BeforeUnknown)
	}
	if err := rows.Scan(append(into, &result, &payload, &meta, &overflow, &e.Sequence)...); err != nil {
		return event.Event{}, err
	}
	if err := r.dialect.unpack(text, &e); err != nil {
		return event.Event{}, err
	}
	return e, complete(&e, result, payload, meta, overflow)
}

// complete adds the documents to an event, and what was too long for its
// column.
func complete(e *event.Event, result, payload, meta, overflow sql.NullString) error {
	if result.Valid {
		e.Result = json.RawMessage(result.String)
	}
	if payload.Valid {
		e.Payload = json.RawMessage(payload.String)
	}
	if meta.Valid {
		if err := json.Unmarshal([]byte(meta.String), &e.Meta); err != nil {
			return fmt.Errorf("event %q: meta: %w", e.ID, err)
		}
	}
	if overflow.Valid {
		return restore(e, overflow.String)
	}
	return nil
}

// restore puts the values back that were too long for their columns.
func restore(e *event.Event, overflow string) error {
	var values map[string]string
	if err := json.Unmarshal([]byte(overflow), &values); err != nil {
		return fmt.Errorf("event %q: overflow: %w", e.ID, err)
	}
	for _, column := range textColumns {
		if value, ok := values[column.name]; ok {
			*column.field(e) = value
		}
	}
	return nil
}
