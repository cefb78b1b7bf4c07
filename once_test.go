package eventaudit_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/hooks"
	"github.com/eventaudit/eventaudit/internal/oracle"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/internal/testredis"
)

// affects fails the test unless the statement changed so many rows.
func affects(t *testing.T, what string, n int64, tx *gorm.DB) {
	t.Helper()
	if tx.Error != nil || tx.RowsAffected != n {
		t.Errorf("%s: %d rows, %v; want %d", what, tx.RowsAffected, tx.Error, n)
	}
}

// random is the function of chance.
func random(db *gorm.DB) string {
	if db.Name() == "mysql" {
		return "RAND()"
	}
	return "RANDOM()"
}

// A condition may choose other rows each time it is evaluated.
func TestRowsChosenAtRandom(t *testing.T) {
	t.Parallel()
	everyWay(t, func(t *testing.T, d *testdb.Database, db *gorm.DB, audit *eventaudit.Auditor) {
		for i := range 20 {
			must(t, db.Create(&Customer{Name: fmt.Sprint("c", i)}))
		}
		pick := func() *gorm.DB {
			return db.Table("(?) AS q", db.Model(&Customer{}).Select("id").Order(random(db)).Limit(1)).Select("id")
		}
		for i := range 5 {
			affects(t, "update", 1, db.Model(&Customer{}).Where("id = (?)", pick()).Update("name", fmt.Sprint("winner ", i)))
			if n := len(trail(t, audit, event.Filter{Action: event.ActionChanged})); n != i+1 {
				t.Errorf("%d events of %d changes", n, i+1)
			}
		}
		affects(t, "delete", 1, db.Unscoped().Where("id = (?)", pick()).Delete(&Customer{}))
		affects(t, "update of nothing", 0, db.Model(&Customer{}).Where("id = (?)", pick().Where("1 = 0")).Update("name", "nobody"))
		oracle.Check(t, d.Open(t), audit.Repository(), modelTables...)
	})
}

