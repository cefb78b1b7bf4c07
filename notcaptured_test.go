package eventaudit_test

import (
	"context"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

// uncaptured is a line of docs/not-captured.md put to the test: what happens,
// and the events it leaves, each as action and object.
type uncaptured struct {
	// on is the databases that have it; nil is every one.
	on []testdb.Kind
	// do returns the error of its last statement.
	do   func(t *testing.T, d *testdb.Database, db *gorm.DB) error
	want []string
	// changed is a query that proves that rows changed all the same: it
	// returns 1.
	changed string
	// refused is what the error says on MariaDB; empty is no error.
	refused string
}

var notCaptured = map[string]uncaptured{
	"Keys that two rows have for a while": {
		on: []testdb.Kind{testdb.Postgres},
		do: func(t *testing.T, _ *testdb.Database, db *gorm.DB) error {
			must(t, db.Exec("CREATE TABLE things (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, n int)"))
			must(t, db.Table("things").Create([]columns{{"id": 1, "n": 1}, {"id": 2, "n": 2}}))
			swap := db.Transaction(func(tx *gorm.DB) error {
				must(t, tx.Table("things").Where("n = 1").Update("id", 2))
				if err := tx.Table("things").Where("n = 2").Update("id", 1).Error; err == nil {
					t.Error("the second update found its row")
				}
				return nil
			})
			if swap == nil {
				t.Error("the transaction committed")
			}
			return nil
		},
		want:    []string{"created things", "created things"},
		changed: "SELECT count(*) FROM things WHERE id = 1 AND n = 1",
	},
	"Raw SQL": {
		do: func(t *testing.T, _ *testdb.Database, db *gorm.DB) error {
			return db.Exec("UPDATE products SET price = 9").Error
		},
		changed: "SELECT count(*) FROM products WHERE price = 9",
	},
	"Writes through database/sql": {
		do: func(t *testing.T, _ *testdb.Database, db *gorm.DB) error {
			pool, err := db.DB()
			if err != nil {
				t.Fatal(err)
			}
			_, err = pool.ExecContext(t.Context(), "UPDATE products SET price = 9")
			return err
		},
		changed: "SELECT count(*) FROM products WHERE price = 9",
	},
	"Other programs": {
		do: func(t *testing.T, d *testdb.Database, _ *gorm.DB) error {
			return d.Open(t).Model(&Product{SKU: "a"}).Update("price", 9).Error
		},
		changed: "SELECT count(*) FROM products WHERE price = 9",
	},
	"Foreign key actions": {
		do: func(t *testing.T, _ *testdb.Database, db *gorm.DB) error {
			must(t, db.Exec("CREATE TABLE parts (id INTEGER PRIMARY KEY, sku VARCHAR(64), FOREIGN KEY (sku) REFERENCES products (sku) ON DELETE CASCADE)"))
			must(t, db.Table("parts").Create(map[string]any{"id": 1, "sku": "a"}))
			return db.Delete(&Product{SKU: "a"}).Error
		},
		want:    []string{"created parts", "deleted Product"},
		changed: "SELECT 1 - count(*) FROM parts",
	},
	"Triggers that write to other tables": {
		do: func(t *testing.T, d *testdb.Database, db *gorm.DB) error {
			trigger(t, d, db, "AFTER UPDATE", "INSERT INTO documents (id, body) VALUES ('from a trigger', NEW.title)", "")
			return db.Model(&Product{SKU: "a"}).Update("price", 9).Error
		},
		want:    []string{"changed Product"},
		changed: "SELECT count(*) FROM documents",
	},
	"Deferred triggers": {
		on: []testdb.Kind{testdb.Postgres},
		do: func(t *testing.T, d *testdb.Database, db *gorm.DB) error {
			trigger(t, d, db, "AFTER INSERT", "UPDATE products SET price = 9 WHERE sku = NEW.sku", "DEFERRABLE INITIALLY DEFERRED")
			return db.Create(&Product{SKU: "b", Price: 1}).Error
		},
		want:    []string{"created Product"},
		changed: "SELECT count(*) FROM products WHERE price = 9",
	},
	"Virtual tables of SQLite": {
		on: []testdb.Kind{testdb.SQLiteCgo, testdb.SQLitePure},
		do: func(t *testing.T, _ *testdb.Database, db *gorm.DB) error {
			must(t, db.Exec("CREATE VIRTUAL TABLE places USING rtree(id, west, east)"))
			must(t, db.Table("places").Create([]columns{{"west": 1, "east": 2}, {"west": 3, "east": 4}}))
			must(t, db.Table("places").Where("west = 1").Update("east", 9))
			return db.Table("places").Where("west = 3").Delete(nil).Error
		},
		changed: "SELECT count(*) = (SELECT count(*) FROM places WHERE east = 9) FROM places",
	},
	"Keys from a function that returns another one each time": {
		on: []testdb.Kind{testdb.SQLiteCgo, testdb.SQLitePure, testdb.MariaDB},
		do: func(t *testing.T, d *testdb.Database, db *gorm.DB) error {
			must(t, db.Create(&[]Document{{ID: "x"}, {ID: "y"}}))
			function := "hex(randomblob(8))"
			if d.Kind() == testdb.MariaDB {
				function = "UUID()"
				as, _ := use(t, openWithoutReturning(t, d, &gorm.Config{}))
				if err := as.Model(&Document{}).Create(map[string]any{"id": gorm.Expr(function)}).Error; err == nil {
					t.Error("the insert without RETURNING was captured")
				}
				if err := db.Model(&Document{}).Where("id = 'x'").Update("id", gorm.Expr(function)).Error; err == nil {
					t.Error("the update of one row was captured")
				}
			}
			if err := db.Model(&Document{}).Where("1 = 1").Update("id", gorm.Expr(function)).Error; err == nil {
				t.Error("the update was captured")
			}
			return nil
		},
		want:    []string{"created Document", "created Document"},
		changed: "SELECT count(*) FROM documents WHERE id = 'x'",
	},
	"Views of MariaDB and MySQL": {
		on: []testdb.Kind{testdb.MariaDB},
		do: func(t *testing.T, _ *testdb.Database, db *gorm.DB) error {
			must(t, db.Exec("CREATE VIEW cheap AS SELECT * FROM products WHERE price < 100"))
			must(t, db.Table("cheap").Create(columns{"sku": "b", "price": 2}))
			if err := db.Table("cheap").Where("sku = 'b'").Update("price", 3).Error; err == nil {
				t.Error("the update was captured")
			}
			return db.Table("cheap").Where("sku = 'b'").Delete(nil).Error
		},
		want:    []string{"created cheap", "deleted cheap"},
		changed: "SELECT count(*) FROM products WHERE sku = 'a'",
	},
	"Functions and procedures": {
		on: []testdb.Kind{testdb.Postgres},
		do: func(t *testing.T, _ *testdb.Database, db *gorm.DB) error {
			must(t, db.Exec("CREATE FUNCTION raise() RETURNS void LANGUAGE sql AS 'UPDATE products SET price = 9'"))
			return db.Exec("SELECT raise()").Error
		},
		changed: "SELECT count(*) FROM products WHERE price = 9",
	},
	"Changes of the schema": {
		do: func(t *testing.T, _ *testdb.Database, db *gorm.DB) error {
			must(t, db.Exec("ALTER TABLE products DROP COLUMN title"))
			return db.Exec("ALTER TABLE products ADD COLUMN rating INTEGER DEFAULT 9").Error
		},
		changed: "SELECT count(*) FROM products WHERE rating = 9",
	},
	"Work under event.WithoutAudit": {
		do: func(t *testing.T, _ *testdb.Database, db *gorm.DB) error {
			off := event.WithoutAudit(context.Background())
			return db.WithContext(off).Model(&Product{SKU: "a"}).Update("price", 9).Error
		},
		changed: "SELECT count(*) FROM products WHERE price = 9",
	},
	"Tables without a primary key": {
		do: func(t *testing.T, d *testdb.Database, db *gorm.DB) error {
			must(t, db.Exec("CREATE TABLE notes (n INTEGER)"))
			must(t, db.Table("notes").Create([]map[string]any{{"n": 1}, {"n": 2}}))
			return db.Table("notes").Where("n > 0").Update("n", gorm.Expr("n + 10")).Error
		},
		refused: "has no primary key",
		want:    []string{"created notes", "created notes", "deleted notes", "deleted notes", "created notes", "created notes"},
		changed: "SELECT count(*) FROM notes WHERE n = 12",
	},
	"Rows whose primary key is null, which SQLite allows": {
		on: onSQLite,
		do: func(t *testing.T, _ *testdb.Database, db *gorm.DB) error {
			must(t, db.Exec("CREATE TABLE notes (code TEXT PRIMARY KEY, n INTEGER)"))
			must(t, db.Table("notes").Create([]map[string]any{{"n": 1}, {"n": 2}}))
			return db.Table("notes").Where("n > 0").Update("n", gorm.Expr("n + 10")).Error
		},
		want:    []string{"created notes", "created notes", "deleted notes", "deleted notes", "created notes", "created notes"},
		changed: "SELECT count(*) FROM notes WHERE n = 12",
	},
	"Triggers that another process creates while the app runs": {
		on: []testdb.Kind{testdb.Postgres},
		do: func(t *testing.T, d *testdb.Database, db *gorm.DB) error {
			must(t, db.Model(&Product{SKU: "a"}).Update("price", 2))
			trigger(t, d, d.Open(t), "AFTER UPDATE", "UPDATE products SET price = 9 WHERE sku = NEW.sku AND price <> 9", "")
			must(t, db.Model(&Product{SKU: "a"}).Update("price", 3)) // 3, says the event
			must(t, db.Exec("CREATE TABLE unrelated (n int)"))       // the plugin looks again
			var stale, known int
			must(t, db.Model(&Product{SKU: "a"}).Update("price", 4)) // no change, as the trigger has it
			count := "SELECT count(*) FROM event_audit_event WHERE result::jsonb -> 'new' ->> 'price' = ?"
			must(t, db.Raw(count, "3").Scan(&stale))
			must(t, db.Raw(count, "4").Scan(&known))
			if stale != 1 || known != 0 {
				t.Errorf("%d and %d events say what the trigger undid, want 1 and 0", stale, known)
			}
			return nil
		},
		want:    []string{"changed Product", "changed Product"},
		changed: "SELECT count(*) FROM products WHERE price = 9",
	},
	"SQL written by other plugins": {
		do: func(t *testing.T, d *testdb.Database, db *gorm.DB) error {
			err := db.Callback().Update().Before("gorm:update").Register("other:plugin", func(db *gorm.DB) {
				db.Statement.SQL.WriteString("UPDATE products SET price = 9 WHERE sku = 'a'")
			})
			if err != nil {
				t.Fatal(err)
			}
			return db.Session(&gorm.Session{AllowGlobalUpdate: true}).Model(&Product{SKU: "a"}).Update("price", 1).Error
		},
		refused: "another plugin wrote the SQL",
		want:    []string{"changed Product before_unknown"},
		changed: "SELECT count(*) FROM products WHERE price = 9",
	},
}

// trigger creates a trigger on the products, and a function where the
// database wants one.
func trigger(t *testing.T, d *testdb.Database, db *gorm.DB, when, body, deferred string) {
	t.Helper()
	switch d.Kind() {
	case testdb.Postgres:
		must(t, db.Exec("CREATE FUNCTION pull() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "+body+"; RETURN NEW; END $$"))
		constraint := ""
		if deferred != "" {
			constraint = "CONSTRAINT "
		}
		must(t, db.Exec("CREATE "+constraint+"TRIGGER pulled "+when+" ON products "+deferred+" FOR EACH ROW EXECUTE FUNCTION pull()"))
	case testdb.MariaDB:
		must(t, db.Exec("CREATE TRIGGER pulled "+when+" ON products FOR EACH ROW "+body))
	default:
		must(t, db.Exec("CREATE TRIGGER pulled "+when+" ON products BEGIN "+body+"; END"))
	}
}

// Every line of the page on what is not captured is true.
func TestNotCaptured(t *testing.T) {
	t.Parallel()
	for name, line := range notCaptured {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testdb.Each(t, func(t *testing.T, d *testdb.Database) {
				if line.on != nil && !slices.Contains(line.on, d.Kind()) {
					return
				}
				must(t, prepare(t, d).Create(&Product{SKU: "a", Price: 1}))
				db, audit := use(t, d.Open(t))
				err := line.do(t, d, db)
				if line.refused != "" && d.Kind() == testdb.MariaDB {
					if err == nil || !strings.Contains(err.Error(), line.refused) {
						t.Errorf("err = %v, want one that says %q", err, line.refused)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				var changed int
				must(t, db.Raw(line.changed).Scan(&changed))
				if changed != 1 {
					t.Errorf("nothing changed: %s returned %d", line.changed, changed)
				}
				var got []string
				for _, e := range trail(t, audit, event.Filter{}) {
					text := e.Action + " " + e.ActionObject
					if e.BeforeUnknown {
						text += " before_unknown"
					}
					got = append(got, text)
				}
				if diff := cmp.Diff(line.want, got); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// The page has a line for every test and a test for every line.
func TestNotCapturedIsDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("docs/not-captured.md")
	if err != nil {
		t.Fatal(err)
	}
	lines, _, _ := strings.Cut(string(page), "## Raw SQL")
	var documented, tested []string
	for _, row := range regexp.MustCompile(`(?m)^\| (\w[^|]*) \|`).FindAllStringSubmatch(lines, -1) {
		if row[1] != "what" {
			documented = append(documented, row[1])
		}
	}
	for name := range notCaptured {
		tested = append(tested, name)
	}
	slices.Sort(documented)
	slices.Sort(tested)
	if diff := cmp.Diff(tested, documented); diff != "" {
		t.Errorf("documented and tested lines differ:\n%s", diff)
	}
}

// The number that a database gave last is that of the event.
func TestLastNumberIsOfTheEvent(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d)
		ask := map[testdb.Kind]string{testdb.MariaDB: "SELECT LAST_INSERT_ID()", testdb.Postgres: "SELECT lastval()"}[d.Kind()]
		if ask == "" {
			ask = "SELECT last_insert_rowid()"
		}
		var next Customer
		var number int64
		must(t, db.Create(&Customer{ID: 500}))
		must(t, db.Delete(&Customer{ID: 500}))
		err := db.Transaction(func(tx *gorm.DB) error {
			must(t, tx.Create(&next))
			return tx.Raw(ask).Scan(&number).Error
		})
		if err != nil {
			t.Fatal(err)
		}
		events := trail(t, audit, event.Filter{ActionObjectID: strconv.FormatUint(uint64(next.ID), 10)})
		if len(events) != 1 || events[0].Sequence != number {
			t.Errorf("%d is not the number of the event of %d", number, next.ID)
		}
	})
}
