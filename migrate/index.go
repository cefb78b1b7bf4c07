package migrate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository/sqlrepo"
)

// indexable are the fields that AddIndexes takes. Lists by id and actor have
// an index of their own, and texts without a limit cannot have one everywhere.
var indexable = []string{
	"category", "action", "action_object", "action_object_id", "target_type", "target_id",
	"outcome", "transaction_id", "request_id", "trace_id", "tenant", "on_behalf_of", "ip_address",
}

// AddIndexes makes lists filtered by the fields fast however rare the value
// is: each gets an index on (field, timestamp, id). Without it a list by a
// common value is fast, because the newest events are soon met, and one by a
// rare value reads the table. Every index makes each audited write a little
// slower, so none is there by default. Fields that have theirs already are
// passed over.
//
// Writes to the event table wait while an index is built; on a large table
// choose a quiet hour. The error is a *event.FieldError for a field that
// cannot have an index.
func AddIndexes(db *gorm.DB, fields ...string) error {
	var problems []error
	for _, field := range fields {
		if !slices.Contains(indexable, field) {
			problems = append(problems, &event.FieldError{
				Field: "index", Value: field,
				Reason: "is not a field that takes an index; use one of " + strings.Join(indexable, ", "),
			})
		}
	}
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("migrate: add indexes: %w", err)
	}
	return run(db, "add indexes", func(plain *gorm.DB) error {
		return addIndexes(plain.Statement.Context, plain, fields)
	})
}

func addIndexes(ctx context.Context, plain *gorm.DB, fields []string) error {
	d, err := dialectOf(plain.Name())
	if err != nil {
		return err
	}
	for _, field := range fields {
		name := indexPrefix + "_by_" + field
		if plain.Migrator().HasIndex(sqlrepo.Table, name) {
			continue
		}
		err := execute(ctx, plain.Statement.ConnPool, fmt.Sprintf("CREATE INDEX %s ON %s (%s)",
			d.quoted(name), d.quoted(sqlrepo.Table), d.all([]string{field, "timestamp", "id"})))
		if err != nil {
			return err
		}
	}
	return nil
}
