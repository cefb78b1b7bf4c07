package repository

import (
	"context"
	"errors"
	"fmt"

	"github.com/eventaudit/eventaudit/event"
)

// Getter is a repository that finds one event by its ID faster than Find does.
type Getter interface {
	// Get returns the event, or an error that wraps ErrNotFound.
	Get(ctx context.Context, id string) (event.Event, error)
}

// Counter is a repository that counts without reading the events.
type Counter interface {
	// Count returns how many events the filter matches; Limit, Offset and
	// Order are ignored.
	Count(ctx context.Context, f event.Filter) (int64, error)
}

// Remover is a repository that can remove one event.
type Remover interface {
	// Remove removes the event, or returns an error that wraps ErrNotFound.
	Remove(ctx context.Context, id string) error
}

// FilterRemover is a repository that can remove all events a filter matches.
type FilterRemover interface {
	// RemoveMatching removes the events and returns how many there were. It
	// calls Removable first, so that no caller can get around that check.
	RemoveMatching(ctx context.Context, f event.Filter) (int64, error)
}

// AllRemover is a repository that can be emptied.
type AllRemover interface {
	// RemoveAll removes every event of this repository and nothing else.
	RemoveAll(ctx context.Context) error
}

// Pinger is a repository that can say whether it is reachable.
type Pinger interface {
	Ping(ctx context.Context) error
}

// Get returns the event with the ID. Without a Getter it asks Find. The error
// wraps ErrNotFound when there is none.
func Get(ctx context.Context, r Repository, id string) (event.Event, error) {
	if id == "" {
		return event.Event{}, &event.FieldError{Field: "id", Value: id, Reason: "is empty; say which event"}
	}
	if getter, ok := r.(Getter); ok {
		return getter.Get(ctx, id)
	}
	for e, err := range r.Find(ctx, event.Filter{ID: id, Limit: 1}) {
		return e, err
	}
	return event.Event{}, fmt.Errorf("repository: get %q: %w", id, ErrNotFound)
}

// Count returns how many events the filter matches; Limit, Offset and Order
// are ignored. Without a Counter it reads them all.
func Count(ctx context.Context, r Repository, f event.Filter) (int64, error) {
	if err := f.Validate(); err != nil {
		return 0, err
	}
	f.Limit, f.Offset = 0, 0
	if counter, ok := r.(Counter); ok {
		return counter.Count(ctx, f)
	}
	var n int64
	for _, err := range r.Find(ctx, f) {
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

// Remove removes the events that the filter matches and returns how many it
// removed, also beside an error. A filter that narrows nothing is refused with
// ErrUnboundedRemove, one with Limit, Offset or After with a
// *event.FieldError: which events would go must not depend on paging. A
// repository without FilterRemover is asked to remove the events one by one;
// one that cannot remove at all yields an error that wraps
// errors.ErrUnsupported.
func Remove(ctx context.Context, r Repository, f event.Filter) (int64, error) {
	if err := Removable(f); err != nil {
		return 0, err
	}
	if remover, ok := r.(FilterRemover); ok {
		return remover.RemoveMatching(ctx, f)
	}
	remover, ok := r.(Remover)
	if !ok {
		return 0, unsupported("remove from", r)
	}
	var ids []string
	for e, err := range r.Find(ctx, f) {
		if err != nil {
			return 0, err
		}
		ids = append(ids, e.ID)
	}
	var removed int64
	for _, id := range ids {
		switch err := remover.Remove(ctx, id); {
		case err == nil:
			removed++
		case !errors.Is(err, ErrNotFound): // else somebody was faster
			return removed, err
		}
	}
	return removed, nil
}

// Removable reports why the filter must not be used to remove events: it does
// not validate, it pages (a *event.FieldError), or it narrows nothing
// (ErrUnboundedRemove).
func Removable(f event.Filter) error {
	if err := f.Validate(); err != nil {
		return err
	}
	for _, paging := range []struct {
		field string
		set   bool
		value any
	}{
		{"limit", f.Limit != 0, f.Limit},
		{"offset", f.Offset != 0, f.Offset},
		{"after", f.After != "", string(f.After)},
	} {
		if paging.set {
			return &event.FieldError{Field: paging.field, Value: paging.value, Reason: "cannot be used to remove events; narrow by fields or time"}
		}
	}
	if f.IsZero() {
		return ErrUnboundedRemove
	}
	return nil
}

// RemoveAll removes every event. A repository that is no AllRemover yields an
// error that wraps errors.ErrUnsupported.
func RemoveAll(ctx context.Context, r Repository) error {
	if remover, ok := r.(AllRemover); ok {
		return remover.RemoveAll(ctx)
	}
	return unsupported("remove all from", r)
}

// Ping reports whether the repository is reachable. Without a Pinger it looks
// for one event.
func Ping(ctx context.Context, r Repository) error {
	if pinger, ok := r.(Pinger); ok {
		return pinger.Ping(ctx)
	}
	for _, err := range r.Find(ctx, event.Filter{Limit: 1}) {
		return err
	}
	return nil
}

func unsupported(what string, r Repository) error {
	return fmt.Errorf("repository: %s %T: %w", what, r, errors.ErrUnsupported)
}
