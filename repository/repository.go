// Package repository is the contract between eventaudit and the place where
// events end up: an interface of two methods, optional powers, and a registry
// of names.
//
// A custom repository implements Repository, registers itself with Register
// and proves itself with repositorytest.Run. The powers it also has (get by
// id, count, remove, ping) are one-method interfaces, reached through the
// functions of this package, which fall back to Find or answer with an error
// that wraps errors.ErrUnsupported.
package repository

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/eventaudit/eventaudit/event"
)

// Repository stores events and finds them again. Implementations are safe for
// concurrent use.
type Repository interface {
	// Write stores the events, all or none where the store can. An event
	// whose ID is stored already is passed over: the first one stays, so that
	// a delivery may be repeated. Invalid events are refused before anything
	// is written, with an error that wraps event.ErrInvalid; Prepare does
	// that part.
	Write(ctx context.Context, events ...event.Event) error
	// Find yields the events that the filter asks for, in its order, without
	// holding all of them in memory. It ends after the first error, which is
	// yielded with a zero event. A filter that does not validate yields its
	// error and reads nothing. The sequence may be ranged over again.
	Find(ctx context.Context, f event.Filter) iter.Seq2[event.Event, error]
}

// Errors that callers may test for.
var (
	// ErrNotFound says that no event has the ID.
	ErrNotFound = errors.New("event not found")
	// ErrUnboundedRemove says that a removal named no limits. RemoveAll is
	// the word for removing everything.
	ErrUnboundedRemove = errors.New("repository: remove without a filter refused; use RemoveAll to remove every event")
	// ErrUnknown says that no repository of that name is registered.
	ErrUnknown = errors.New("unknown repository")
	// ErrRestricted says that the settings do not allow that repository.
	ErrRestricted = errors.New("repository not allowed")
)

// Prepare returns the events as they are to be stored: copies, completed (ID,
// timestamp, outcome, version) and validated. Every Repository calls it first
// in Write. The error joins one error per invalid event, which says its place
// in the call.
//
// An event with an ID and a timestamp is not new but comes from a repository;
// it keeps its version, also when that is 0, an ancestor's. What is recorded
// gets its version from the recorder.
func Prepare(events []event.Event) ([]event.Event, error) {
	now := time.Now()
	ready := make([]event.Event, len(events))
	var problems []error
	for i, e := range events {
		version, stored := e.SchemaVersion, e.ID != "" && !e.Timestamp.IsZero()
		e.Complete(now)
		if stored {
			e.SchemaVersion = version
		}
		if err := event.Validate(e); err != nil {
			problems = append(problems, fmt.Errorf("event %d of %d: %w", i+1, len(events), err))
		}
		ready[i] = e
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return ready, nil
}

// Page puts the events that match a filter in its order, in place, and cuts
// out those that its Offset and Limit ask for. It is for repositories that
// find the matching events by looking at all of them.
func Page(matching []event.Event, f event.Filter) []event.Event {
	slices.SortFunc(matching, event.Compare)
	if f.Order == event.NewestFirst {
		slices.Reverse(matching)
	}
	matching = matching[min(f.Offset, len(matching)):]
	if f.Limit > 0 {
		matching = matching[:min(f.Limit, len(matching))]
	}
	return matching
}

// Failed returns a sequence that yields only the error.
func Failed(err error) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) { yield(event.Event{}, err) }
}
