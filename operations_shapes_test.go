package eventaudit_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"github.com/glebarez/sqlite"
	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/oracle"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/repository/sqlrepo"
)

// captureShape is a way to run work in transactions, put to the test as a capture is.
type captureShape struct {
	name, how string
	// do opens what it needs besides db, which is audited.
	do func(t *testing.T, d *testdb.Database, db *gorm.DB) error
	// plain leaves the plugin to do.
	plain bool
	// want is the events, the same everywhere but, if it is set, on PostgreSQL.
	want       []string
	onPostgres *[]string
}

// work creates, changes, upserts and deletes.
func work(tx *gorm.DB) error {
	for _, step := range []func() *gorm.DB{
		func() *gorm.DB { return tx.Create(&[]Product{{SKU: "a", Price: 1}, {SKU: "b", Price: 2}}) },
		func() *gorm.DB { return tx.Model(&Product{}).Where("price > 1").Update("price", 1) },
		func() *gorm.DB { return tx.Save(&[]Product{{SKU: "a", Price: 3, State: "draft"}, {SKU: "c"}}) },
		func() *gorm.DB { return tx.Delete(&Product{SKU: "b"}) },
	} {
		if err := step().Error; err != nil {
			return err
		}
	}
	return nil
}

var worked = []string{
	"created Product a", "created Product b", changedPrice("b", "2", "1"),
	changedPrice("a", "1", "3"), "created Product c", "deleted Product b",
}

// undone expects the work of a transaction to be undone as it was meant to be.
func undone(err error) error {
	if errors.Is(err, errUndo) {
		return nil
	}
	return errors.Join(errors.New("it was not undone"), err)
}

func TestShapes(t *testing.T) {
	t.Parallel()
	for _, row := range captureShapes {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			testdb.Each(t, func(t *testing.T, d *testdb.Database) {
				db := prepare(t, d)
				if !row.plain {
					use(t, db)
				}
				if err := row.do(t, d, db); err != nil {
					t.Fatal(err)
				}
				// Whatever became of that pool, another one sees what is true.
				other := d.Open(t)
				stored, err := sqlrepo.New(other, nil)
				if err != nil {
					t.Fatal(err)
				}
				var events []event.Event
				for e, err := range stored.Find(t.Context(), event.Filter{}) {
					if err != nil {
						t.Fatal(err)
					}
					events = append(events, e)
				}
				want := row.want
				if row.onPostgres != nil && d.Kind() == testdb.Postgres {
					want = *row.onPostgres
				}
				compare(t, want, events)
				oracle.Check(t, other, stored, modelTables...)
			})
		})
	}
}

// over opens GORM with the plugin over a connection that somebody else made.
func over(t *testing.T, d *testdb.Database, conn gorm.ConnPool) *gorm.DB {
	t.Helper()
	dialector := gorm.Dialector(&sqlite.Dialector{Conn: conn})
	switch d.Kind() {
	case testdb.Postgres:
		dialector = postgres.New(postgres.Config{Conn: conn})
	case testdb.MariaDB:
		dialector = mysql.New(mysql.Config{Conn: conn})
	}
	db, err := gorm.Open(dialector, &gorm.Config{Logger: logger.Discard})
	if err != nil {
		t.Fatal(err)
	}
	use(t, db)
	return db
}

func sqlPool(t *testing.T, db *gorm.DB) *sql.DB {
	t.Helper()
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	return pool
}

