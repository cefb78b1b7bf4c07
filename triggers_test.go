package eventaudit_test

import (
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/oracle"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

// moving makes a trigger that gives products whose title is "move" another key.
func moving(t *testing.T, d *testdb.Database, db *gorm.DB, when string) {
	t.Helper()
	if d.Kind() == testdb.MariaDB {
		trigger(t, d, db, "BEFORE "+when, "SET NEW.sku = IF(NEW.title = 'move', CONCAT(NEW.sku, '-moved'), NEW.sku)", "")
		return
	}
	trigger(t, d, db, "AFTER "+when, "UPDATE products SET sku = NEW.sku || '-moved', title = 'moved' WHERE sku = NEW.sku AND title = 'move'", "")
}

func outline(events []event.Event) []string {
	var all []string
	for _, e := range events {
		all = append(all, strings.TrimSpace(e.Action+" "+e.ActionObjectID+" "+e.TargetID))
	}
	slices.Sort(all)
	return all
}

// A row that a trigger gives another key is followed to it.
func TestTriggersThatMoveKeys(t *testing.T) {
	t.Parallel()
	everyWay(t, func(t *testing.T, d *testdb.Database, db *gorm.DB, audit *eventaudit.Auditor) {
		must(t, db.Create(&[]Product{{SKU: "a"}, {SKU: "b"}, {SKU: "c", Price: 5}, {SKU: "d", Price: 5}}))
		if d.Kind() != testdb.MariaDB {
			moving(t, d, db, "UPDATE")
		} else { // another process makes it, behind the back of the catalog's cache
			moving(t, d, d.Open(t), "UPDATE")
			if err := db.Model(&Product{SKU: "a"}).Update("title", "move").Error; err == nil {
				t.Error("a row was not found again, and nobody said so")
			}
		}
		tx := db.Model(&Product{SKU: "a"}).Update("title", "move")
		if tx.Error != nil || tx.RowsAffected != 1 {
			t.Errorf("%v, %d rows, want 1", tx.Error, tx.RowsAffected)
		}
		if got := outline(trail(t, audit, event.Filter{ActionObjectID: "a", Action: event.ActionChanged})); !slices.Equal(got, []string{"changed a a-moved"}) {
			t.Errorf("events: %v", got)
		}
		must(t, db.Model(&Product{SKU: "b"}).Update("title", "stay"))
		must(t, db.Model(&Product{}).Where("price = 5").Update("title", "move"))
		must(t, db.Delete(&Product{SKU: "c-moved"}))
		if err := db.Save(&[]Product{{SKU: "b", Title: "move"}, {SKU: "new"}}).Error; err != nil {
			t.Logf("upsert: %v", err) // refused where the rows cannot be had back
		}
		oracle.Check(t, db, audit.Repository(), modelTables...)
		if n := count(t, db, "products"); n < 3 {
			t.Errorf("%d products, want 3 or 4", n)
		}
	})
}

// Where a trigger gives rows other keys and nothing leads from the old to the
// new one, an upsert that does so too is refused, and an update is not.
func TestStatementsThatMoveKeysBesideTriggers(t *testing.T) {
	t.Parallel()
	for kind, text := range map[testdb.Kind]string{
		testdb.SQLitePure: "CREATE TRIGGER moves AFTER UPDATE ON seats WHEN NEW.n = 3 BEGIN UPDATE seats SET id = NEW.id + 2, n = 0 WHERE id = NEW.id; END",
		testdb.SQLiteCgo:  "CREATE TRIGGER moves AFTER UPDATE ON seats WHEN NEW.n = 3 BEGIN UPDATE seats SET id = NEW.id + 2, n = 0 WHERE id = NEW.id; END",
		testdb.MariaDB:    "CREATE TRIGGER moves BEFORE UPDATE ON seats FOR EACH ROW SET NEW.id = NEW.id + (NEW.n = 3)",
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			db, audit := install(t, testdb.New(t, kind))
			ddl(t, db, strings.Replace(seatsTable, "name varchar(20)", "name varchar(20) UNIQUE", 1), text)
			must(t, db.Table("seats").Create([]map[string]any{seat(0, "a", 1, 0), seat(1, "b", 2, 3), seat(9, "z", 9, 3), seat(-4, "y", 9, 5)}))
			up := clause.OnConflict{Columns: conflicts("name"), DoUpdates: brought("id")}
			if err := db.Table("seats").Clauses(up).Create(seat(5, "a", 1, 0)).Error; err == nil || !strings.Contains(err.Error(), "leave the key out") {
				t.Errorf("upsert: err = %v, want a refusal", err)
			}
			if kind == testdb.MariaDB {
				up.DoUpdates = brought("seat")
				own := []map[string]any{seat(7, "c", 1, 3), seat(7, "d", 2, 3)} // the second one moves the first
				if err := db.Table("seats").Clauses(up).Create(own).Error; err == nil || !strings.Contains(err.Error(), "rows of its own") {
					t.Errorf("upsert of its own rows: err = %v, want a refusal", err)
				}
			} else { // moves the second one away, and the trigger back
				must(t, db.Table("seats").Where("id < 2 AND n < 4").Update("id", gorm.Expr("0 - id")))
			}
			if kind == testdb.MariaDB { // past a key that is taken
				if err := db.Table("seats").Where("id = 9").Update("id", -4).Error; err == nil || !strings.Contains(err.Error(), "nobody can tell") {
					t.Errorf("update: err = %v, want a refusal", err)
				}
				// The first goes where the second was to go.
				must(t, db.Table("seats").Create([]map[string]any{seat(10, "j", 5, 3), seat(11, "k", 5, 3)}))
				must(t, db.Table("seats").Where("seat = 5").Order("id DESC").Update("id", gorm.Expr("id + 1")))
				if changed := trail(t, audit, event.Filter{ActionObjectID: "11", Action: event.ActionChanged}); len(changed) > 0 {
					t.Errorf("events: %v", outline(changed))
				}
			} else {
				ddl(t, db, "CREATE TRIGGER room BEFORE UPDATE OF id ON seats WHEN NEW.id = -4 BEGIN UPDATE seats SET id = id + 100 WHERE id = NEW.id AND id <> OLD.id; END")
				if err := db.Table("seats").Where("id = 9").Update("id", -4).Error; err == nil || !strings.Contains(err.Error(), "nobody can tell") {
					t.Errorf("update: err = %v, want a refusal", err)
				}
			}
			keeps := clause.OnConflict{Columns: conflicts("id"), DoUpdates: brought("id", "seat")}
			if kind != testdb.MariaDB { // there another index may be in the way
				must(t, db.Table("seats").Clauses(keeps).Create([]map[string]any{seat(0, "a", 7, 0), seat(40, "x", 8, 0)}))
			}
			oracle.Check(t, db, audit.Repository(), seats)
		})
	}
}

