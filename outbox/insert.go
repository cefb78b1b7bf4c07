package outbox

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/connpool"
)

// insertChunk is how many rows one INSERT takes at most. Large events are fewer.
const insertChunk = 100

// Insert puts events that are complete and valid into the outbox, through a
// connection or transaction of the caller; they are on their way when it
// commits, and never were when it rolls back. It begins no transaction: events
// that are many or large take several statements, so that all or none is up to
// the caller. With a nil connection the events are committed at once, all or
// none, and the relay is woken.
//
// Every statement begins with the comment /*audit:defer*/, returns no rows,
// and its row count is never looked at: a connector may hold it back and send
// it together with the next statement or the commit.
func (o *Outbox) Insert(ctx context.Context, conn gorm.ConnPool, events []event.Event) error {
	if err := o.queue.insertAll(ctx, conn, events); err != nil {
		return fmt.Errorf("outbox: insert %d events: %w", len(events), err)
	}
	if conn == nil {
		o.Wake()
	}
	return nil
}

// insertAll inserts the events, with a nil connection all or none.
func (q queue) insertAll(ctx context.Context, conn gorm.ConnPool, events []event.Event) error {
	rows := make([]encoded, len(events))
	for i := range events {
		var err error
		if rows[i], err = encode(&events[i]); err != nil {
			return err
		}
	}
	if len(events) > 1 {
		conn = connpool.Unwrap(conn)
	}
	chunks := slices.Collect(connpool.Chunks(rows, insertChunk, (*encoded).bytes))
	switch {
	case conn != nil:
		return q.insertChunks(ctx, conn, chunks)
	case len(chunks) <= 1:
		return q.insertChunks(ctx, q.pool, chunks)
	}
	return q.atomically(ctx, func(tx gorm.ConnPool) error {
		return q.insertChunks(ctx, tx, chunks)
	})
}

func (q queue) insertChunks(ctx context.Context, conn gorm.ConnPool, chunks [][]encoded) error {
	for _, chunk := range chunks {
		if err := q.insert(ctx, conn, chunk); err != nil {
			return err
		}
	}
	return nil
}

func (q queue) insert(ctx context.Context, conn gorm.ConnPool, rows []encoded) error {
	args := make([]any, 0, 4*len(rows))
	for i := range rows {
		args = append(args, rows[i].values()...)
	}
	values := strings.Repeat(",(?,?,?,?,{now})", len(rows))[1:]
	return q.execute(ctx, conn, connpool.Deferrable(ctx, connpool.Deferred+"INSERT INTO ")+Table+" (event_id,event,payload,result,created_at) VALUES "+values, args...)
}
