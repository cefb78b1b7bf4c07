package redisrepo

import (
	"context"
	"fmt"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
)

// Remove implements [repository.Remover].
func (r *Repository) Remove(ctx context.Context, id string) error {
	var n int64
	if id != "" {
		var err error
		if n, err = r.remove(ctx, event.Filter{ID: id}); err != nil {
			return r.failed(ctx, "remove", err)
		}
	}
	if n == 0 {
		return fmt.Errorf("redisrepo: remove %q: %w", id, repository.ErrNotFound)
	}
	return nil
}

// RemoveMatching implements [repository.FilterRemover]. It removes event by
// event, oldest first, so that Redis answers others meanwhile; after an error
// it says how many are gone. An event that cannot be read is removed when what
// can be told of it matches.
func (r *Repository) RemoveMatching(ctx context.Context, f event.Filter) (int64, error) {
	if err := repository.Removable(f); err != nil {
		return 0, err
	}
	f.Order = event.OldestFirst
	n, err := r.remove(ctx, f)
	if err != nil {
		return n, r.failed(ctx, "remove", err)
	}
	return n, nil
}

// RemoveAll implements [repository.AllRemover]. It removes what is stored when
// it is called; an event that is written meanwhile may be removed too.
func (r *Repository) RemoveAll(ctx context.Context) error {
	if _, err := r.remove(ctx, event.Filter{}); err != nil {
		return r.failed(ctx, "remove all", err)
	}
	return nil
}

// removed is how many events are removed before their replies are awaited.
const removed = 200

func (r *Repository) remove(ctx context.Context, f event.Filter) (n int64, err error) {
	var batch []row
	for row, err := range r.rows(ctx, f) {
		switch {
		case row.broken == nil && err != nil:
			return n, err
		case row.broken != nil && !f.Match(row.event):
			continue
		}
		if batch = append(batch, row); len(batch) == removed {
			gone, err := r.removeRows(ctx, batch)
			if n += gone; err != nil {
				return n, err
			}
			batch = batch[:0]
		}
	}
	gone, err := r.removeRows(ctx, batch)
	return n + gone, err
}

// removeRows removes the rows that are still as they were read.
func (r *Repository) removeRows(ctx context.Context, rows []row) (n int64, err error) {
	if len(rows) == 0 {
		return 0, nil
	}
	s, err := r.opened(ctx)
	if err != nil {
		return 0, err
	}
	calls := make([]call, len(rows))
	for i, row := range rows {
		keys := []string{r.key(s, row.at, bodies)}
		for _, kind := range kinds(row.event) {
			keys = append(keys, r.key(s, row.at, kind))
		}
		calls[i] = call{keys, []any{row.event.ID, row.body, memberOf(row.event)}}
	}
	replies, err := r.run(ctx, removeScript, calls)
	if err != nil {
		return 0, err
	}
	for _, reply := range replies {
		gone, err := reply.Int64()
		if err != nil {
			return n, err
		}
		n += gone
	}
	return n, nil
}
