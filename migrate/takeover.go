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

// The tables of a takeover. They are gone when it has succeeded.
const (
	// staging holds the converted rows, in no order.
	staging = sqlrepo.Table + "_staging"
	// sorted holds them in order of time; it becomes the event table.
	sorted = sqlrepo.Table + "_sorted"
	// ancestor is the old table once it has made room for the new one.
	ancestor = sqlrepo.Table + "_ancestor"
)

// ancestorColumns are the columns of an ancestor's table.
var ancestorColumns = []string{
	"id", "category", "action", "actor", "action_object", "action_object_id",
	"target_type", "target_id", "timestamp", "result", "payload",
}

// pageSize is how many rows are in memory at a time.
const pageSize = 200

// takeover turns an ancestor's event table into ours. Rows are converted here,
// not in SQL, and go through the same INSERT as every other event; a second
// copy, sorted by the database, gives them their sequence in order of time.
//
// MariaDB and MySQL cannot undo changes of tables, so a takeover may be broken
// off between any two statements there. The old table is not written to at any
// time, and resume starts again from what it finds.
type takeover struct {
	dialect dialect
	db      *gorm.DB
}

// resume clears away what a takeover that was broken off has left.
func (t takeover) resume(ctx context.Context, conn gorm.ConnPool) error {
	current, err := t.dialect.columnsOf(ctx, conn, sqlrepo.Table)
	if err != nil {
		return err
	}
	old, err := t.dialect.columnsOf(ctx, conn, ancestor)
	if err != nil {
		return err
	}
	switch {
	case len(old) == 0:
	case len(current) == 0:
		err = execute(ctx, conn, t.rename(ancestor, sqlrepo.Table))
	case slices.Contains(current, sequenceColumn):
		err = execute(ctx, conn, t.drop(ancestor))
	}
	if err != nil {
		return err
	}
	return execute(ctx, conn, t.drop(staging), t.drop(sorted))
}

func (t takeover) run(ctx context.Context, conn gorm.ConnPool, columns []string) error {
	if err := recognise(columns); err != nil {
		return err
	}
	if err := t.dialect.create(ctx, conn, staging, staging); err != nil {
		return err
	}
	if err := t.dialect.create(ctx, conn, sorted, indexPrefix); err != nil {
		return err
	}
	err := t.dialect.holding(ctx, conn, []string{sqlrepo.Table, staging, sorted}, func() error {
		if err := t.convert(ctx, conn); err != nil {
			return err
		}
		if err := t.sort(ctx, conn); err != nil {
			return err
		}
		if err := t.dialect.createIndexes(ctx, conn, sorted, fieldindex.Default(t.dialect.name)); err != nil {
			return err
		}
		if t.dialect.permit != nil {
			if err := execute(ctx, conn, t.dialect.permit(sqlrepo.Table, sorted)); err != nil {
				return err
			}
		}
		return execute(ctx, conn, t.rename(sqlrepo.Table, ancestor), t.rename(sorted, sqlrepo.Table))
	})
	if err != nil {
		return t.giveUp(ctx, conn, err)
	}
	return execute(ctx, conn, t.drop(ancestor), t.drop(staging))
}

// recognise refuses a table that is not an ancestor's: what the new table has
// no column for would be lost.
func recognise(columns []string) error {
	for _, name := range ancestorColumns {
		if !slices.Contains(columns, name) {
			return fmt.Errorf("table %s has no column %q, so it is neither ours nor an ancestor's; rename it and run this again", sqlrepo.Table, name)
		}
	}
	for _, name := range columns {
		if !slices.Contains(ancestorColumns, name) {
			return fmt.Errorf("table %s has a column %q that the ancestor's did not have and that would be lost; move it to another table and run this again", sqlrepo.Table, name)
		}
	}
	return nil
}

// giveUp takes away the copies where a rollback does not.
func (t takeover) giveUp(ctx context.Context, conn gorm.ConnPool, err error) error {
	if t.dialect.undoes {
		return err
	}
	return errors.Join(err, t.resume(context.WithoutCancel(ctx), conn))
}

// convert copies the rows into the staging table, page by page in the order of
// their ids.
func (t takeover) convert(ctx context.Context, conn gorm.ConnPool) error {
	target, err := sqlrepo.New(t.db, &sqlrepo.Options{Table: staging})
	if err != nil {
		return err
	}
	page, err := t.page(ctx, conn, "")
	for err == nil && len(page) > 0 {
		if err = target.Insert(ctx, conn, page); err != nil {
			return err
		}
		page, err = t.page(ctx, conn, page[len(page)-1].ID)
	}
	return err
}

// page reads the rows that follow the id, the first ones after the empty id.
func (t takeover) page(ctx context.Context, conn gorm.ConnPool, after string) (events []event.Event, err error) {
	query, args := t.selectPage(after)
	rows, err := conn.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		e, err := scanAncestor(rows)
		if err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	return events, rows.Err()
}

func (t takeover) selectPage(after string) (query string, args []any) {
	d := t.dialect
	table := d.quoted(sqlrepo.Table)
	expressions := make([]string, len(ancestorColumns))
	for i, name := range ancestorColumns {
		column := table + "." + d.quoted(name)
		expressions[i] = d.text(column)
		if name == "timestamp" {
			expressions[i] = d.moment(column)
		}
	}
	id := table + "." + d.quoted("id")
	query = "SELECT " + strings.Join(expressions, ", ") + " FROM " + table
	if after != "" {
		query, args = query+" WHERE "+id+" > "+d.placeholder, []any{after}
	}
	return fmt.Sprintf("%s ORDER BY %s LIMIT %d", query, id, pageSize), args
}

// sort copies the staging table in order of time and makes sure that every row
// of the old table has arrived.
func (t takeover) sort(ctx context.Context, conn gorm.ConnPool) error {
	columns, err := t.dialect.columnsOf(ctx, conn, staging)
	if err != nil {
		return err
	}
	columns = slices.DeleteFunc(columns, func(name string) bool { return name == sequenceColumn })
	list := t.dialect.all(columns)
	order := t.dialect.all([]string{"timestamp", "id"})
	if err := execute(ctx, conn, "INSERT INTO "+t.quoted(sorted)+" ("+list+") SELECT "+list+" FROM "+t.quoted(staging)+" ORDER BY "+order); err != nil {
		return err
	}
	before, err := count(ctx, conn, t.quoted(sqlrepo.Table))
	if err != nil {
		return err
	}
	after, err := count(ctx, conn, t.quoted(sorted))
	if err != nil {
		return err
	}
	if before != after {
		return fmt.Errorf("table %s has %d rows, but only %d different ids; give every row an id of its own and run this again", sqlrepo.Table, before, after)
	}
	return nil
}

func (t takeover) quoted(name string) string { return t.dialect.quoted(name) }

func (t takeover) rename(from, to string) string {
	return "ALTER TABLE " + t.quoted(from) + " RENAME TO " + t.quoted(to)
}

func (t takeover) drop(table string) string {
	return "DROP TABLE IF EXISTS " + t.quoted(table)
}
