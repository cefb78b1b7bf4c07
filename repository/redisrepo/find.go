package redisrepo

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/redis/go-redis/v9"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
)

// Find implements [repository.Repository]. It reads in chunks as the loop goes
// on, and holds no connection between them. At an event that cannot be read it
// ends with an error that names it.
func (r *Repository) Find(ctx context.Context, f event.Filter) iter.Seq2[event.Event, error] {
	if err := f.Validate(); err != nil {
		return repository.Failed(err)
	}
	return func(yield func(event.Event, error) bool) {
		left := f.Limit
		over := f.Offset
		for row, err := range r.rows(ctx, f) {
			if err != nil {
				yield(event.Event{}, r.failed(ctx, "find", err))
				return
			}
			if over > 0 {
				over--
				continue
			}
			if left--; !yield(row.event, nil) || left == 0 {
				return
			}
		}
	}
}

// Get implements [repository.Getter].
func (r *Repository) Get(ctx context.Context, id string) (event.Event, error) {
	if id != "" {
		for row, err := range r.rows(ctx, event.Filter{ID: id}) {
			if err != nil {
				return event.Event{}, r.failed(ctx, "get", err)
			}
			return row.event, nil
		}
	}
	return event.Event{}, fmt.Errorf("redisrepo: get %q: %w", id, repository.ErrNotFound)
}

// Count implements [repository.Counter]. It reads no events where one index
// holds exactly those that the filter matches.
func (r *Repository) Count(ctx context.Context, f event.Filter) (int64, error) {
	if err := f.Validate(); err != nil {
		return 0, err
	}
	f.Limit, f.Offset = 0, 0
	if _, exact := candidates(f); exact {
		n, err := r.count(ctx, f)
		if err != nil {
			return 0, r.failed(ctx, "count", err)
		}
		return n, nil
	}
	var n int64
	for _, err := range r.rows(ctx, f) {
		if err != nil {
			return 0, r.failed(ctx, "count", err)
		}
		n++
	}
	return n, nil
}

// count adds up what the streams of the filter hold.
func (r *Repository) count(ctx context.Context, f event.Filter) (int64, error) {
	w, err := r.walk(ctx, f)
	if err != nil {
		return 0, err
	}
	keys := make([]string, len(w.streams))
	for i, stream := range w.streams {
		keys[i] = stream.key
	}
	counts, err := r.countRanges(ctx, keys, w.bounds)
	var n int64
	for _, count := range counts {
		n += count
	}
	return n, err
}

// rows yields the rows that the filter matches, in its order, without regard
// to Offset and Limit except that it reads no more than they need. A broken row
// may match, and comes with its error.
func (r *Repository) rows(ctx context.Context, f event.Filter) iter.Seq2[row, error] {
	if f.ID != "" {
		return r.rowsOf(ctx, f)
	}
	return func(yield func(row, error) bool) {
		w, err := r.walk(ctx, f)
		for err == nil {
			var page []row
			if page, err = w.next(ctx); len(page) == 0 {
				break
			}
			for _, row := range page {
				if err = ctx.Err(); err != nil {
					break
				}
				if (row.broken != nil || f.Match(row.event)) && !yield(row, row.broken) {
					return
				}
			}
		}
		if err != nil {
			yield(row{}, err)
		}
	}
}

// rowsOf yields the row of the filter's ID, if it matches.
func (r *Repository) rowsOf(ctx context.Context, f event.Filter) iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		found, err := r.stored(ctx, f.ID)
		if err != nil {
			yield(row{}, err)
		} else if found.body != "" && (found.broken != nil || f.Match(found.event)) {
			yield(found, found.broken)
		}
	}
}

// stored returns the row of that ID; it has no body when there is none.
func (r *Repository) stored(ctx context.Context, id string) (row, error) {
	if err := ctx.Err(); err != nil {
		return row{}, err
	}
	s, err := r.opened(ctx)
	if err != nil {
		return row{}, err
	}
	places, err := r.places(ctx, s, []int{s.shard(id)})
	if err != nil || len(places) == 0 {
		return row{}, err
	}
	replies := make([]*redis.StringCmd, len(places))
	_, err = r.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, at := range places {
			replies[i] = pipe.HGet(ctx, r.key(s, at, bodies), id)
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return row{}, err
	}
	for i, reply := range replies {
		body, err := reply.Result()
		if errors.Is(err, redis.Nil) {
			continue
		}
		if err != nil {
			return row{}, err
		}
		return rowOf(id, body, places[i]), nil
	}
	return row{}, nil
}
