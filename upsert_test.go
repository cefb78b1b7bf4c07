package eventaudit_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/oracle"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

// eachWay runs a test on every kind of database, and on MariaDB that must not
// use RETURNING, which is as MySQL is. The function opens the database, with
// the tables of the models.
func eachWay(t *testing.T, test func(t *testing.T, d *testdb.Database, open func() *gorm.DB)) {
	t.Helper()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		test(t, d, func() *gorm.DB { return prepare(t, d) })
	})
	t.Run("without returning", func(t *testing.T) {
		t.Parallel()
		d := testdb.New(t, testdb.MariaDB)
		test(t, d, func() *gorm.DB { return withoutReturning(t, d) })
	})
}

// Upserts of the same new keys meet rows that were not there when they looked.
// Their values before are known all the same.
func TestConcurrentUpsertsOfTheSameKeys(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, d *testdb.Database, open func() *gorm.DB) {
		db, audit := use(t, open())
		up := clause.OnConflict{
			Columns:   []clause.Column{{Name: "sku"}, {Name: "warehouse"}},
			DoUpdates: clause.Assignments(map[string]any{"amount": gorm.Expr("stocks.amount + 1")}),
		}
		const goroutines, keys = 8, 60
		var group sync.WaitGroup
		for range goroutines {
			group.Go(func() {
				for key := range keys {
					if err := db.Clauses(up).Create(&Stock{SKU: "a", Warehouse: 1 + key, Amount: 1}).Error; err != nil {
						t.Errorf("upsert: %v", err)
					}
				}
			})
		}
		group.Wait()
		oracle.Check(t, db, audit.Repository(), modelTables...)
		events := trail(t, audit, event.Filter{})
		if len(events) != goroutines*keys {
			t.Errorf("%d events, want %d", len(events), goroutines*keys)
		}
		for _, e := range events {
			if e.BeforeUnknown {
				t.Errorf("event %d of %s does not know the values before: %s", e.Sequence, e.ActionObjectID, e.Result)
			}
		}
	})
}

// Upserts of different new keys do not wait for each other, so they cannot end
// in a deadlock: the look for rows in their way locks none that are not there.
func TestConcurrentUpsertsOfDifferentKeys(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, d *testdb.Database, open func() *gorm.DB) {
		db, audit := use(t, open())
		for name, insert := range map[string]func(...Document) error{
			"update all": func(x ...Document) error { return db.Clauses(clause.OnConflict{UpdateAll: true}).Create(x).Error },
			"do nothing": func(x ...Document) error { return db.Clauses(clause.OnConflict{DoNothing: true}).Create(x).Error },
			"save":       func(x ...Document) error { return db.Save(&x[0]).Error },
		} {
			var failed atomic.Int64
			var wg sync.WaitGroup
			for g := range 8 {
				wg.Go(func() {
					for i := range 40 {
						id := fmt.Sprintf("%s%05d-%d", name, i*7919%1000, g)
						if err := insert(Document{ID: id}, Document{ID: id + "+"}); err != nil {
							failed.Add(1)
						}
					}
				})
			}
			wg.Wait()
			if failed.Load() > 0 {
				t.Errorf("%s: %d of 320 failed", name, failed.Load())
			}
		}
		oracle.Check(t, db, audit.Repository(), modelTables...)
	})
}

// The look reads what the transaction began with; the upsert meets what is
// there now.
func TestUpsertBehindASnapshot(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, d *testdb.Database, open func() *gorm.DB) {
		if d.Kind() != testdb.MariaDB && d.Kind() != testdb.Postgres {
			return // a transaction of SQLite cannot write behind its snapshot
		}
		db := open()
		if err := db.AutoMigrate(&Ledger{}); err != nil {
			t.Fatal(err)
		}
		db, audit := use(t, db)
		must(t, db.Create(&[]Ledger{{ID: 2, Email: named("b")}, {ID: 3, Email: named("c")}, {ID: 4, Email: named("d")}}))
		tx := db.Begin()
		var n int64
		must(t, tx.Model(&Ledger{}).Count(&n))
		must(t, db.Create(&Ledger{ID: 1, Email: named("a"), N: 10})) // not in the snapshot
		must(t, db.Model(&Ledger{ID: 3}).Update("n", 30))            // another one in it
		must(t, db.Delete(&Ledger{ID: 4}))                           // only in it
		must(t, tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "id"}}, DoUpdates: clause.AssignmentColumns([]string{"n"})}).
			Create(&[]Ledger{{ID: 1, Email: named("x"), N: 11}, {ID: 3, Email: named("y"), N: 31}, {ID: 4, Email: named("z"), N: 41}, {ID: 5, Email: named("e"), N: 51}}))
		must(t, tx.Commit())
		compare(t, []string{
			`changed Ledger 1 {"old":{"n":10},"new":{"n":11}}`, `changed Ledger 3 {"old":{"n":30},"new":{"n":31}}`, "created Ledger 4", "created Ledger 5",
		}, trail(t, audit, event.Filter{})[6:])
		oracle.Check(t, db, audit.Repository(), ledgers)
	})
}

