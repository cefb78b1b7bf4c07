package migrate

import (
	"context"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/fieldindex"
	"github.com/eventaudit/eventaudit/repository/sqlrepo"
)

const (
	// indexPrefix begins the names of our indexes, none of which an ancestor's
	// table has.
	indexPrefix = "event_audit"
	// sequenceColumn is the column by which our table is told from an
	// ancestor's.
	sequenceColumn = "sequence"
)

// createEventTable creates the event table, or takes over an ancestor's.
func createEventTable(db *gorm.DB) error {
	return exclusively(db, func(plain *gorm.DB) error {
		ctx, conn := plain.Statement.Context, plain.Statement.ConnPool
		d, err := dialectOf(plain.Name())
		if err != nil {
			return err
		}
		t := takeover{dialect: d, db: plain}
		if err := t.resume(ctx, conn); err != nil {
			return err
		}
		columns, err := d.columnsOf(ctx, conn, sqlrepo.Table)
		switch {
		case err != nil:
			return err
		case len(columns) == 0:
			if err := d.create(ctx, conn, sqlrepo.Table, indexPrefix); err != nil {
				return err
			}
			return d.createIndexes(ctx, conn, sqlrepo.Table, fieldindex.Default(d.name))
		case !slices.Contains(columns, sequenceColumn):
			return t.run(ctx, conn, columns)
		}
		return nil
	})
}

func (d dialect) create(ctx context.Context, conn gorm.ConnPool, table, prefix string) error {
	statements, err := d.eventTable(ctx, conn, table, prefix)
	if err != nil {
		return err
	}
	return execute(ctx, conn, statements...)
}

// dropEventTable drops the event table when it is empty.
func dropEventTable(db *gorm.DB) error {
	return exclusively(db, func(plain *gorm.DB) error {
		ctx, conn := plain.Statement.Context, plain.Statement.ConnPool
		d, err := dialectOf(plain.Name())
		if err != nil {
			return err
		}
		columns, err := d.columnsOf(ctx, conn, sqlrepo.Table)
		if err != nil || len(columns) == 0 {
			return err
		}
		return d.holding(ctx, conn, []string{sqlrepo.Table}, func() error {
			table := d.quoted(sqlrepo.Table)
			n, err := count(ctx, conn, table+" WHERE NOT ("+d.quoted("category")+" = '"+event.CategoryAudit+"' AND "+
				d.quoted("action")+" IN ('"+event.ActionClearing+"','"+event.ActionCleared+"'))") // a clear leaves those
			if err != nil {
				return err
			}
			if n > 0 {
				return fmt.Errorf("table %s holds %d events and is not dropped; export them and remove them with `eventaudit clear --confirm` first", sqlrepo.Table, n)
			}
			return execute(ctx, conn, "DROP TABLE "+table)
		})
	})
}

func count(ctx context.Context, conn gorm.ConnPool, from string) (n int64, err error) {
	err = conn.QueryRowContext(ctx, "SELECT count(*) FROM "+from).Scan(&n)
	return n, err
}
