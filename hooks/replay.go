package hooks

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"io"
	"reflect"
	"runtime"
)

// replayer turns buffers into the *sql.Rows that GORM scans. It is a
// database/sql pool whose driver answers every query with its argument.
type replayer struct{ db *sql.DB }

// newReplayer returns a replayer whose pool is closed when owner is garbage.
func newReplayer[T any](owner *T) replayer {
	db := sql.OpenDB(replayDriver{})
	runtime.AddCleanup(owner, func(db *sql.DB) {
		// The pool has no connection to anything; closing it cannot fail.
		_ = db.Close() //nolint:errcheck // see above
	}, db)
	return replayer{db}
}

func (r replayer) rows(b *buffer) (*sql.Rows, error) {
	return r.db.QueryContext(context.Background(), "", b)
}

// row is rows for one row, or an error that its Scan returns.
func (r replayer) row(b *buffer, err error) *sql.Row {
	return r.db.QueryRowContext(context.Background(), "", b, err)
}

type replayDriver struct{}

func (d replayDriver) Connect(context.Context) (driver.Conn, error) { return replayConn{}, nil }
func (d replayDriver) Driver() driver.Driver                        { return d }
func (d replayDriver) Open(string) (driver.Conn, error)             { return replayConn{}, nil }

type replayConn struct{}

func (replayConn) Prepare(string) (driver.Stmt, error)      { return nil, driver.ErrSkip }
func (replayConn) Begin() (driver.Tx, error)                { return nil, driver.ErrSkip }
func (replayConn) Close() error                             { return nil }
func (replayConn) CheckNamedValue(*driver.NamedValue) error { return nil }

func (replayConn) QueryContext(_ context.Context, _ string, args []driver.NamedValue) (driver.Rows, error) {
	if len(args) > 1 && args[1].Value != nil {
		return nil, args[1].Value.(error)
	}
	return &replayRows{buffer: args[0].Value.(*buffer)}, nil
}

type replayRows struct {
	*buffer
	next int
}

func (r *replayRows) Columns() []string {
	names := make([]string, len(r.columns))
	for i, column := range r.columns {
		names[i] = column.name
	}
	return names
}

func (r *replayRows) Close() error { return nil }

func (r *replayRows) Next(into []driver.Value) error {
	if r.next == len(r.values) {
		return io.EOF
	}
	for i, value := range r.values[r.next] {
		into[i] = value
	}
	r.next++
	return nil
}

func (r *replayRows) ColumnTypeDatabaseTypeName(i int) string { return r.columns[i].typeName }
func (r *replayRows) ColumnTypeScanType(i int) reflect.Type   { return r.columns[i].scanType }