var captureShapes = []captureShape{
	{
		name: "default", how: "in the transaction that GORM opens for each call", want: worked,
		do: func(_ *testing.T, _ *testdb.Database, db *gorm.DB) error { return work(db) },
	},
	{
		name: "`SkipDefaultTransaction`", how: "in a transaction of the plugin around the statement alone", want: worked,
		do: func(_ *testing.T, _ *testdb.Database, db *gorm.DB) error {
			return work(db.Session(&gorm.Session{SkipDefaultTransaction: true}))
		},
	},
	{
		name: "`Begin`, `Commit`", how: "in that transaction", want: worked,
		do: func(_ *testing.T, _ *testdb.Database, db *gorm.DB) error {
			tx := db.Begin()
			return errors.Join(work(tx), tx.Commit().Error)
		},
	},
	{
		name: "`Begin`, `Rollback`", how: "in that transaction",
		do: func(_ *testing.T, _ *testdb.Database, db *gorm.DB) error {
			tx := db.Begin()
			return errors.Join(work(tx), tx.Rollback().Error)
		},
	},
	{
		name: "`Begin` with `sql.TxOptions`", how: "in that transaction", want: worked,
		do: func(_ *testing.T, d *testdb.Database, db *gorm.DB) error {
			opts := &sql.TxOptions{}
			if d.Kind() == testdb.Postgres || d.Kind() == testdb.MariaDB {
				opts.Isolation = sql.LevelSerializable
			}
			tx := db.Begin(opts)
			return errors.Join(work(tx), tx.Commit().Error)
		},
	},
	{
		name: "`Transaction`", how: "in that transaction", want: worked,
		do: func(_ *testing.T, _ *testdb.Database, db *gorm.DB) error { return db.Transaction(work) },
	},
	{
		name: "`Transaction` that returns an error", how: "in that transaction",
		do: func(_ *testing.T, _ *testdb.Database, db *gorm.DB) error {
			return undone(db.Transaction(func(tx *gorm.DB) error { return errors.Join(work(tx), errUndo) }))
		},
	},
	{
		name: "nested `Transaction`, the inner one rolled back", how: "in that transaction; the savepoint takes events back with the rows", want: append([]string{"created Document 1", "created Document 2"}, worked...),
		do: func(_ *testing.T, _ *testdb.Database, db *gorm.DB) error {
			return db.Transaction(func(tx *gorm.DB) error {
				inner := func(tx *gorm.DB) error {
					return errors.Join(tx.Create(&Document{ID: "x"}).Error, work(tx), errUndo)
				}
				return errors.Join(
					tx.Create(&Document{ID: "1"}).Error,
					undone(tx.Transaction(inner)),
					tx.Transaction(work),
					tx.Create(&Document{ID: "2"}).Error,
				)
			})
		},
	},
	{
		name: "`DisableNestedTransaction`", how: "in the outer transaction", want: append([]string{"created Document x"}, worked...),
		do: func(_ *testing.T, _ *testdb.Database, db *gorm.DB) error {
			return db.Session(&gorm.Session{DisableNestedTransaction: true}).Transaction(func(tx *gorm.DB) error {
				return errors.Join(
					undone(tx.Transaction(func(tx *gorm.DB) error { return errors.Join(tx.Create(&Document{ID: "x"}).Error, errUndo) })),
					work(tx),
				)
			})
		},
	},
	{
		name: "`SavePoint`, `RollbackTo`", how: "in that transaction; the savepoint takes events back with the rows", want: append([]string{"created Document 1"}, worked...),
		do: func(_ *testing.T, _ *testdb.Database, db *gorm.DB) error {
			return db.Transaction(func(tx *gorm.DB) error {
				return errors.Join(
					tx.Create(&Document{ID: "1"}).Error,
					tx.SavePoint("here").Error,
					work(tx),
					tx.RollbackTo("here").Error,
					work(tx),
				)
			})
		},
	},
	{
		name: "`PrepareStmt`", how: "as without", want: worked,
		do: func(_ *testing.T, _ *testdb.Database, db *gorm.DB) error {
			return work(db.Session(&gorm.Session{PrepareStmt: true}))
		},
	},
	{
		name: "`PrepareStmt` within a `Transaction`", how: "in that transaction", want: worked,
		do: func(_ *testing.T, _ *testdb.Database, db *gorm.DB) error {
			return db.Transaction(func(tx *gorm.DB) error { return work(tx.Session(&gorm.Session{PrepareStmt: true})) })
		},
	},
	{
		name: "`PrepareStmt` in `gorm.Config`, with `SkipDefaultTransaction`", how: "in a transaction of the plugin around the statement alone", plain: true, want: worked,
		do: func(t *testing.T, d *testdb.Database, _ *gorm.DB) error {
			db, _ := use(t, d.Open(t, &gorm.Config{PrepareStmt: true, SkipDefaultTransaction: true}))
			return work(db)
		},
	},
	{
		name: "`Connection`", how: "in the transaction that GORM opens on that connection for each call", want: worked,
		do: func(_ *testing.T, _ *testdb.Database, db *gorm.DB) error {
			return db.Connection(func(tx *gorm.DB) error { return work(tx.Session(&gorm.Session{})) })
		},
	},
	{
		name: "`Connection` with `SkipDefaultTransaction`", how: "in a transaction of the plugin around the statement alone", want: worked,
		do: func(_ *testing.T, _ *testdb.Database, db *gorm.DB) error {
			return db.Session(&gorm.Session{SkipDefaultTransaction: true}).Connection(func(tx *gorm.DB) error {
				return work(tx.Session(&gorm.Session{}))
			})
		},
	},
	{
		name: "`BEGIN` and `COMMIT` as raw SQL on a `Connection`", how: "in that transaction, of which the server is asked; a savepoint around each statement", want: worked,
		do: func(_ *testing.T, _ *testdb.Database, db *gorm.DB) error {
			return db.Session(&gorm.Session{SkipDefaultTransaction: true}).Connection(func(tx *gorm.DB) error {
				return errors.Join(tx.Exec("BEGIN").Error, work(tx.Session(&gorm.Session{})), tx.Exec("COMMIT").Error)
			})
		},
	},
	{
		name: "`BEGIN` and `ROLLBACK` as raw SQL on a `Connection`", how: "in that transaction, of which the server is asked; a savepoint around each statement",
		do: func(_ *testing.T, _ *testdb.Database, db *gorm.DB) error {
			return db.Session(&gorm.Session{SkipDefaultTransaction: true}).Connection(func(tx *gorm.DB) error {
				return errors.Join(tx.Exec("BEGIN").Error, work(tx.Session(&gorm.Session{})), tx.Exec("ROLLBACK").Error)
			})
		},
	},
	{
		name: "a transaction that is over unseen: a deadlock, `COMMIT` as text", how: "in a transaction of the plugin around the statement alone, as the database would commit it", want: worked,
		do: func(t *testing.T, _ *testdb.Database, db *gorm.DB) error {
			tx := db.Begin()
			err := errors.Join(tx.Exec("COMMIT").Error, work(tx))
			t.Logf("rollback: %v", tx.Rollback().Error)
			return err
		},
	},
	{
		name: "a transaction begun before `db.Use`", how: "in that transaction", plain: true, want: worked,
		do: func(t *testing.T, _ *testdb.Database, db *gorm.DB) error {
			tx := db.Begin()
			use(t, db)
			return errors.Join(work(tx), tx.Commit().Error)
		},
	},
	{
		name: "`gorm.Open` over a `*sql.Tx`", how: "in that transaction", plain: true, want: worked,
		do: func(t *testing.T, d *testdb.Database, db *gorm.DB) error {
			tx, err := sqlPool(t, db).BeginTx(t.Context(), nil)
			if err != nil {
				return err
			}
			return errors.Join(work(over(t, d, tx)), tx.Commit())
		},
	},
	{
		name: "`gorm.Open` over a `*sql.Tx` that is rolled back", how: "in that transaction", plain: true,
		do: func(t *testing.T, d *testdb.Database, db *gorm.DB) error {
			tx, err := sqlPool(t, db).BeginTx(t.Context(), nil)
			if err != nil {
				return err
			}
			return errors.Join(work(over(t, d, tx)), tx.Rollback())
		},
	},
	{
		name: "`gorm.Open` over a `*sql.Conn`", how: "in the transaction that GORM opens on it for each call", plain: true, want: worked,
		do: func(t *testing.T, d *testdb.Database, db *gorm.DB) error {
			conn, err := sqlPool(t, db).Conn(t.Context())
			if err != nil {
				return err
			}
			return errors.Join(work(over(t, d, conn)), conn.Close())
		},
	},
	{
		name: "a `*sql.Tx` as the `ConnPool` of a session", how: "in that transaction", want: worked,
		do: func(t *testing.T, _ *testdb.Database, db *gorm.DB) error {
			foreign, err := sqlPool(t, db).BeginTx(t.Context(), nil)
			if err != nil {
				return err
			}
			tx := db.Session(&gorm.Session{NewDB: true, Context: t.Context()})
			tx.Statement.ConnPool = foreign
			return errors.Join(work(tx), foreign.Commit())
		},
	},
	{
		name: "a context that ends midway", how: "in that transaction, which the end of the context rolls back",
		do: func(t *testing.T, _ *testdb.Database, db *gorm.DB) error {
			ctx, cancel := context.WithCancel(t.Context())
			err := db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
				err := work(tx)
				cancel()
				return errors.Join(err, tx.Create(&Document{ID: "late"}).Error)
			})
			if err == nil {
				return errors.New("the transaction committed")
			}
			return nil
		},
	},
	{
		name: "a statement that fails, in a transaction that commits all the same", how: "in that transaction, of which PostgreSQL keeps nothing",
		want: append([]string{"created Document 1", "created Document 2"}, worked...), onPostgres: &[]string{},
		do: func(_ *testing.T, d *testdb.Database, db *gorm.DB) error {
			tx := db.Begin()
			err := errors.Join(tx.Create(&Document{ID: "1"}).Error, work(tx))
			if tx.Create(&Document{ID: "1"}).Error == nil {
				return errors.New("the same key twice")
			}
			late, commit := tx.Create(&Document{ID: "2"}).Error, tx.Commit().Error
			if d.Kind() == testdb.Postgres {
				if late == nil || commit == nil {
					return errors.New("PostgreSQL went on")
				}
				return err
			}
			return errors.Join(err, late, commit)
		},
	},
	{
		name: "a statement that fails, behind a savepoint", how: "in that transaction", want: append([]string{"created Document 1"}, worked...),
		do: func(_ *testing.T, _ *testdb.Database, db *gorm.DB) error {
			return db.Transaction(func(tx *gorm.DB) error {
				err := tx.Create(&Document{ID: "1"}).Error
				if tx.Transaction(func(tx *gorm.DB) error { return tx.Create(&Document{ID: "1"}).Error }) == nil {
					return errors.New("the same key twice")
				}
				return errors.Join(err, work(tx))
			})
		},
	},
	{
		name: "an update that fails, behind a savepoint", how: "in that transaction", want: worked,
		do: func(_ *testing.T, _ *testdb.Database, db *gorm.DB) error {
			return db.Transaction(func(tx *gorm.DB) error {
				err := work(tx)
				if tx.Transaction(func(tx *gorm.DB) error { return tx.Model(&Product{}).Where("1 = 1").Update("sku", "same").Error }) == nil {
					return errors.New("the same key twice")
				}
				return err
			})
		},
	},
	{
		name: "`DryRun`", how: "nothing runs",
		do: func(_ *testing.T, _ *testdb.Database, db *gorm.DB) error {
			return work(db.Session(&gorm.Session{DryRun: true}))
		},
	},
	{
		name: "`ToSQL`", how: "nothing runs",
		do: func(_ *testing.T, _ *testdb.Database, db *gorm.DB) error {
			if db.ToSQL(func(tx *gorm.DB) *gorm.DB { return tx.Create(&Product{SKU: "a"}) }) == "" {
				return errNotReturned
			}
			return nil
		},
	},
	{
		name: "`SkipHooks`", how: "as without: capture is no hook of the model", want: worked,
		do: func(_ *testing.T, _ *testdb.Database, db *gorm.DB) error {
			return work(db.Session(&gorm.Session{SkipHooks: true}))
		},
	},
	{
		name: "dbresolver, registered before eventaudit", how: "from the source that the statement goes to, never from a replica", plain: true, want: worked,
		do: func(t *testing.T, d *testdb.Database, db *gorm.DB) error {
			resolver := deadReplica(t, d, db)
			use(t, db)
			return errors.Join(resolver(), work(db))
		},
	},
	{
		name: "dbresolver, registered after eventaudit", how: "from the source that the statement goes to, never from a replica", want: worked,
		do: func(t *testing.T, d *testdb.Database, db *gorm.DB) error {
			return errors.Join(deadReplica(t, d, db)(), work(db))
		},
	},
	{
		name: "dbresolver with `SkipDefaultTransaction`", how: "from the source that the statement goes to, never from a replica", want: worked,
		do: func(t *testing.T, d *testdb.Database, db *gorm.DB) error {
			return errors.Join(deadReplica(t, d, db)(), work(db.Session(&gorm.Session{SkipDefaultTransaction: true})))
		},
	},
	{
		name: "dbresolver with `Transaction`", how: "in that transaction", want: worked,
		do: func(t *testing.T, d *testdb.Database, db *gorm.DB) error {
			return errors.Join(deadReplica(t, d, db)(), db.Transaction(work))
		},
	},
}