// A row that a trigger gives the key which another row has just left is not
// taken for that one.
func TestTriggersThatMoveKeysInAChain(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]testdb.Kind{
		"postgres": testdb.Postgres, "a function that a trigger calls": testdb.Postgres, "sqlite-pure": testdb.SQLitePure,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := testdb.New(t, kind)
			db, audit := install(t, d)
			must(t, db.Create(&[]Product{{SKU: "a-moved", Price: 1}, {SKU: "a", Price: 2}, {SKU: "b", Price: 3}, {SKU: "gone", Price: 4}}))
			if name == "a function that a trigger calls" {
				must(t, db.Exec(`CREATE FUNCTION move(key text) RETURNS void LANGUAGE sql AS $$
					UPDATE products SET sku = key || '-moved', title = 'moved' WHERE sku = key AND title = 'move' $$`))
				trigger(t, d, db, "AFTER UPDATE", "PERFORM move(NEW.sku)", "")
			} else {
				moving(t, d, db, "UPDATE")
			}
			must(t, db.Model(&Product{}).Where("price < 9").Update("title", "move"))
			oracle.Check(t, db, audit.Repository(), modelTables...)
			if d.Kind() != testdb.Postgres {
				return // several that move at once are deleted and created
			}
			got := outline(trail(t, audit, event.Filter{Action: event.ActionChanged}))
			if want := []string{"changed a a-moved", "changed a-moved a-moved-moved", "changed b b-moved", "changed gone gone-moved"}; !slices.Equal(got, want) {
				t.Errorf("events: %v, want %v", got, want)
			}
		})
	}
}

// A new row is recorded under the key that a trigger gave it.
func TestTriggersThatMoveNewRows(t *testing.T) {
	t.Parallel()
	everyWay(t, func(t *testing.T, d *testdb.Database, db *gorm.DB, audit *eventaudit.Auditor) {
		moving(t, d, db, "INSERT")
		must(t, db.Create(&Product{SKU: "a"}))
		must(t, db.Create(&Product{SKU: "b", Title: "move"}))
		must(t, db.Create(&[]Product{{SKU: "c", Title: "move"}, {SKU: "d"}, {SKU: "e", Title: "move"}}))
		oracle.Check(t, db, audit.Repository(), modelTables...)
		if got := outline(trail(t, audit, event.Filter{})); !slices.Equal(got, []string{"created a", "created b-moved", "created c-moved", "created d", "created e-moved"}) {
			t.Errorf("events: %v", got)
		}
	})
}

// A row that a trigger inserts again was not deleted.
func TestTriggersThatRestoreRows(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		if d.Kind() == testdb.MariaDB {
			return // a trigger cannot write to its own table there
		}
		db, audit := install(t, d)
		must(t, db.Create(&[]Product{{SKU: "a"}, {SKU: "b", Title: "same"}, {SKU: "c", Title: "other"}}))
		values := "OLD.sku, OLD.title, OLD.price, OLD.state"
		trigger(t, d, db, "AFTER DELETE", "INSERT INTO products (sku, title, price, state) SELECT "+values+" WHERE OLD.title = 'same'; "+
			"INSERT INTO products (sku, title, price, state) SELECT OLD.sku, 'again', OLD.price, OLD.state WHERE OLD.title = 'other'", "")
		must(t, db.Where("1 = 1").Delete(&Product{}))
		oracle.Check(t, db, audit.Repository(), modelTables...)
		got := outline(trail(t, audit, event.Filter{}))
		if want := []string{"changed c", "created a", "created b", "created c", "deleted a"}; !slices.Equal(got, want) {
			t.Errorf("events: %v, want %v", got, want)
		}
	})
}
