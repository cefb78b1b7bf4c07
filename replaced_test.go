package eventaudit_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/hooks"
	"github.com/eventaudit/eventaudit/internal/oracle"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

var seats = oracle.Table{Object: "seats", Name: "seats", Keys: []string{"id"}}

// Rows that UPDATE IGNORE leaves alone did not change, were not deleted, and
// are not the rows that were in their way.
func TestUpdateIgnore(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, d *testdb.Database, open func() *gorm.DB) {
		modifier := clause.Update{Modifier: "OR IGNORE"}
		switch d.Kind() {
		case testdb.Postgres:
			return
		case testdb.MariaDB:
			modifier.Modifier = "IGNORE"
		}
		db, audit := use(t, open())
		ddl(t, db, seatsTable, "CREATE UNIQUE INDEX i ON seats (name)")
		must(t, db.Table("seats").Create([]map[string]any{seat(1, "a", 1, 1), seat(2, "b", 2, 2), seat(3, "c", 3, 3)}))
		must(t, db.Table("seats").Clauses(modifier).Where("id < 3").Updates(map[string]any{"name": "c", "n": 9}))
		must(t, db.Table("seats").Clauses(modifier).Where("id < 3").Order("id").Updates(map[string]any{"name": gorm.Expr("CASE id WHEN 1 THEN 'c' ELSE 'd' END")}))
		want := []string{"created seats 1", "created seats 2", "created seats 3", `changed seats 2 {"old":{"name":"b"},"new":{"name":"d"}}`}
		move := db.Table("seats").Clauses(modifier).Where("id < 4").Updates(map[string]any{"id": gorm.Expr("CASE id WHEN 1 THEN 3 ELSE id + 10 END")})
		if d.Kind() == testdb.MariaDB {
			if move.Error == nil || !strings.Contains(move.Error.Error(), "update without IGNORE") {
				t.Errorf("err = %v", move.Error)
			}
		} else {
			must(t, move)
			want = append(want, "changed seats 2 -> 12", "changed seats 3 -> 13")
		}
		compare(t, want, trail(t, audit, event.Filter{}))
		oracle.Check(t, db, audit.Repository(), seats)
	})
}

// A constraint of an SQLite table may say what a statement does not.
func TestConflictClausesOfTables(t *testing.T) {
	t.Parallel()
	for _, kind := range onSQLite {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			db, audit := install(t, testdb.New(t, kind))
			ddl(t, db, "CREATE TABLE seats (id integer PRIMARY KEY, name text UNIQUE ON CONFLICT REPLACE, n integer)")
			must(t, db.Table("seats").Create(map[string]any{"id": 1, "name": "a", "n": 1}))
			must(t, db.Table("seats").Create([]map[string]any{{"id": 2, "name": "a", "n": 2}, {"id": 3, "name": "b", "n": 3}}))
			must(t, db.Table("seats").Where("id = 3").Update("n", 4))
			replace := db.Table("seats").Where("id = 3").Update("name", "a")
			if replace.Error == nil || !strings.Contains(replace.Error.Error(), "delete them first") {
				t.Errorf("err = %v", replace.Error)
			}
			must(t, db.Table("seats").Where("id = 3").Clauses(clause.Update{Modifier: "OR IGNORE"}).Update("name", "a"))
			compare(t, []string{"created seats 1", "deleted seats 1", "created seats 2", "created seats 3", `changed seats 3 {"old":{"n":3},"new":{"n":4}}`},
				trail(t, audit, event.Filter{}))
			oracle.Check(t, db, audit.Repository(), seats)

			ddl(t, db, "CREATE TABLE folded (id integer PRIMARY KEY, name text COLLATE NOCASE UNIQUE ON CONFLICT REPLACE, n integer)")
			must(t, db.Table("folded").Create(map[string]any{"id": 1, "name": "a"}))
			must(t, db.Table("folded").Create(map[string]any{"id": 2, "name": "b"}))
			if err := db.Table("folded").Create(map[string]any{"id": 3, "name": "A"}).Error; err == nil || !strings.Contains(err.Error(), "delete them first") {
				t.Errorf("err = %v", err)
			}
			oracle.Check(t, db, audit.Repository(), oracle.Table{Object: "folded", Name: "folded", Keys: []string{"id"}})

			plain := oracle.Table{Object: "plain", Name: "plain", Keys: []string{"id"}}
			ddl(t, db, "CREATE TABLE plain (id integer PRIMARY KEY, name text UNIQUE)")
			must(t, db.Table("plain").Create([]map[string]any{{"id": 1, "name": "a"}, {"id": 2, "name": "b"}}))
			or := clause.Update{Modifier: "OR REPLACE"}
			must(t, db.Table("plain").Clauses(or).Where("id = 1").Update("name", "c"))
			for column, value := range map[string]any{"name": "b", "id": 2} {
				if err := db.Table("plain").Clauses(or).Where("id = 1").Update(column, value).Error; err == nil || !strings.Contains(err.Error(), "delete them first") {
					t.Errorf("%s: err = %v", column, err)
				}
			}
			oracle.Check(t, db, audit.Repository(), plain)
		})
	}
}

