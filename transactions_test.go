package eventaudit_test

import (
	"errors"
	"fmt"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/hooks"
	"github.com/eventaudit/eventaudit/internal/oracle"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/pgpipe"
	"github.com/eventaudit/eventaudit/repository/sqlrepo"
)

// ended are ways in which a transaction ends while database/sql takes it for
// open. What is written then is committed statement by statement.
var ended = map[string]struct {
	on  []testdb.Kind
	end func(t *testing.T, d *testdb.Database, tx *gorm.DB)
	// lost says that the transaction is rolled back.
	lost bool
}{
	"COMMIT as text": {
		on:  []testdb.Kind{testdb.Postgres, testdb.MariaDB, testdb.SQLiteCgo, testdb.SQLitePure},
		end: func(t *testing.T, _ *testdb.Database, tx *gorm.DB) { must(t, tx.Exec("COMMIT")) },
	},
	"ROLLBACK as text": {
		on:   []testdb.Kind{testdb.Postgres, testdb.MariaDB, testdb.SQLiteCgo, testdb.SQLitePure},
		end:  func(t *testing.T, _ *testdb.Database, tx *gorm.DB) { must(t, tx.Exec("ROLLBACK")) },
		lost: true,
	},
	"a change of the schema": {
		on: []testdb.Kind{testdb.MariaDB},
		end: func(t *testing.T, _ *testdb.Database, tx *gorm.DB) {
			must(t, tx.Exec("CREATE TABLE others (id INTEGER)"))
		},
	},
	"a deadlock": {
		on:   []testdb.Kind{testdb.MariaDB},
		end:  deadlock,
		lost: true,
	},
	"a deadlock in rows that the app reads": {
		on: []testdb.Kind{testdb.MariaDB},
		end: func(t *testing.T, d *testdb.Database, tx *gorm.DB) {
			deadlockBy(t, d, func() error {
				rows, err := tx.Raw("SELECT * FROM stocks WHERE sku = 'theirs' FOR UPDATE").Rows()
				if err != nil {
					return err
				}
				for rows.Next() { //nolint:revive // the error comes with the last
				}
				return errors.Join(rows.Err(), rows.Close())
			})
		},
		lost: true,
	},
	"a conflict that rolls back": {
		on: []testdb.Kind{testdb.SQLiteCgo, testdb.SQLitePure},
		end: func(t *testing.T, _ *testdb.Database, tx *gorm.DB) {
			if tx.Clauses(clause.Insert{Modifier: "OR ROLLBACK"}).Create(&Product{SKU: "old"}).Error == nil {
				t.Error("the row was created twice")
			}
		},
		lost: true,
	},
}

// deadlock makes the server choose the transaction as the victim of one.
func deadlock(t *testing.T, d *testdb.Database, tx *gorm.DB) {
	t.Helper()
	deadlockBy(t, d, func() error { return tx.Model(&Stock{SKU: "theirs", Warehouse: 1}).Update("amount", 9).Error })
}

// deadlockBy has another transaction lock what step needs and ask for what our
// transaction locked. The other one changed more, so that ours is the victim.
func deadlockBy(t *testing.T, d *testdb.Database, step func() error) {
	t.Helper()
	other := d.Open(t).Begin()
	must(t, other.Table("stocks").Where("sku = ?", "theirs").Update("amount", 1))
	var rows []Document
	for i := range 500 {
		rows = append(rows, Document{ID: fmt.Sprint("weight", i)})
	}
	must(t, other.Create(&rows))
	done := make(chan error)
	go func() { done <- other.Model(&Product{SKU: "old"}).Update("price", 77).Error }()
	err := step()
	if err == nil {
		t.Error("there was no deadlock")
	}
	if err := errors.Join(<-done, other.Rollback().Error); err != nil {
		t.Error(err)
	}
}

// A transaction that ended unseen is to the app what it is without the plugin,
// and every change has its event, together or not at all.
func TestTransactionsThatEndUnseen(t *testing.T) {
	t.Parallel()
	for name, way := range ended {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, kind := range way.on {
				t.Run(string(kind), func(t *testing.T) {
					t.Parallel()
					d := testdb.New(t, kind)
					db, audit := install(t, d)
					must(t, db.Create(&Product{SKU: "old", Price: 1}))
					must(t, db.Create(&Stock{SKU: "theirs", Warehouse: 1}))

					tx := db.Begin()
					must(t, tx.Model(&Product{SKU: "old"}).Update("price", 2))
					must(t, tx.Create(&Product{SKU: "lost"}))
					way.end(t, d, tx)
					must(t, tx.Create(&Product{SKU: "alone"}))
					must(t, tx.Model(&Product{SKU: "old"}).Update("title", "x"))
					if err := tx.Rollback().Error; err != nil {
						t.Logf("rollback: %v", err)
					}
					products, transactions := int64(3), 4
					if way.lost {
						products, transactions = 2, 3
					}
					if n := count(t, db, "products"); n != products {
						t.Errorf("%d products, want %d as without the plugin", n, products)
					}
					oracle.Check(t, db, audit.Repository(), modelTables[:3]...)
					ids := map[string]bool{}
					for _, e := range trail(t, audit, event.Filter{ActionObject: "Product"}) {
						ids[e.TransactionID] = true
					}
					if len(ids) != transactions {
						t.Errorf("%d transaction ids, want %d", len(ids), transactions)
					}
				})
			}
		})
	}
}

