package cloudwatchrepo

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/google/uuid"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
)

// Find implements [repository.Repository]. It reads page by page as the loop
// goes on. A filter with an ID reads around the time in it, when it is a
// UUIDv7; others read the time that the filter leaves.
func (r *Repository) Find(ctx context.Context, f event.Filter) iter.Seq2[event.Event, error] {
	if err := f.Validate(); err != nil {
		return repository.Failed(err)
	}
	return func(yield func(event.Event, error) bool) {
		left, over := f.Limit, f.Offset
		for rec, err := range r.matching(ctx, f) {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(event.Event{}, r.failed(ctx, "find", err))
				return
			}
			if over > 0 {
				over--
				continue
			}
			if left--; !yield(rec.event, nil) || left == 0 {
				return
			}
		}
	}
}

func (r *Repository) matching(ctx context.Context, f event.Filter) iter.Seq2[record, error] {
	if f.ID == "" {
		return r.list(ctx, f)
	}
	return func(yield func(record, error) bool) {
		rec, found, err := r.byID(ctx, f.ID)
		if err != nil || found && f.Match(rec.event) {
			yield(rec, err)
		}
	}
}

// Get implements [repository.Getter].
func (r *Repository) Get(ctx context.Context, id string) (event.Event, error) {
	if id != "" {
		rec, found, err := r.byID(ctx, id)
		if err != nil {
			return event.Event{}, r.failed(ctx, "get", err)
		}
		if found {
			return rec.event, nil
		}
	}
	return event.Event{}, fmt.Errorf("cloudwatchrepo: get %q: %w", id, repository.ErrNotFound)
}

// byID returns the event with the ID; if there are several, the one that came
// first.
func (r *Repository) byID(ctx context.Context, id string) (record, bool, error) {
	likely, all := r.spansOfID(id)
	rec, found, err := r.firstOf(ctx, id, likely)
	if err != nil || found {
		return rec, found, err
	}
	return r.firstOf(ctx, id, all)
}

func (r *Repository) firstOf(ctx context.Context, id string, spans []span) (first record, found bool, err error) {
	for _, span := range spans {
		for rec, err := range r.read(ctx, request{span: span, fields: []event.Field{{Name: "id", Value: id}}}) {
			if err != nil {
				return record{}, false, err
			}
			if rec.event.ID == id && (!found || rec.cameBefore(first)) {
				first, found = rec, true
			}
		}
	}
	return first, found, ctx.Err()
}

// timeOf returns when the ID was made, if it is a UUIDv7 (RFC 9562): its first
// 48 bits are milliseconds.
func timeOf(id string) (time.Time, bool) {
	u, err := uuid.Parse(id)
	if err != nil || u.Version() != 7 || len(id) != len(uuid.Nil.String()) {
		return time.Time{}, false
	}
	var ms int64
	for _, b := range u[:6] {
		ms = ms<<8 | int64(b)
	}
	return time.UnixMilli(ms), true
}