// One row of many that comes twice replaces one row.
func TestReplaceOfManyRows(t *testing.T) {
	t.Parallel()
	for _, kind := range onSQLite {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			db, audit := install(t, testdb.New(t, kind))
			ddl(t, db, seatsTable)
			must(t, db.Table("seats").Create(seat(1, "a", 1, -1)))
			rows := make([]map[string]any, 0, 700)
			for i := range cap(rows) {
				rows = append(rows, seat(1+i%600, fmt.Sprint(i), i, i))
			}
			must(t, db.Table("seats").Clauses(clause.Insert{Modifier: "OR REPLACE"}).Create(rows))
			if deleted := trail(t, audit, event.Filter{Action: event.ActionDeleted}); len(deleted) > 0 {
				t.Errorf("%d rows are recorded as deleted", len(deleted))
			}
			oracle.Check(t, db, audit.Repository(), seats)
		})
	}
}

// What triggers made of the rows that replaced others is recorded with them.
func TestReplaceBesideTriggers(t *testing.T) {
	t.Parallel()
	replace := clause.Insert{Modifier: "OR REPLACE"}
	for _, kind := range onSQLite {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			db, audit := install(t, testdb.New(t, kind))
			ddl(t, db, strings.Replace(seatsTable, "seat integer", "seat integer UNIQUE", 1),
				"CREATE TRIGGER counts AFTER INSERT ON seats BEGIN UPDATE seats SET n = NEW.n + 1 WHERE id = NEW.id; END",
				"CREATE TRIGGER deletes AFTER INSERT ON seats WHEN NEW.name = 'none' BEGIN DELETE FROM seats WHERE id = NEW.id; END")
			must(t, db.Table("seats").Create([]map[string]any{seat(1, "a", 1, 0), seat(2, "b", 2, 0), seat(3, "c", 3, 0)}))
			given := len(trail(t, audit, event.Filter{}))
			must(t, db.Table("seats").Clauses(replace).Create(seat(1, "a", 2, 5)))
			must(t, db.Table("seats").Clauses(replace).Create([]map[string]any{seat(4, "d", 4, 0), seat(5, "e", 4, 0), seat(3, "none", 3, 0)}))
			compare(t, []string{
				`changed seats 1 {"old":{"seat":1,"n":1},"new":{"seat":2,"n":6}}`, "deleted seats 2",
				`created seats 5 {"new":{"id":5,"name":"e","seat":4,"n":1}}`, "deleted seats 3",
			}, trail(t, audit, event.Filter{})[given:])
			oracle.Check(t, db, audit.Repository(), seats)

			ddl(t, db, "CREATE TRIGGER moves AFTER INSERT ON seats WHEN NEW.n = 3 BEGIN UPDATE seats SET id = id + 10 WHERE id = NEW.id; END")
			if err := db.Table("seats").Clauses(replace).Create(seat(1, "a", 9, 3)).Error; err == nil || !strings.Contains(err.Error(), "delete them first") {
				t.Errorf("err = %v, want a refusal", err)
			}
			oracle.Check(t, db, audit.Repository(), seats)
		})
	}
}

// On PostgreSQL a row may have the key of another one in a table that inherits.
// An update of one leaves the other alone, and an upsert meets its own.
func TestInheritedKeys(t *testing.T) {
	t.Parallel()
	db, audit := install(t, testdb.New(t, testdb.Postgres))
	ddl(t, db, seatsTable, "CREATE TABLE boxes (PRIMARY KEY (id)) INHERITS (seats)")
	must(t, db.Table("boxes").Create(seat(1, "box", 1, 0)))
	must(t, db.Table("seats").Create(seat(1, "seat", 1, 0)))
	up := clause.OnConflict{Columns: conflicts("id"), DoUpdates: brought("n")}
	must(t, db.Table("seats").Clauses(up).Create(seat(1, "seat", 1, 5)))
	box := db.Table("seats").Where("name = 'box'").Update("n", 7)
	must(t, box)
	if got := contents(t, db); box.RowsAffected != 1 || got != "map[id:1 n:7 name:box seat:1]\nmap[id:1 n:5 name:seat seat:1]\n" {
		t.Errorf("%d rows affected, which are now\n%s", box.RowsAffected, got)
	}
	compare(t, []string{
		"created boxes 1", "created seats 1", `changed seats 1 {"old":{"n":0},"new":{"n":5}}`, `changed seats 1 {"old":{"n":0},"new":{"n":7}}`,
	}, trail(t, audit, event.Filter{}))
}

// MySQL does not tell which rows INSERT IGNORE left out.
func TestInsertIgnore(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, d *testdb.Database, open func() *gorm.DB) {
		if d.Kind() != testdb.MariaDB {
			return
		}
		db, audit := use(t, open())
		ddl(t, db, seatsTable)
		insert := func(rows ...map[string]any) error {
			return db.Table("seats").Clauses(clause.Insert{Modifier: "IGNORE"}).Create(rows).Error
		}
		want := []string{"created seats 1"}
		if err := insert(seat(1, "a", 1, 1)); err != nil {
			t.Fatal(err)
		}
		switch err := insert(seat(1, "b", 1, 1), seat(2, "c", 1, 1)); {
		case err == nil:
			want = append(want, "created seats 2")
		case !strings.HasSuffix(t.Name(), "without_returning") || !errors.Is(err, hooks.ErrCapture):
			t.Fatal(err)
		}
		compare(t, want, trail(t, audit, event.Filter{}))
		oracle.Check(t, db, audit.Repository(), seats)
	})
}
