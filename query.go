package eventaudit

import (
	"context"
	"iter"
	"reflect"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/hooks"
	"github.com/eventaudit/eventaudit/repository"
)

// Events returns the events that the filter asks for. They are all held in
// memory; use All for long lists. The error wraps event.ErrInvalid when the
// filter breaks a rule.
func (a *Auditor) Events(ctx context.Context, f event.Filter) ([]event.Event, error) {
	var events []event.Event
	for e, err := range a.All(ctx, f) {
		if err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	return events, nil
}

// All yields the events that the filter asks for, one by one. It ends after
// the first error, which comes with a zero event.
func (a *Auditor) All(ctx context.Context, f event.Filter) iter.Seq2[event.Event, error] {
	t, err := a.installed()
	if err != nil {
		return repository.Failed(err)
	}
	return t.repository.Find(ctx, f)
}

// Reader returns what reads rows of the app in the form that events have them.
// Package history stands on it; apps ask package history. The error is
// ErrNotInstalled before db.Use.
func (a *Auditor) Reader() (*hooks.Reader, error) {
	t, err := a.installed()
	if err != nil {
		return nil, err
	}
	return t.reader, nil
}

// Model returns a pointer to a new value of the model whose events have that
// ActionObject, if this process has written one through GORM.
func (a *Auditor) Model(object string) (any, bool) {
	t, err := a.installed()
	if err != nil {
		return nil, false
	}
	model, ok := t.models.Load(object)
	if !ok {
		return nil, false
	}
	return reflect.New(model.(reflect.Type)).Interface(), true
}
