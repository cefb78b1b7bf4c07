package eventaudit_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/glebarez/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/eventaudit/eventaudit/internal/oracle"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

// watchedDriver shows the statements that SQLite is about to run, BEGIN and
// COMMIT among them.
type watchedDriver struct {
	known driver.Driver
	dsn   string
	saw   func(query string)
}

func (d watchedDriver) Driver() driver.Driver { return d.known }

func (d watchedDriver) Connect(context.Context) (driver.Conn, error) {
	conn, err := d.known.Open(d.dsn)
	if err != nil {
		return nil, err
	}
	return watchedConn{conn.(sqliteConn), d.saw}, nil
}

// sqliteConn is what the driver of SQLite offers.
type sqliteConn interface {
	driver.Conn
	driver.ExecerContext
	driver.QueryerContext
	driver.ConnBeginTx
	driver.ConnPrepareContext
}

type watchedConn struct {
	sqliteConn
	saw func(query string)
}

func (c watchedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.saw(query)
	return c.sqliteConn.ExecContext(ctx, query, args)
}

func (c watchedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.saw(query)
	return c.sqliteConn.QueryContext(ctx, query, args)
}

func (c watchedConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	c.saw("BEGIN")
	tx, err := c.sqliteConn.BeginTx(ctx, opts)
	return watchedTx{tx, c.saw}, err
}

type watchedTx struct {
	driver.Tx
	saw func(query string)
}

func (tx watchedTx) Commit() error {
	tx.saw("COMMIT")
	return tx.Tx.Commit()
}

// watch opens the database over a driver that shows every statement.
func watch(t *testing.T, dsn string, saw func(query string)) *gorm.DB {
	t.Helper()
	known, err := sql.Open(sqlite.DriverName, dsn)
	if err != nil {
		t.Fatal(err)
	}
	if err := known.Close(); err != nil {
		t.Fatal(err)
	}
	pool := sql.OpenDB(watchedDriver{known.Driver(), dsn, saw})
	return openPool(t, pool, &sqlite.Dialector{Conn: pool})
}

// Nothing stands between a program and SQLite but its statements.
func TestStatementsOnSQLite(t *testing.T) {
	t.Parallel()
	want := map[bool][]int64{false: {3, 3, 3, 3, 12, 3, 2}, true: {6, 7, 7, 6, 43, 7, 2}}
	wantCosts(t, func(t *testing.T) (*gorm.DB, *atomic.Int64) {
		count := &atomic.Int64{}
		return watch(t, testdb.New(t, testdb.SQLitePure).DSN(), func(string) { count.Add(1) }), count
	}, want)
}

// From the first audited statement of a transaction on, its reads never see
// what another writer changes before its writes, whatever became of the lock
// that an earlier statement took.
func TestTransactionsOnSQLiteHoldTheWriteLock(t *testing.T) {
	t.Parallel()
	for name, between := range map[string]func(tx *gorm.DB){
		"nothing": func(*gorm.DB) {},
		"a savepoint rolled back to": func(tx *gorm.DB) {
			must(t, tx.SavePoint("here"))
			must(t, tx.Model(&Product{SKU: "a"}).Update("price", 5))
			must(t, tx.RollbackTo("here"))
		},
		"another transaction": func(tx *gorm.DB) {
			must(t, tx.Exec("COMMIT"))
			must(t, tx.Exec("BEGIN"))
		},
		"a conflict that rolls back": func(tx *gorm.DB) {
			if tx.Clauses(clause.Insert{Modifier: "OR ROLLBACK"}).Create(&Product{SKU: "a"}).Error == nil {
				t.Error("the row was created twice")
			}
			must(t, tx.Exec("BEGIN"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := testdb.New(t, testdb.SQLitePure)
			var armed bool
			var other *gorm.DB
			var tries []error
			prepare(t, d)
			db := watch(t, d.DSN(), func(query string) {
				if armed && strings.HasPrefix(query, "UPDATE") {
					tries = append(tries, other.Exec("INSERT INTO stocks (sku, warehouse) VALUES ('b', ?)", len(tries)).Error)
				}
			})
			db, audit := use(t, db)
			other = d.Open(t)
			must(t, other.Exec("PRAGMA busy_timeout = 0"))
			must(t, db.Create(&Product{SKU: "a", Price: 1}))

			tx := db.Begin()
			must(t, tx.Model(&Product{SKU: "a"}).Update("price", 2))
			between(tx)
			armed = true
			must(t, tx.Model(&Product{SKU: "a"}).Update("price", 3))
			armed = false
			if err := tx.Exec("COMMIT").Error; err != nil {
				t.Error(err)
			}
			t.Logf("rollback: %v", tx.Rollback().Error)
			if len(tries) != 1 || tries[0] == nil || !strings.Contains(tries[0].Error(), "locked") {
				t.Errorf("another writer: %v, want one that finds the database locked", tries)
			}
			oracle.Check(t, db, audit.Repository(), modelTables...)
		})
	}
}