// What cannot have its event there is not kept either.
func TestTransactionsThatEndUnseenFailClosed(t *testing.T) {
	t.Parallel()
	for name, way := range ended {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, kind := range way.on {
				t.Run(string(kind), func(t *testing.T) {
					t.Parallel()
					d := testdb.New(t, kind)
					db, audit := install(t, d)
					must(t, db.Create(&Product{SKU: "old", Price: 1}))
					must(t, db.Create(&Stock{SKU: "theirs", Warehouse: 1}))
					tx := db.Begin()
					must(t, tx.Model(&Product{SKU: "old"}).Update("price", 2))
					way.end(t, d, tx)
					show := hide(t, d.Open(t))
					if err := tx.Create(&Product{SKU: "alone"}).Error; !errors.Is(err, hooks.ErrCapture) && !pgpipe.IsDeferred(err) {
						t.Errorf("err = %v, want ErrCapture", err)
					}
					t.Logf("commit: %v", tx.Commit().Error)
					show()
					if n := count(t, db, "products"); n != 1 {
						t.Errorf("%d products, want 1", n)
					}
					oracle.Check(t, db, audit.Repository(), modelTables[:3]...)
				})
			}
		})
	}
}

// A savepoint that is rolled back to leaves the transaction open.
func TestTransactionsThatFailButStayOpen(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d)
		must(t, db.Create(&Product{SKU: "old"}))
		tx := db.Begin()
		must(t, tx.Create(&Product{SKU: "first"}))
		must(t, tx.SavePoint("here"))
		if tx.Create(&Product{SKU: "old"}).Error == nil {
			t.Error("the row was created twice")
		}
		must(t, tx.RollbackTo("here"))
		must(t, tx.Create(&Product{SKU: "second"}))
		must(t, tx.Rollback())
		if n := count(t, db, "products"); n != 1 {
			t.Errorf("%d products, want the old one alone", n)
		}
		oracle.Check(t, db, audit.Repository(), modelTables...)
	})
}

// An event whose failure takes the change along is no event that may be lost.
func TestContinueMindsTheEndOfTheTransaction(t *testing.T) {
	t.Parallel()
	for _, kind := range []testdb.Kind{testdb.SQLiteCgo, testdb.SQLitePure} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			var lost []error
			db, audit := install(t, testdb.New(t, kind), eventaudit.WithOnError(func(err error) { lost = append(lost, err) }),
				func(c *eventaudit.Config) { c.OnAuditError = eventaudit.ContinueOnError })
			ddl(t, db, "CREATE TRIGGER refused BEFORE INSERT ON "+sqlrepo.Table+" WHEN NEW.action_object_id = 'bad' BEGIN SELECT RAISE(ROLLBACK, 'no'); END")
			tx := db.Begin()
			must(t, tx.Create(&Product{SKU: "undone"}))
			if err := tx.Create(&Product{SKU: "bad"}).Error; !errors.Is(err, hooks.ErrCapture) {
				t.Errorf("err = %v, want ErrCapture", err)
			}
			must(t, tx.Create(&Product{SKU: "alone"}))
			t.Logf("commit: %v", tx.Commit().Error)
			if n := count(t, db, "products"); n != 1 || len(lost) > 0 {
				t.Errorf("%d products, want 1; lost: %v", n, lost)
			}
			oracle.Check(t, db, audit.Repository(), modelTables...)
		})
	}
}

// A statement in a transaction that PostgreSQL aborted fails where it would
// without the plugin, behind what GORM does to the model.
func TestAbortedTransactionsFillTheModelAllTheSame(t *testing.T) {
	t.Parallel()
	db, _ := install(t, testdb.New(t, testdb.Postgres))
	product := Product{SKU: "a"}
	err := db.Session(&gorm.Session{SkipDefaultTransaction: true}).Connection(func(tx *gorm.DB) error {
		tx = tx.Session(&gorm.Session{})
		must(t, tx.Exec("BEGIN"))
		if tx.Exec("SELECT 1/0").Error == nil {
			t.Error("the transaction was not aborted")
		}
		return errors.Join(tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&product).Error, tx.Exec("ROLLBACK").Error)
	})
	if err == nil || product.State != "draft" {
		t.Errorf("err = %v, state %q, want the default", err, product.State)
	}
}
