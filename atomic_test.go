package eventaudit_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/hooks"
	"github.com/eventaudit/eventaudit/internal/oracle"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/pgpipe"
	"github.com/eventaudit/eventaudit/repository/sqlrepo"
)

// hide makes the event table unwritable by taking it away; show brings it back.
func hide(t *testing.T, db *gorm.DB) (show func()) {
	t.Helper()
	must(t, db.Exec("ALTER TABLE "+sqlrepo.Table+" RENAME TO hidden_events"))
	return func() { must(t, db.Exec("ALTER TABLE hidden_events RENAME TO "+sqlrepo.Table)) }
}

func count(t *testing.T, db *gorm.DB, table string) int64 {
	t.Helper()
	var n int64
	must(t, db.Table(table).Count(&n))
	return n
}

// No change without its event: when the event cannot be written the change is
// undone, whatever the transaction and whoever ignores the error.
func TestFailClosed(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d)
		must(t, db.Create(&Product{SKU: "old", Price: 1}))
		show := hide(t, db)
		work := map[string]func(tx *gorm.DB) error{
			"create": func(tx *gorm.DB) error { return tx.Create(&Product{SKU: "new"}).Error },
			"update": func(tx *gorm.DB) error { return tx.Model(&Product{}).Where("1 = 1").Update("price", 9).Error },
			"delete": func(tx *gorm.DB) error { return tx.Delete(&Product{SKU: "old"}).Error },
			"save":   func(tx *gorm.DB) error { return tx.Save(&Product{SKU: "old", Price: 5}).Error },
			"upsert": func(tx *gorm.DB) error { return tx.Save(&[]Product{{SKU: "old", Price: 5}}).Error },
		}
		var failure error
		shapes := map[string]func(do func(*gorm.DB) error) error{
			"default": func(do func(*gorm.DB) error) error { return do(db) },
			"skip default transaction": func(do func(*gorm.DB) error) error {
				return do(db.Session(&gorm.Session{SkipDefaultTransaction: true}))
			},
			"prepared": func(do func(*gorm.DB) error) error { return do(db.Session(&gorm.Session{PrepareStmt: true})) },
			"connection": func(do func(*gorm.DB) error) error {
				return db.Connection(func(tx *gorm.DB) error { return do(tx.Session(&gorm.Session{SkipDefaultTransaction: true})) })
			},
			"connection with BEGIN as text, whose caller ignores the error": func(do func(*gorm.DB) error) error {
				err := db.Connection(func(tx *gorm.DB) error {
					tx = tx.Session(&gorm.Session{SkipDefaultTransaction: true})
					begin := tx.Exec("BEGIN").Error
					failure = do(tx)
					return errors.Join(begin, tx.Exec("COMMIT").Error)
				})
				return errors.Join(failure, err)
			},
			"transaction whose caller ignores the error": func(do func(*gorm.DB) error) error {
				err := db.Transaction(func(tx *gorm.DB) error {
					failure = do(tx)
					return nil
				})
				if err == nil {
					return errors.New("the transaction committed")
				}
				return errors.Join(failure, err)
			},
			"begin and commit all the same": func(do func(*gorm.DB) error) error {
				tx := db.Begin()
				failure = do(tx)
				err := tx.Commit().Error
				if err == nil {
					return errors.New("the transaction committed")
				}
				return errors.Join(failure, err)
			},
		}
		for shape, within := range shapes {
			for name, do := range work {
				if err := within(do); !errors.Is(err, hooks.ErrCapture) && !pgpipe.IsDeferred(err) {
					t.Errorf("%s, %s: err = %v, want ErrCapture", shape, name, err)
				}
			}
		}
		show()
		oracle.Check(t, db, audit.Repository(), modelTables...)
		if n := count(t, db, "products"); n != 1 {
			t.Errorf("%d products, want the old one alone", n)
		}
	})
}

func TestContinueKeepsTheChangeAndReportsTheLoss(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		var lost []error
		db, audit := install(t, d, eventaudit.WithOnError(func(err error) { lost = append(lost, err) }),
			func(c *eventaudit.Config) { c.OnAuditError = eventaudit.ContinueOnError })
		show := hide(t, db)
		err := db.Transaction(func(tx *gorm.DB) error {
			if err := tx.Create(&Product{SKU: "a"}).Error; err != nil {
				return err
			}
			return tx.Model(&Product{}).Where("sku = ?", "a").Update("price", 4).Error
		})
		if err != nil {
			t.Fatalf("the business transaction failed: %v", err)
		}
		show()
		if len(lost) != 2 || !errors.Is(lost[0], hooks.ErrCapture) {
			t.Errorf("reported: %v, want two losses", lost)
		}
		must(t, db.Model(&Product{SKU: "a"}).Update("price", 5))
		if events := trail(t, audit, event.Filter{}); len(events) != 1 || events[0].Action != event.ActionChanged {
			t.Errorf("events after recovery: %+v", events)
		}
		if n := count(t, db, "products"); n != 1 {
			t.Errorf("%d products", n)
		}
	})
}

