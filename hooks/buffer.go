package hooks

import (
	"context"
	"database/sql"
	"reflect"

	"gorm.io/gorm"
)

// buffer holds the rows that a statement returned. All of them are read at
// once: a driver may run the statement only while its rows are read, so
// nothing is known of its success before the last one.
type buffer struct {
	columns []bufferColumn
	values  [][]any
	// spill has the rows behind those in memory; nil when there are none.
	spill *spill
}

// count returns how many rows there are.
func (b *buffer) count() int64 {
	if b.spill == nil {
		return int64(len(b.values))
	}
	return int64(len(b.values) + b.spill.rows)
}

// bufferColumn is a column of a result with what database/sql knows of it.
type bufferColumn struct {
	name, typeName string
	scanType       reflect.Type
}

// reading says how rows are read.
type reading struct {
	// keep has all of them in memory.
	keep bool
	// untyped leaves out what is known of the columns besides their names.
	untyped bool
}

// fetch runs a statement that returns rows and reads them all.
func fetch(ctx context.Context, conn gorm.ConnPool, text string, args []any, how reading) (*buffer, error) {
	rows, err := conn.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	return readAll(rows, how)
}

// fetchPrepared is fetch by way of a prepared statement.
func fetchPrepared(ctx context.Context, conn gorm.ConnPool, text string, args []any, how reading) (b *buffer, err error) {
	stmt, err := conn.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	defer func() {
		if closing := stmt.Close(); err == nil {
			err = closing
		}
	}()
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return nil, err
	}
	return readAll(rows, how)
}

func readAll(rows *sql.Rows, how reading) (b *buffer, err error) {
	defer func() { err = ending(rows, err) }()
	b = &buffer{}
	if b.columns, err = columnsOf(rows, how); err != nil {
		return nil, err
	}
	targets := make([]any, len(b.columns))
	for rows.Next() {
		values := make([]any, len(b.columns))
		for i := range values {
			targets[i] = &values[i]
		}
		if err := rows.Scan(targets...); err != nil {
			return nil, err
		}
		if err := b.add(values, how.keep); err != nil {
			return b, err
		}
	}
	return b, rows.Err()
}

// ending closes rows and returns what ended their reading, if that is not err: when
// the context of the transaction ends they are closed, and say no more than that.
func ending(rows *sql.Rows, err error) error {
	if ended := rows.Err(); err != nil && ended != nil {
		err = ended
	}
	if closing := rows.Close(); err == nil {
		err = closing
	}
	return err
}

func columnsOf(rows *sql.Rows, how reading) ([]bufferColumn, error) {
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	columns := make([]bufferColumn, len(names))
	if how.untyped {
		for i, name := range names {
			columns[i].name = name
		}
		return columns, nil
	}
	types, err := rows.ColumnTypes()
	for i, t := range types {
		columns[i] = bufferColumn{t.Name(), t.DatabaseTypeName(), t.ScanType()}
	}
	return columns, err
}

func (b *buffer) add(values []any, keep bool) (err error) {
	if keep || len(b.values) < memoryRows {
		b.values = append(b.values, values)
		return nil
	}
	if b.spill == nil {
		if b.spill, err = newSpill(); err != nil {
			return err
		}
	}
	return b.spill.add(values)
}

// close gives back the file.
func (b *buffer) close() error {
	if b == nil || b.spill == nil {
		return nil
	}
	return b.spill.close()
}

// mark is the column that ends a statement's own columns and begins those
// that capture added. Its value is the origin of the row.
const mark = "__mark"

// split cuts the buffer at the mark, and returns the value of that in the first
// row; nil without rows. Rows in the file belong to what capture added: a
// statement with columns of its own is kept in memory.
func (b *buffer) split() (own, added *buffer, origin any) {
	for i, column := range b.columns {
		if column.name != mark {
			continue
		}
		if len(b.values) > 0 {
			origin = b.values[0][i]
		}
		return b.cut(0, i), b.cut(i+1, len(b.columns)), origin
	}
	return b, &buffer{}, nil
}

// cut returns some of the columns. The rows in the file are cut when they are
// read.
func (b *buffer) cut(from, to int) *buffer {
	part := &buffer{columns: b.columns[from:to], values: make([][]any, len(b.values))}
	for i, values := range b.values {
		part.values[i] = values[from:to]
	}
	if b.spill != nil {
		part.spill = b.spill.cut(from, to)
	}
	return part
}
