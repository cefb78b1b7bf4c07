package eventaudit_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/glebarez/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/hooks"
	"github.com/eventaudit/eventaudit/internal/oracle"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/migrate"
)

// A plugin that replaces GORM's own callback without calling ours would make
// changes unseen; instead they fail.
func TestAReplacedCallbackFailsLoudly(t *testing.T) {
	t.Parallel()
	db, _ := install(t, testdb.New(t, testdb.SQLitePure))
	unseen := func(db *gorm.DB) { db.RowsAffected = 1 }
	err := errors.Join(
		db.Callback().Create().Replace("gorm:create", unseen),
		db.Callback().Update().Replace("gorm:update", unseen),
		db.Callback().Delete().Replace("gorm:delete", unseen))
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"create": db.Create(&Product{SKU: "a"}).Error,
		"update": db.Model(&Product{SKU: "a"}).Update("price", 1).Error,
		"delete": db.Delete(&Product{SKU: "a"}).Error,
	} {
		if !errors.Is(err, hooks.ErrBypassed) {
			t.Errorf("%s: err = %v, want ErrBypassed", name, err)
		}
	}
}

// Apps look behind GORM; what they find there stays what it was.
func TestConnectionsStayWhatTheyWere(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, _ := install(t, d)
		if _, ok := db.ConnPool.(*sql.DB); !ok {
			t.Errorf("db.ConnPool is %T", db.ConnPool)
		}
		err := db.Transaction(func(tx *gorm.DB) error {
			must(t, tx.Create(&Product{SKU: "a"}))
			if _, ok := tx.Statement.ConnPool.(*sql.Tx); !ok {
				t.Errorf("tx.Statement.ConnPool is %T", tx.Statement.ConnPool)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		pool, err := db.DB()
		if err != nil {
			t.Fatal(err)
		}
		if open := pool.Stats().InUse; open != 0 {
			t.Errorf("%d connections are still in use", open)
		}
	})
}

// A table that changes while the app runs is recorded as it is now.
func TestASchemaThatChangesUnderway(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d)
		must(t, db.Create(&Product{SKU: "a"}))
		must(t, db.Model(&Product{SKU: "a"}).Update("price", 1))
		must(t, db.Exec("ALTER TABLE products ADD COLUMN weight int"))
		must(t, db.Model(&Product{SKU: "a"}).Update("price", 3)) // the same statement as before
		must(t, db.Create(&Product{SKU: "b"}))
		must(t, db.Delete(&Product{SKU: "b"}))
		must(t, db.Table("products").Where("sku = ?", "a").Updates(map[string]any{"weight": 5}))
		events := trail(t, audit, event.Filter{})
		if got := string(events[len(events)-1].Result); got != `{"old":{"weight":null},"new":{"weight":5}}` {
			t.Errorf("after ADD COLUMN: %s", got)
		}
		must(t, db.Exec("ALTER TABLE products DROP COLUMN weight"))
		must(t, db.Model(&Product{SKU: "a"}).Update("price", 2))
		must(t, db.Delete(&Product{SKU: "a"}))
		events = trail(t, audit, event.Filter{})
		if got := string(events[len(events)-1].Result); got != `{"old":{"sku":"a","title":"","price":2,"state":"draft"}}` {
			t.Errorf("after DROP COLUMN: %s", got)
		}
	})
}

// SQLite refuses, without waiting, a transaction that reads first and writes
// when another has written in between. Capture reads before it writes, so it
// takes the write lock before it reads.
func TestSQLiteTakesItsWriteLockFirst(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "deferred.db")
	db, err := gorm.Open(sqlite.Open(file+"?_pragma=busy_timeout(600000)&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)"), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(migrate.Up(db), db.AutoMigrate(&Product{}, &Customer{}, &Stock{}, &Document{})); err != nil {
		t.Fatal(err)
	}
	db, audit := use(t, db)
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	})
	must(t, db.Create(&[]Product{{SKU: "a"}, {SKU: "b"}}))
	var group sync.WaitGroup
	for g := range 8 {
		group.Go(func() {
			for n := range 40 {
				tx := db.WithContext(event.WithActor(context.Background(), fmt.Sprint(g)))
				if err := tx.Model(&Product{}).Where("sku = ?", "ab"[n%2:n%2+1]).Update("price", gorm.Expr("price + 1")).Error; err != nil {
					t.Errorf("update: %v", err)
				}
				if err := tx.Save(&Stock{SKU: "a", Warehouse: 1 + g, Amount: n}).Error; err != nil {
					t.Errorf("save: %v", err)
				}
			}
		})
	}
	group.Wait()
	oracle.Check(t, db, audit.Repository(), modelTables...)
	if n := len(trail(t, audit, event.Filter{ActionObject: "Product", Action: event.ActionChanged})); n != 8*40 {
		t.Errorf("%d changes of products, want %d", n, 8*40)
	}
}