// Under REPEATABLE READ an UPDATE sees in its subqueries what was committed last,
// and a SELECT what the snapshot has.
func TestSubqueriesBehindASnapshot(t *testing.T) {
	t.Parallel()
	everyWay(t, func(t *testing.T, d *testdb.Database, db *gorm.DB, audit *eventaudit.Auditor) {
		if d.Kind() != testdb.MariaDB {
			return
		}
		other := d.Open(t)
		must(t, db.Create(&Customer{Name: "buyer"}))
		must(t, db.Create(&Product{SKU: "old"}))
		err := db.Transaction(func(tx *gorm.DB) error {
			must(t, tx.First(&Customer{})) // takes the snapshot
			must(t, other.Exec("INSERT INTO documents (id) VALUES ('1')"))
			affects(t, "update", 1, tx.Model(&Customer{}).Where("id IN (?)", tx.Model(&Document{}).Select("id")).Update("name", "vip"))
			affects(t, "delete", 1, tx.Where("sku = 'old' AND EXISTS (?)", tx.Model(&Document{}).Select("id")).Delete(&Product{}))
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		must(t, other.Exec("DELETE FROM documents"))
		oracle.Check(t, d.Open(t), audit.Repository(), modelTables...)
	})
}

// Of two workers that claim the oldest job the second waits for the first, and
// takes the next one.
func TestTwoWorkersClaimTwoJobs(t *testing.T) {
	t.Parallel()
	everyWay(t, func(t *testing.T, d *testdb.Database, db *gorm.DB, audit *eventaudit.Auditor) {
		if d.Kind() != testdb.MariaDB {
			return
		}
		must(t, db.Create(&[]Product{{SKU: "1", State: "new"}, {SKU: "2", State: "new"}, {SKU: "3", State: "new"}}))
		claim := func(tx *gorm.DB) *gorm.DB {
			oldest := tx.Table("(?) AS q", tx.Model(&Product{}).Select("sku").Where("state = ?", "new").Order("sku").Limit(1)).Select("sku")
			return tx.Model(&Product{}).Where("sku = (?)", oldest).Update("state", "claimed")
		}
		first := db.Begin()
		affects(t, "the first worker", 1, claim(first))
		second := make(chan *gorm.DB)
		go func() { second <- claim(db) }()
		waiting := "SELECT count(*) FROM information_schema.processlist WHERE db = DATABASE() AND info LIKE '%FOR UPDATE' AND time_ms > 50"
		beside := d.Open(t)
		testredis.Eventually(t, "the second worker waits", func(ctx context.Context) error {
			var n int
			if err := beside.WithContext(ctx).Raw(waiting).Scan(&n).Error; err != nil || n > 0 {
				return err
			}
			return errors.New("it does not")
		})
		must(t, first.Commit())
		affects(t, "the second worker", 1, <-second)
		oracle.Check(t, d.Open(t), audit.Repository(), modelTables...)
	})
}

// A key that is another one each time it is asked for.
func TestOneKeyFromAFunction(t *testing.T) {
	t.Parallel()
	db, audit := install(t, testdb.New(t, testdb.SQLitePure))
	must(t, db.Create(&[]Document{{ID: "x"}, {ID: "y"}, {ID: "z"}}))
	affects(t, "one", 1, db.Model(&Document{}).Where("id = 'x'").Update("id", gorm.Expr("hex(randomblob(8))")))
	oracle.Check(t, db, audit.Repository(), modelTables...)
	if err := db.Model(&Document{}).Where("id <> 'x'").Update("id", gorm.Expr("hex(randomblob(8))")).Error; !errors.Is(err, hooks.ErrCapture) {
		t.Errorf("several: %v, want ErrCapture", err)
	}
	oracle.Check(t, db, audit.Repository(), modelTables...)
}

// Reading is a row of which the time is the key.
type Reading struct {
	At time.Time `gorm:"primaryKey"`
	N  int
}

// SQLite keeps a time as a text with its zone: one moment in two zones is two
// keys.
func TestOneMomentInTwoZones(t *testing.T) {
	t.Parallel()
	for _, kind := range []testdb.Kind{testdb.SQLiteCgo, testdb.SQLitePure} {
		db, audit := install(t, testdb.New(t, kind))
		if err := db.AutoMigrate(&Reading{}); err != nil {
			t.Fatal(err)
		}
		at := time.Date(2024, 7, 1, 10, 0, 0, 0, time.UTC)
		there := at.In(time.FixedZone("CEST", 7200))
		events := 0
		changes := func(what string, n int, tx *gorm.DB) {
			affects(t, what, int64(n), tx)
			events += n
			if got := len(trail(t, audit, event.Filter{})); got != events {
				t.Errorf("%s: %d events, want %d", what, got, events)
			}
		}
		changes("create", 2, db.Create(&[]Reading{{At: at}, {At: there}}))
		changes("update of one", 1, db.Model(&Reading{At: there}).Update("n", 7))
		changes("update of both", 2, db.Model(&Reading{}).Where("1 = 1").Update("n", gorm.Expr("n + 1")))
		changes("upsert", 2, db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&[]Reading{{At: at, N: 100}, {At: there, N: 200}}))
		changes("delete", 1, db.Delete(&Reading{At: at}))
	}
}

// What ends by its context says so.
func TestTheErrorOfAnEndedContext(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, _ := install(t, d)
		must(t, db.Create(&Customer{Name: "x"}))
		must(t, db.Create(&Product{SKU: "a"}))
		errUndo := errors.New("undo")
		for i := range 300 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%150)*20*time.Microsecond)
			err := db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
				if err := tx.Model(&Customer{}).Where("id = 1").Update("name", fmt.Sprint(i)).Error; err != nil {
					return err
				}
				if err := tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&Product{SKU: "a", Title: fmt.Sprint(i)}).Error; err != nil {
					return err
				}
				return errUndo
			})
			cancel()
			if err == nil || err.Error() == "sql: Rows are closed" || errors.Is(err, hooks.ErrCapture) && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, sql.ErrTxDone) {
				t.Errorf("%d: %v", i, err)
			}
		}
	})
}

