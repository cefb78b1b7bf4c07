package eventaudit_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"sync/atomic"
	"testing"

	"github.com/glebarez/sqlite"
	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/internal/testdb"
)

// countedDriver counts the statements that SQLite runs, BEGIN and COMMIT among
// them.
type countedDriver struct {
	known driver.Driver
	dsn   string
	count *atomic.Int64
}

func (d countedDriver) Driver() driver.Driver { return d.known }

func (d countedDriver) Connect(context.Context) (driver.Conn, error) {
	conn, err := d.known.Open(d.dsn)
	if err != nil {
		return nil, err
	}
	return countedStatements{conn.(sqliteConn), d.count}, nil
}

// sqliteConn is what the driver of SQLite offers.
type sqliteConn interface {
	driver.Conn
	driver.ExecerContext
	driver.QueryerContext
	driver.ConnBeginTx
	driver.ConnPrepareContext
}

type countedStatements struct {
	sqliteConn
	count *atomic.Int64
}

func (c countedStatements) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.count.Add(1)
	return c.sqliteConn.ExecContext(ctx, query, args)
}

func (c countedStatements) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.count.Add(1)
	return c.sqliteConn.QueryContext(ctx, query, args)
}

func (c countedStatements) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	c.count.Add(1)
	tx, err := c.sqliteConn.BeginTx(ctx, opts)
	return countedTx{tx, c.count}, err
}

type countedTx struct {
	driver.Tx
	count *atomic.Int64
}

func (tx countedTx) Commit() error {
	tx.count.Add(1)
	return tx.Tx.Commit()
}

// Nothing stands between a program and SQLite but its statements.
func TestStatementsOnSQLite(t *testing.T) {
	t.Parallel()
	want := map[bool][]int64{false: {3, 3, 3, 3, 12, 3, 2}, true: {6, 7, 7, 6, 52, 7, 2}}
	wantCosts(t, func(t *testing.T) (*gorm.DB, *atomic.Int64) {
		dsn, count := testdb.New(t, testdb.SQLitePure).DSN(), &atomic.Int64{}
		known, err := sql.Open(sqlite.DriverName, dsn)
		if err != nil {
			t.Fatal(err)
		}
		if err := known.Close(); err != nil {
			t.Fatal(err)
		}
		pool := sql.OpenDB(countedDriver{known.Driver(), dsn, count})
		return openPool(t, pool, &sqlite.Dialector{Conn: pool}), count
	}, want)
}
