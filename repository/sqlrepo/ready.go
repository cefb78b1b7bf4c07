package sqlrepo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrNoTables says that the event table is missing or not in the shape that
// this version needs. Its text says what to do.
var ErrNoTables = errors.New("call migrate.Up(db) (or run `eventaudit migrate up`) before db.Use")

// Ready reports whether the event table is there, with the columns that this
// version needs. The error wraps ErrNoTables when it is not, and says whether
// there is no table, an older one, or one of the Python ancestor that
// migrate.Up takes over.
func (r *Repository) Ready(ctx context.Context) error {
	have, err := r.columns(ctx)
	if err != nil {
		return failed(ctx, "look for the event table", err)
	}
	missing := slices.DeleteFunc(append(columnNames(), sequence), func(name string) bool {
		return slices.Contains(have, name)
	})
	switch {
	case len(missing) == 0:
		return nil
	case len(have) == 0:
		return fmt.Errorf("sqlrepo: the database has no table %s; %w", r.table, ErrNoTables)
	case slices.Contains(missing, sequence):
		return fmt.Errorf("sqlrepo: table %s is an ancestor's and has not been taken over yet (nothing of it is lost by that); %w", r.table, ErrNoTables)
	}
	return fmt.Errorf("sqlrepo: table %s is of an older version and lacks %s; %w", r.table, strings.Join(missing, ", "), ErrNoTables)
}

func (r *Repository) columns(ctx context.Context) (names []string, err error) {
	rows, err := r.pool.QueryContext(ctx, r.dialect.columns, r.name)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}
