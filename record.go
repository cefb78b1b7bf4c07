package eventaudit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/hooks"
	"github.com/eventaudit/eventaudit/internal/connpool"
)

// Record adds events of the app's own to the trail: all of them or none. What
// the context says of actor, request and so on fills the fields left empty,
// the rules (ignore, skip) and redaction apply. It commits at once; use In to
// tie events to a transaction.
//
// The error wraps event.ErrInvalid when an event breaks a rule, with one
// *event.FieldError for each, and event.ErrReasonRequired when one of them is a
// success that RequireReason names; nothing is stored then.
func (a *Auditor) Record(ctx context.Context, events ...event.Event) error {
	return a.record(ctx, nil, events)
}

// In returns a Recorder that adds events within the transaction tx: they
// commit or roll back with it, and carry its TransactionID. An action that it
// records (see package actions) is part of tx, too, unless it fails.
func (a *Auditor) In(tx *gorm.DB) event.Recorder { return within{a, tx} }

type within struct {
	auditor *Auditor
	tx      *gorm.DB
}

func (w within) Record(ctx context.Context, events ...event.Event) error {
	return w.auditor.record(ctx, w.tx.Statement.ConnPool, events)
}

func (a *Auditor) record(ctx context.Context, conn gorm.ConnPool, events []event.Event) error {
	t, err := a.installed()
	if err != nil {
		return err
	}
	if event.AuditDisabled(ctx) {
		return nil
	}
	ready, err := t.prepare(ctx, conn, events)
	if err != nil {
		return err
	}
	_, err = t.store(ctx, conn, ready, t.inbox.Insert)
	return err
}

// prepare returns the events as they are stored through conn: complete, valid
// and masked.
func (t *trail) prepare(ctx context.Context, conn gorm.ConnPool, events []event.Event) ([]event.Event, error) {
	id := t.transactionID(conn)
	ready := make([]event.Event, len(events))
	var problems []error
	for i, e := range events {
		fill(ctx, &e)
		if e.TransactionID == "" {
			e.TransactionID = id
		}
		e.Complete(time.Now())
		if err := errors.Join(event.Validate(e), t.rules.reasoned(e)); err != nil {
			problems = append(problems, fmt.Errorf("event %d of %d: %w", i+1, len(events), err))
		}
		e.Payload, e.Result = t.rules.mask.JSON(e.Payload), t.rules.mask.JSON(e.Result)
		ready[i] = e
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("eventaudit: %w", err)
	}
	return ready, nil
}

// transactionID names the transaction behind conn; empty when it is none.
func (t *trail) transactionID(conn gorm.ConnPool) string {
	if conn == nil || connpool.Begins(connpool.Unwrap(conn)) {
		return ""
	}
	return t.transactions.ID(conn)
}

// fill completes the event from the context. Nobody is somebody: an empty
// actor would hide from filters.
func fill(ctx context.Context, e *event.Event) {
	e.FillFrom(ctx)
	if e.Actor == "" {
		e.Actor = event.ActorSystem
	}
}

// captured is the recorder of the GORM side. Its events are complete, valid
// and masked, and come with the connection of their change.
type captured struct{ *trail }

func (c captured) Record(ctx context.Context, events ...event.Event) error {
	conn, ok := hooks.Conn(ctx)
	if !ok {
		return errors.New("eventaudit: a captured event came without its connection")
	}
	for i := range events {
		fill(ctx, &events[i])
	}
	ids, err := c.store(ctx, conn, events, c.inbox.InsertNew)
	if err != nil {
		return &LostError{EventIDs: ids, Err: err}
	}
	return nil
}

// store inserts the events that the rules let pass, in the transaction of conn
// where there is one. With an error it returns the ids of these.
func (t *trail) store(ctx context.Context, conn gorm.ConnPool, events []event.Event, insert func(context.Context, gorm.ConnPool, []event.Event) error) (unstored []string, err error) {
	kept := t.kept(ctx, events)
	if len(kept) == 0 {
		return nil, nil
	}
	if err = insert(ctx, conn, kept); err != nil {
		for _, e := range kept {
			unstored = append(unstored, e.ID)
		}
	}
	return unstored, err
}

// kept applies the rules to each event by itself. What it returns is in the
// memory of what it got.
func (t *trail) kept(ctx context.Context, events []event.Event) []event.Event {
	kept := events[:0]
	for _, e := range events {
		if !t.rules.keeps(ctx, e) {
			continue
		}
		if !t.config.StorePayloadAndResult {
			e.Payload, e.Result = nil, nil
		}
		kept = append(kept, e)
	}
	return kept
}
