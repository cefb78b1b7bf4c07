package migrate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/fieldindex"
	"github.com/eventaudit/eventaudit/repository/sqlrepo"
)

// AddIndexes makes lists filtered by the fields fast however rare the value
// is: each gets an index on (field, timestamp, id). Without it a list by a
// common value is fast, because the newest events are soon met, and one by a
// rare value reads the table. Fields that have theirs already are passed over.
//
// On PostgreSQL and SQLite every field of a filter has its index from the
// start, except category and action. These indexes leave out the events in
// which the field is empty, or the outcome a success, so that they cost nothing
// until the app uses the field. On MariaDB and MySQL, which have no such
// indexes, only action_object and target_id have one from the start.
//
// Writes to the event table wait while an index is built; on a large table
// choose a quiet hour. The error is a *event.FieldError for a field that
// cannot have an index.
func AddIndexes(db *gorm.DB, fields ...string) error {
	return changeIndexes(db, "add indexes", fields, func(ctx context.Context, plain *gorm.DB, d dialect) error {
		missing := slices.DeleteFunc(slices.Clone(fields), func(field string) bool {
			return plain.Migrator().HasIndex(sqlrepo.Table, indexName(field))
		})
		return d.createIndexes(ctx, plain.Statement.ConnPool, sqlrepo.Table, missing)
	})
}

// DropIndexes undoes AddIndexes, and drops indexes that are there from the
// start: every index makes an audited write a little slower that has a value
// for the field. Fields without an index are passed over. The error is a
// *event.FieldError for a field that cannot have an index.
func DropIndexes(db *gorm.DB, fields ...string) error {
	return changeIndexes(db, "drop indexes", fields, func(_ context.Context, plain *gorm.DB, _ dialect) error {
		for _, field := range fields {
			if !plain.Migrator().HasIndex(sqlrepo.Table, indexName(field)) {
				continue
			}
			if err := plain.Migrator().DropIndex(sqlrepo.Table, indexName(field)); err != nil {
				return err
			}
		}
		return nil
	})
}

// changeIndexes refuses fields that cannot have an index before it changes
// any.
func changeIndexes(db *gorm.DB, what string, fields []string, change func(context.Context, *gorm.DB, dialect) error) error {
	return run(db, what, func(plain *gorm.DB) error {
		d, err := dialectOf(plain.Name())
		if err != nil {
			return err
		}
		able := fieldindex.Fields()
		var problems []error
		for _, field := range fields {
			if !slices.Contains(able, field) {
				problems = append(problems, &event.FieldError{
					Field: "index", Value: field,
					Reason: "is not a field that takes an index; use one of " + strings.Join(able, ", "),
				})
			}
		}
		if err := errors.Join(problems...); err != nil {
			return err
		}
		return change(plain.Statement.Context, plain, d)
	})
}

func indexName(field string) string { return indexPrefix + "_by_" + field }

func (d dialect) createIndexes(ctx context.Context, conn gorm.ConnPool, table string, fields []string) error {
	for _, field := range fields {
		text := fmt.Sprintf("CREATE INDEX %s ON %s (%s)",
			d.quoted(indexName(field)), d.quoted(table), d.all([]string{field, "timestamp", "id"}))
		if where := fieldindex.Where(d.name, field); where != "" {
			text += " WHERE " + where
		}
		if err := execute(ctx, conn, text); err != nil {
			return err
		}
	}
	return nil
}
