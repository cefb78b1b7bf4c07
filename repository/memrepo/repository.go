// Package memrepo keeps events in memory: for tests, for examples, and as the
// reference that shows what every other repository must do. It has all the
// optional powers.
//
//	repo := memrepo.New(nil)
//	err := db.Use(eventaudit.Plugin(eventaudit.WithRepository(repo)))
//
// Importing it registers the name "memory"; every opening of that name yields
// an empty repository of its own.
//
// # Guarantees
//
// Write stores all of the events or none. Find reads from a snapshot, so that
// its caller may write and remove while ranging.
//
// # Limits
//
// Nothing outlives the process, and nothing is ever dropped to make room. A
// Find looks at every event and holds the ones that match.
package memrepo

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
)

func init() {
	repository.Register("memory", func(context.Context, repository.Settings) (repository.Repository, error) {
		return New(nil), nil
	})
}

// Options are the settings of a Repository. There are none so far.
type Options struct{}

// Repository keeps events in memory. It is safe for concurrent use.
type Repository struct {
	mutex    sync.RWMutex
	events   map[string]event.Event // by ID
	sequence int64                  // the highest one stored
}

var (
	_ repository.Repository    = (*Repository)(nil)
	_ repository.Getter        = (*Repository)(nil)
	_ repository.Counter       = (*Repository)(nil)
	_ repository.Histogrammer  = (*Repository)(nil)
	_ repository.Remover       = (*Repository)(nil)
	_ repository.FilterRemover = (*Repository)(nil)
	_ repository.AllRemover    = (*Repository)(nil)
	_ repository.Pinger        = (*Repository)(nil)
)

// New returns an empty repository. Nil options are fine.
func New(_ *Options) *Repository {
	return &Repository{events: map[string]event.Event{}}
}

// Write implements [repository.Repository]. A Sequence that is set is kept,
// otherwise the next one is assigned.
func (r *Repository) Write(ctx context.Context, events ...event.Event) error {
	ready, err := repository.Prepare(events)
	if err != nil {
		return err
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, e := range ready {
		if _, stored := r.events[e.ID]; stored {
			continue
		}
		if e.Sequence == 0 {
			e.Sequence = r.sequence + 1
		}
		r.sequence = max(r.sequence, e.Sequence)
		r.events[e.ID] = clone(e)
	}
	return nil
}

// Find implements [repository.Repository].
func (r *Repository) Find(ctx context.Context, f event.Filter) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		if err := errors.Join(f.Validate(), ctx.Err()); err != nil {
			yield(event.Event{}, err)
			return
		}
		for _, e := range repository.Page(r.matching(f), f) {
			if err := ctx.Err(); err != nil {
				yield(event.Event{}, err)
				return
			}
			if !yield(clone(e), nil) {
				return
			}
		}
	}
}

// matching returns the events that the filter matches, in no order.
func (r *Repository) matching(f event.Filter) []event.Event {
	r.mutex.RLock()
	defer r.mutex.RUnlock()
	var found []event.Event
	for _, e := range r.events {
		if f.Match(e) {
			found = append(found, e)
		}
	}
	return found
}

// Get implements [repository.Getter].
func (r *Repository) Get(ctx context.Context, id string) (event.Event, error) {
	if err := ctx.Err(); err != nil {
		return event.Event{}, err
	}
	r.mutex.RLock()
	defer r.mutex.RUnlock()
	e, stored := r.events[id]
	if !stored {
		return event.Event{}, notFound("get", id)
	}
	return clone(e), nil
}

// Count implements [repository.Counter].
func (r *Repository) Count(ctx context.Context, f event.Filter) (int64, error) {
	if err := errors.Join(f.Validate(), ctx.Err()); err != nil {
		return 0, err
	}
	return int64(len(r.matching(f))), nil
}

// Histogram implements [repository.Histogrammer]. It counts.
func (r *Repository) Histogram(ctx context.Context, f event.Filter, spans []repository.Span, _ int) ([]repository.Slice, error) {
	return repository.Tally(func(yield func(event.Event, error) bool) {
		for _, e := range r.matching(f) {
			if !yield(e, ctx.Err()) {
				return
			}
		}
	}, spans, nil)
}

// Remove implements [repository.Remover].
func (r *Repository) Remove(ctx context.Context, id string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if _, stored := r.events[id]; !stored {
		return notFound("remove", id)
	}
	delete(r.events, id)
	return nil
}

// RemoveMatching implements [repository.FilterRemover].
func (r *Repository) RemoveMatching(ctx context.Context, f event.Filter) (int64, error) {
	if err := errors.Join(repository.Removable(f), ctx.Err()); err != nil {
		return 0, err
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	before := len(r.events)
	maps.DeleteFunc(r.events, func(_ string, e event.Event) bool { return f.Match(e) })
	return int64(before - len(r.events)), nil
}

// RemoveAll implements [repository.AllRemover]. The sequence goes on where it
// was.
func (r *Repository) RemoveAll(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	clear(r.events)
	return nil
}

// Ping implements [repository.Pinger].
func (r *Repository) Ping(ctx context.Context) error { return ctx.Err() }

// clone keeps the stored event apart from the caller's.
func clone(e event.Event) event.Event {
	e.Result = slices.Clone(e.Result)
	e.Payload = slices.Clone(e.Payload)
	e.Meta = maps.Clone(e.Meta)
	return e
}

func notFound(what, id string) error {
	return fmt.Errorf("memrepo: %s %q: %w", what, id, repository.ErrNotFound)
}