func TestWhatDidNotHappenLeavesNoEvent(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d)
		p := Product{SKU: "a", Title: "T", Price: 1}
		must(t, db.Create(&p))
		must(t, db.Create(&Document{ID: "1", Body: "x"}))
		seen := len(trail(t, audit, event.Filter{}))
		quiet := func(name string, do func(tx *gorm.DB) error) {
			t.Helper()
			if err := do(db); err != nil {
				t.Logf("%s: %v", name, err)
			}
			if events := trail(t, audit, event.Filter{}); len(events) != seen {
				t.Errorf("%s left %s", name, events[len(events)-1].Result)
				seen = len(events)
			}
		}
		quiet("a rollback", func(tx *gorm.DB) error {
			return tx.Transaction(func(tx *gorm.DB) error {
				return errors.Join(tx.Create(&Product{SKU: "b"}).Error, tx.Model(&p).Update("price", 9).Error, tx.Delete(&p).Error, errUndo)
			})
		})
		quiet("a rollback to a savepoint", func(tx *gorm.DB) error {
			return tx.Transaction(func(tx *gorm.DB) error {
				tx.SavePoint("here")
				if err := tx.Create(&Product{SKU: "b"}).Error; err != nil {
					return err
				}
				return tx.RollbackTo("here").Error
			})
		})
		quiet("a panic", func(tx *gorm.DB) (err error) {
			defer func() { err = fmt.Errorf("recovered: %v", recover()) }()
			return tx.Transaction(func(tx *gorm.DB) error {
				must(t, tx.Create(&Product{SKU: "b"}))
				panic("on purpose")
			})
		})
		quiet("an update of no row", func(tx *gorm.DB) error { return tx.Model(&Product{SKU: "none"}).Update("price", 3).Error })
		quiet("an update to the same value", func(tx *gorm.DB) error { return tx.Model(&p).Update("price", 1).Error })
		quiet("a save of the same values", func(tx *gorm.DB) error { return tx.Save(&Document{ID: "1", Body: "x"}).Error })
		quiet("a delete of no row", func(tx *gorm.DB) error { return tx.Delete(&Product{SKU: "none"}).Error })
		quiet("a duplicate key", func(tx *gorm.DB) error { return tx.Create(&Product{SKU: "a"}).Error })
		quiet("a statement that fails", func(tx *gorm.DB) error { return tx.Model(&p).Update("no_such_column", 3).Error })
		quiet("a dry run", func(tx *gorm.DB) error {
			return tx.Session(&gorm.Session{DryRun: true}).Create(&Product{SKU: "b"}).Error
		})
		quiet("an update without a condition", func(tx *gorm.DB) error { return tx.Model(&Product{}).Update("price", 3).Error })
		oracle.Check(t, db, audit.Repository(), modelTables...)
	})
}

func TestOneTransactionOneID(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d)
		err := db.Transaction(func(tx *gorm.DB) error {
			if err := tx.Create(&[]Product{{SKU: "a"}, {SKU: "b"}}).Error; err != nil {
				return err
			}
			prepared := tx.Session(&gorm.Session{PrepareStmt: true})
			if err := prepared.Model(&Product{SKU: "a"}).Update("price", 1).Error; err != nil {
				return err
			}
			return tx.Transaction(func(tx *gorm.DB) error { return tx.Delete(&Product{SKU: "b"}).Error })
		})
		if err != nil {
			t.Fatal(err)
		}
		must(t, db.Create(&Product{SKU: "c"}))
		must(t, db.Create(&Product{SKU: "d"}))
		ids := map[string]int{}
		for _, e := range trail(t, audit, event.Filter{}) {
			ids[e.TransactionID]++
		}
		if len(ids) != 3 || ids[""] != 0 {
			t.Errorf("transactions: %v, want one of four events and two of one", ids)
		}
	})
}

func TestCancelledContext(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d)
		ctx, cancel := context.WithCancel(context.Background())
		err := db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
			if err := tx.Create(&Product{SKU: "a"}).Error; err != nil {
				return err
			}
			cancel()
			return tx.Create(&Product{SKU: "b"}).Error
		})
		if err == nil {
			t.Error("the transaction committed")
		}
		oracle.Check(t, db, audit.Repository(), modelTables...)
		if n := len(trail(t, audit, event.Filter{})); n != 0 {
			t.Errorf("%d events", n)
		}
	})
}
