package eventaudit_test

import (
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/oracle"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

// A row that an upsert inserts and moves to another key at once is followed.
func TestUpsertsThatMoveTheirOwnRows(t *testing.T) {
	t.Parallel()
	const ddl = "CREATE TABLE seats (id integer PRIMARY KEY, name varchar(20), seat integer UNIQUE, n integer)"
	for _, kind := range onSQLite {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			db, audit := install(t, testdb.New(t, kind))
			must(t, db.Exec(ddl))
			must(t, db.Table("seats").Create(seat(9, "old", 2, 0)))
			must(t, db.Table("seats").Clauses(clause.OnConflict{Columns: conflicts("seat"), DoUpdates: brought("id", "n")}).Create([]map[string]any{
				seat(1, "a", 1, 1), seat(2, "b", 1, 2), seat(3, "c", 1, 3), seat(4, "d", 2, 4), seat(5, "e", 2, 5),
			}))
			must(t, db.Table("seats").Clauses(clause.OnConflict{Columns: conflicts("seat"), DoUpdates: brought("id", "n")}).Create([]map[string]any{
				seat(6, "f", 3, 1), seat(6, "g", 3, 2), seat(7, "h", 3, 3), // changed where it is before it moves
			}))
			must(t, db.Table("seats").Clauses(clause.OnConflict{Columns: conflicts("seat"), DoUpdates: brought("id", "n")}).Create([]map[string]any{
				seat(20, "i", 4, 1), seat(21, "j", 4, 2), seat(20, "k", 5, 3), seat(22, "l", 5, 4), // two leave the same key, one after the other
			}))
			oracle.Check(t, db, audit.Repository(), seats)
			if n := count(t, db, "seats"); n != 5 {
				t.Errorf("%d seats, want 5", n)
			}
		})
	}
}

// An upsert that meets the same row twice has one event of it where triggers
// may alter it in between.
func TestTriggersBetweenUpsertsOfOneRow(t *testing.T) {
	t.Parallel()
	for _, kind := range onSQLite {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			d := testdb.New(t, kind)
			db, audit := install(t, d)
			trigger(t, d, db, "AFTER UPDATE", "UPDATE products SET price = price + 1 WHERE sku = NEW.sku", "")
			must(t, db.Create(&Product{SKU: "a"}))
			must(t, db.Save(&[]Product{{SKU: "a", Price: 5}, {SKU: "a", Price: 7}, {SKU: "b"}, {SKU: "b", Price: 1}}))
			oracle.Check(t, db, audit.Repository(), modelTables...)
			if got := len(trail(t, audit, event.Filter{})); got != 3 {
				t.Errorf("%d events, want 3", got)
			}
		})
	}
}

// A row takes the key from which a trigger has just moved the one before it.
func TestTriggersThatMakeRoom(t *testing.T) {
	t.Parallel()
	for _, kind := range onSQLite {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			d := testdb.New(t, kind)
			db, audit := install(t, d)
			trigger(t, d, db, "AFTER INSERT", "UPDATE products SET sku = NEW.sku || 'x', title = 'moved' WHERE sku = NEW.sku AND title = 'move'", "")
			must(t, db.Create(&[]Product{{SKU: "c"}, {SKU: "a", Title: "move"}, {SKU: "a", Title: "late"}}))
			must(t, db.Clauses(clause.OnConflict{DoNothing: true}).Create(&[]Product{{SKU: "b", Title: "move"}, {SKU: "b"}, {SKU: "b"}}))
			oracle.Check(t, db, audit.Repository(), modelTables...)
			if n := count(t, db, "products"); n != 5 {
				t.Errorf("%d products, want 5", n)
			}
		})
	}
}

// What GORM cannot take of a statement that succeeded stays, as without the
// plugin, and so does its event.
func TestRowsThatGORMCannotTake(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d)
		rows := []map[string]any{{"name": "Ann"}} // GORM scans keys into pointers only
		alone := db.Session(&gorm.Session{SkipDefaultTransaction: true})
		if err := alone.Model(&Customer{}).Create(rows).Error; err == nil {
			t.Error("GORM can take the rows")
		}
		err := alone.Connection(func(tx *gorm.DB) error {
			return tx.Session(&gorm.Session{}).Model(&Customer{}).Create(rows).Error
		})
		if err == nil {
			t.Error("GORM can take the rows of a connection")
		}
		if n := count(t, db, "customers"); n != 2 {
			t.Errorf("%d customers, want 2", n)
		}
		oracle.Check(t, d.Open(t), audit.Repository(), modelTables...)
	})
}