// However many rows a condition chooses, those that change are those that were
// looked at.
func TestManyRowsChosenAtRandom(t *testing.T) {
	t.Parallel()
	everyWay(t, func(t *testing.T, d *testdb.Database, db *gorm.DB, audit *eventaudit.Auditor) {
		var customers []Customer
		for range 9000 {
			customers = append(customers, Customer{Name: "new"})
		}
		must(t, db.CreateInBatches(&customers, 500))
		done := db.Model(&Customer{}).Where("id > 0 AND "+map[bool]string{true: "RAND() < 0.5", false: "random() < 0.5"}[db.Name() == "mysql"]).
			Where("name = ?", "new").Update("name", "chosen")
		if db.Name() == "sqlite" { // where random is a whole number
			done = db.Model(&Customer{}).Where("abs(random()) % 2 = 0 AND name = ?", "new").Update("name", "chosen")
		}
		var chosen int64
		must(t, db.Model(&Customer{}).Where("name = 'chosen'").Count(&chosen))
		events := len(trail(t, audit, event.Filter{Action: event.ActionChanged}))
		if done.Error != nil || int64(events) != chosen || chosen < 3000 {
			t.Errorf("%d rows are chosen and %d events are there (%v)", chosen, events, done.Error)
		}
	})
}

// Share is a row with a key of two columns.
type Share struct {
	Tenant int    `gorm:"primaryKey;autoIncrement:false"`
	ID     int    `gorm:"primaryKey;autoIncrement:false"`
	Note   string `gorm:"size:20"`
}

// A key of two columns makes a long condition of many rows.
func TestManyRowsWithAKeyOfTwoColumns(t *testing.T) {
	t.Parallel()
	everyWay(t, func(t *testing.T, _ *testdb.Database, db *gorm.DB, audit *eventaudit.Auditor) {
		if err := db.AutoMigrate(&Share{}); err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{400, 1500, 2500} {
			var shares []Share
			for i := range n {
				shares = append(shares, Share{Tenant: n, ID: i, Note: "x"})
			}
			must(t, db.CreateInBatches(&shares, 500))
			affects(t, fmt.Sprint(n), int64(n), db.Model(&Share{}).Where("tenant = ? AND tenant IN (?)", n, db.Model(&Share{}).Select("tenant")).Update("note", "y"))
			if got := len(trail(t, audit, event.Filter{Action: event.ActionChanged})); got != n {
				t.Errorf("%d events of %d changes", got, n)
			}
			must(t, db.Exec("DELETE FROM event_audit_event"))
		}
	})
}

// A column may be called like a function of chance.
func TestColumnsThatAreCalledLikeChance(t *testing.T) {
	t.Parallel()
	db, audit := install(t, testdb.New(t, testdb.Postgres))
	must(t, db.Exec("CREATE TABLE sightings (uuid uuid, random int)"))
	id := "5f0c1a52-52a5-4e7e-9c1e-0d7f3b1f2a10"
	must(t, db.Table("sightings").Create(columns{"uuid": id, "random": 1}))
	affects(t, "update", 1, db.Table("sightings").Where("uuid = ?::uuid AND random = 1", id).Update("random", 2))
	if err := db.Table("sightings").Where("random() < 2").Update("random", 3).Error; err == nil {
		t.Error("rows without a key that are chosen at random were captured")
	}
	if n := len(trail(t, audit, event.Filter{})); n != 2 {
		t.Errorf("%d events, want 2", n)
	}
}

// Another process may put a view in the place of a table.
func TestAViewInTheTablesPlace(t *testing.T) {
	t.Parallel()
	d := testdb.New(t, testdb.Postgres)
	db, audit := install(t, d)
	must(t, db.Create(&Document{ID: "x"}))
	other := d.Open(t)
	must(t, other.Exec("ALTER TABLE documents RENAME TO papers"))
	must(t, other.Exec("CREATE VIEW documents AS SELECT * FROM papers"))
	if err := db.Create(&Document{ID: "y"}).Error; err != nil {
		must(t, db.Create(&Document{ID: "y"})) // it is looked at anew
	}
	must(t, db.Delete(&Document{ID: "x"}))
	if n := len(trail(t, audit, event.Filter{})); n != 3 {
		t.Errorf("%d events, want 3", n)
	}
}
