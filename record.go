package eventaudit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/hooks"
)

// Record adds events of the app's own to the trail: all of them or none. What
// the context says of actor, request and so on fills the fields left empty,
// the rules (ignore, skip) and redaction apply. It commits at once; use In to
// tie events to a transaction.
//
// The error wraps event.ErrInvalid when an event breaks a rule, with one
// *event.FieldError for each; nothing is stored then.
func (a *Auditor) Record(ctx context.Context, events ...event.Event) error {
	return a.record(ctx, nil, events)
}

// In returns a Recorder that adds events within the transaction tx: they
// commit or roll back with it.
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
	ready := make([]event.Event, len(events))
	var problems []error
	for i, e := range events {
		e.FillFrom(ctx)
		e.Complete(time.Now())
		if err := event.Validate(e); err != nil {
			problems = append(problems, fmt.Errorf("event %d of %d: %w", i+1, len(events), err))
		}
		e.Payload, e.Result = t.rules.mask.JSON(e.Payload), t.rules.mask.JSON(e.Result)
		ready[i] = e
	}
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("eventaudit: %w", err)
	}
	_, err = t.store(ctx, conn, ready)
	return err
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
		events[i].FillFrom(ctx)
	}
	ids, err := c.store(ctx, conn, events)
	if err != nil {
		return &LostError{EventIDs: ids, Err: err}
	}
	return nil
}

// store applies the rules to each event by itself and writes those that pass,
// in the transaction of conn where there is one. With an error it returns the
// ids of these.
func (t *trail) store(ctx context.Context, conn gorm.ConnPool, events []event.Event) (unstored []string, err error) {
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
	if len(kept) == 0 {
		return nil, nil
	}
	if err = t.inbox.Insert(ctx, conn, kept); err != nil {
		for _, e := range kept {
			unstored = append(unstored, e.ID)
		}
	}
	return unstored, err
}
