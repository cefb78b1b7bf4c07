package migrate

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
)

// dialect is what one kind of database says in its own way. There is one file
// for each.
type dialect struct {
	// name is GORM's.
	name string
	// begin takes the lock on migrating and starts a transaction, if that is
	// of use; end keeps or undoes what was done, and gives the lock back.
	begin func(ctx context.Context, conn *sql.Conn) error
	end   func(ctx context.Context, conn *sql.Conn, keep bool) error
	// quote stands around identifiers.
	quote string
	// placeholder stands for the only argument of a statement.
	placeholder string
	// columns asks for the names of a table's columns.
	columns string
	// eventTable returns the statements that create an event table without the
	// indexes of package fieldindex. Its indexes have names that begin with the
	// prefix.
	eventTable func(ctx context.Context, conn gorm.ConnPool, name, prefix string) ([]string, error)
	// text returns the expression that reads a column as text, and moment the
	// one that reads a column of timestamps as ISO 8601.
	text, moment func(column string) string
	// undoes says that a rollback undoes changes of tables.
	undoes bool
	// hold keeps other writers away from tables, until release or the end of
	// the transaction. Both may be empty.
	hold    func(quoted []string) string
	release string
	// permit gives those who may use a table the same privileges for another,
	// where they do not go by its name.
	permit func(from, to string) string
}

func dialectOf(name string) (dialect, error) {
	switch name {
	case "postgres":
		return postgres(), nil
	case "sqlite":
		return sqlite(), nil
	case "mysql":
		return mysql(), nil
	}
	return dialect{}, &event.FieldError{
		Field: "database", Value: name,
		Reason: "is a GORM dialect that the event table is not made for; use postgres, sqlite or mysql",
	}
}

func (d dialect) quoted(name string) string { return d.quote + name + d.quote }

// all returns the names quoted and joined.
func (d dialect) all(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = d.quoted(name)
	}
	return strings.Join(quoted, ", ")
}

// columnsOf returns the columns of the table, none when there is no table.
func (d dialect) columnsOf(ctx context.Context, conn gorm.ConnPool, table string) (names []string, err error) {
	rows, err := conn.QueryContext(ctx, d.columns, table)
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

// holding runs do while nobody else writes to the tables.
func (d dialect) holding(ctx context.Context, conn gorm.ConnPool, tables []string, do func() error) error {
	quoted := make([]string, len(tables))
	for i, table := range tables {
		quoted[i] = d.quoted(table)
	}
	if err := execute(ctx, conn, d.hold(quoted)); err != nil {
		return err
	}
	return errors.Join(do(), execute(context.WithoutCancel(ctx), conn, d.release))
}

// execute runs the statements in order, up to the first that fails. Empty ones
// are passed over.
func execute(ctx context.Context, conn gorm.ConnPool, statements ...string) error {
	for _, statement := range statements {
		if statement == "" {
			continue
		}
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}
