package hooks

import (
	"context"
	"database/sql"
	"time"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
)

// recording is a connection that adds events behind the statement, within its
// transaction.
type recording struct {
	gorm.ConnPool
	*capturer
	db     *gorm.DB
	parsed script
	found  []bypass
}

// uncounted stands for a number of rows that is not known.
const uncounted = -1

func (r *recording) ExecContext(ctx context.Context, query string, args ...any) (result sql.Result, err error) {
	err = r.run(ctx, func(conn gorm.ConnPool) (affected int64, err error) {
		if result, err = conn.ExecContext(ctx, query, args...); err != nil || !r.parsed.counted {
			return uncounted, err
		}
		if affected, err = result.RowsAffected(); err != nil {
			affected = uncounted // the driver does not count
		}
		return affected, nil
	})
	return result, err
}

func (r *recording) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	rows, err := r.fetch(ctx, query, args)
	if err != nil {
		return nil, err
	}
	return r.replayer.rows(rows)
}

func (r *recording) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return r.replayer.row(r.fetch(ctx, query, args))
}

// fetch runs a statement to its end. The rows of a RETURNING are the changed
// ones; without columns there is none.
func (r *recording) fetch(ctx context.Context, query string, args []any) (rows *buffer, err error) {
	err = r.run(ctx, func(conn gorm.ConnPool) (int64, error) {
		rows, err = fetch(ctx, conn, query, args, reading{keep: true})
		if err != nil || !r.parsed.counted || len(rows.columns) == 0 {
			return uncounted, err
		}
		return int64(len(rows.values)), nil
	})
	return rows, err
}

// run runs the statement and records it, in one transaction unless the text
// has transactions of its own.
func (r *recording) run(ctx context.Context, statement func(gorm.ConnPool) (affected int64, err error)) (err error) {
	conn, end := r.ConnPool, func(error) error { return nil }
	if !r.parsed.transaction {
		if conn, end, err = r.begin(ctx, r.ConnPool); err != nil {
			return err
		}
	}
	problem := errPanicked
	defer func() {
		if ending := end(problem); err == nil {
			err = ending
		}
		if _, open := r.ConnPool.(gorm.TxCommitter); !open && err == nil && r.Committed != nil {
			r.Committed()
		}
	}()
	affected, err := statement(conn)
	if err == nil && affected != 0 {
		i := &interceptor{ConnPool: conn, capturer: r.capturer, db: r.db}
		err = i.record(context.WithoutCancel(ctx), r.events(conn, affected))
	}
	problem = err
	return err
}

// bypassed is the payload of the event. It has no part of the text, which may
// hold values.
type bypassed struct {
	Verb         string   `json:"verb"`
	Tables       []string `json:"tables"`
	RowsAffected *int64   `json:"rows_affected,omitempty"`
}

func (r *recording) events(conn gorm.ConnPool, affected int64) []event.Event {
	var events []event.Event
	id, now := r.Transactions.ID(conn), time.Now()
	for _, b := range r.found {
		payload := bypassed{Verb: b.verb, Tables: b.tables()}
		if affected != uncounted {
			payload.RowsAffected = &affected
		}
		for _, table := range payload.Tables {
			e := event.Event{
				Category: event.CategoryModel, Action: event.ActionBypassed,
				ActionObject: b.objects[table], Payload: event.JSON(payload), TransactionID: id,
			}
			e.Complete(now)
			events = append(events, e)
		}
	}
	return events
}
