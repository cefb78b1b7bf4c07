package sqlrepo

import (
	"context"
	"fmt"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
)

// Remove removes the event, or returns an error that wraps
// repository.ErrNotFound.
func (r *Repository) Remove(ctx context.Context, id string) error {
	var n int64
	if id != "" {
		var err error
		if n, err = r.RemoveMatching(ctx, event.Filter{ID: id}); err != nil {
			return err
		}
	}
	if n == 0 {
		return fmt.Errorf("sqlrepo: remove %q: %w", id, repository.ErrNotFound)
	}
	return nil
}

// RemoveMatching removes the events that the filter matches and returns how
// many there were. It refuses what repository.Removable refuses.
func (r *Repository) RemoveMatching(ctx context.Context, f event.Filter) (int64, error) {
	if err := repository.Removable(f); err != nil {
		return 0, err
	}
	s := &statement{dialect: r.dialect}
	s.add("DELETE FROM ", r.table)
	if !s.where(f) {
		return 0, nil
	}
	return r.remove(ctx, s)
}

// RemoveAll removes every event of the table, and nothing else.
func (r *Repository) RemoveAll(ctx context.Context) error {
	s := &statement{dialect: r.dialect}
	s.add("DELETE FROM ", r.table)
	_, err := r.remove(ctx, s)
	return err
}

func (r *Repository) remove(ctx context.Context, s *statement) (int64, error) {
	result, err := r.pool.ExecContext(ctx, s.text.String(), s.args...)
	if err != nil {
		return 0, failed(ctx, "remove", err)
	}
	return result.RowsAffected()
}
