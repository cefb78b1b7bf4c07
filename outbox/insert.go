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

// insertChunk is how many rows one INSERT takes at most.
const insertChunk = 100

// Insert puts events that are complete and valid into the outbox, through a
// connection or transaction of the caller; they are on their way when it
// commits, and never were when it rolls back. It begins no transaction: many
// events take several statements, so that all or none is up to the caller.
// With a nil connection the events are committed at once, all or none, and the
// relay is woken.
//
// Every statement begins with the comment /*audit:defer*/, returns no rows,
// and its row count is never looked at: a connector may hold it back and send
// it together with the next statement or the commit.
func (o *Outbox) Insert(ctx context.Context, conn gorm.ConnPool, events []event.Event) error {
	if conn != nil {
		return o.insert(ctx, conn, events)
	}
	if err := o.insertAtOnce(ctx, events); err != nil {
		return err
	}
	o.Wake()
	return nil
}

func (o *Outbox) insertAtOnce(ctx context.Context, events []event.Event) error {
	if len(events) <= insertChunk {
		return o.insert(ctx, o.queue.pool, events)
	}
	return o.queue.atomically(ctx, func(tx gorm.ConnPool) error {
		return o.insert(ctx, tx, events)
	})
}

func (o *Outbox) insert(ctx context.Context, conn gorm.ConnPool, events []event.Event) error {
	if len(events) > 1 {
		conn = connpool.Unwrap(conn)
	}
	for chunk := range slices.Chunk(events, insertChunk) {
		if err := o.queue.insert(ctx, conn, chunk); err != nil {
			return fmt.Errorf("outbox: insert %d events: %w", len(events), err)
		}
	}
	return nil
}

func (q queue) insert(ctx context.Context, conn gorm.ConnPool, events []event.Event) error {
	args := make([]any, 0, 4*len(events))
	for _, e := range events {
		object, payload, result, err := encode(e)
		if err != nil {
			return fmt.Errorf("event %s: %w", e.ID, err)
		}
		args = append(args, escape(e.ID), object, payload, result)
	}
	rows := strings.Repeat(",(?,?,?,?,{now})", len(events))[1:]
	return q.execute(ctx, conn, connpool.Deferrable(ctx, connpool.Deferred+"INSERT INTO ")+Table+" (event_id,event,payload,result,created_at) VALUES "+rows, args...)
}