// On a connection of its own an upsert is undone and done again as elsewhere.
func TestUpsertOutsideOfATransaction(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, _ *testdb.Database, open func() *gorm.DB) {
		db, audit := use(t, open())
		must(t, db.Create(&Product{SKU: "a", State: "s"}))
		err := db.Session(&gorm.Session{SkipDefaultTransaction: true}).Connection(func(tx *gorm.DB) error {
			return tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&[]Product{{SKU: "a", Price: 1, State: "s"}, {SKU: "b"}}).Error
		})
		if err != nil {
			t.Fatal(err)
		}
		compare(t, []string{changedPrice("a", "0", "1"), "created Product b"}, trail(t, audit, event.Filter{})[1:])
		oracle.Check(t, db, audit.Repository(), modelTables...)
	})
}

// Under this mode of MariaDB a statement cannot see what it assigned before.
func TestUpsertOfTheKeyUnderSimultaneousAssignment(t *testing.T) {
	t.Parallel()
	d := testdb.New(t, testdb.MariaDB)
	db := prepare(t, d)
	if err := db.AutoMigrate(&Ledger{}); err != nil {
		t.Fatal(err)
	}
	db, audit := use(t, db)
	must(t, db.Create(&Ledger{ID: 1, Email: named("a")}))
	err := db.Connection(func(tx *gorm.DB) error {
		must(t, tx.Exec("SET SESSION sql_mode = CONCAT(@@sql_mode, ',SIMULTANEOUS_ASSIGNMENT')"))
		tx = tx.Session(&gorm.Session{})
		must(t, tx.Clauses(clause.OnConflict{DoUpdates: clause.AssignmentColumns([]string{"n"})}).Create(&Ledger{ID: 9, Email: named("a"), N: 1}))
		return tx.Clauses(clause.OnConflict{DoUpdates: clause.AssignmentColumns([]string{"id"})}).Create(&Ledger{ID: 9, Email: named("a")}).Error
	})
	if err == nil || !strings.Contains(err.Error(), "SIMULTANEOUS_ASSIGNMENT") {
		t.Errorf("err = %v", err)
	}
	compare(t, []string{`changed Ledger 1 {"old":{"n":0},"new":{"n":1}}`}, trail(t, audit, event.Filter{})[1:])
	oracle.Check(t, db, audit.Repository(), ledgers)
}

// Within a transaction of the app the look for an upsert fixes what plain reads
// see from there on. Locking reads see what is there.
func TestLockingReadsBehindAnUpsert(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, d *testdb.Database, open func() *gorm.DB) {
		if d.Kind() != testdb.MariaDB {
			return
		}
		db, audit := use(t, open())
		must(t, db.Create(&[]Product{{SKU: "turn", State: "0"}, {SKU: "data", State: "0"}}))
		tx := db.Begin()
		must(t, tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&Product{SKU: "turn", State: "taken"}))
		must(t, db.Model(&Product{SKU: "data"}).Update("state", "1"))
		var data Product
		must(t, tx.Clauses(clause.Locking{Strength: "SHARE"}).Take(&data, "sku = ?", "data"))
		must(t, tx.Commit())
		if data.State != "1" {
			t.Errorf("behind the upsert the state is %q, want 1", data.State)
		}
		oracle.Check(t, db, audit.Repository(), modelTables...)
	})
}

// An upsert leaves nothing of its trace on the connection.
func TestUpsertLeavesNoTrace(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, d *testdb.Database, open func() *gorm.DB) {
		if d.Kind() != testdb.MariaDB {
			return
		}
		db, _ := use(t, open())
		err := db.Connection(func(tx *gorm.DB) error {
			for range 2 {
				must(t, tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&[]Product{{SKU: "a"}, {SKU: "a"}}))
			}
			var left *string
			must(t, tx.Raw("SELECT @event_audit_met").Scan(&left))
			if left != nil {
				t.Errorf("the variable is %q", *left)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
