package eventaudit_test

import (
	"fmt"
	"strings"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/oracle"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

// A table may have columns whose names GORM cannot write; the app does without
// them.
func TestColumnsThatNeedQuotes(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d)
		quote := `"`
		if d.Kind() == testdb.MariaDB {
			quote = "`"
		}
		for i, name := range []string{"a.b", "a b", "o`d", `d"q`, "sel'x", "__row", "__mark", "__table", "select"} {
			table := oracle.Table{Object: fmt.Sprint("odd", i), Name: fmt.Sprint("odd", i), Keys: []string{"id"}}
			ddl(t, db, "CREATE TABLE "+table.Name+" (id integer PRIMARY KEY, n integer, "+quote+strings.ReplaceAll(name, quote, quote+quote)+quote+" integer DEFAULT 5)")
			must(t, db.Table(table.Name).Create([]map[string]any{{"id": 1, "n": 1}, {"id": 2, "n": 1}}))
			must(t, db.Table(table.Name).Where("id = 1").Update("n", 2))
			must(t, db.Table(table.Name).Clauses(clause.OnConflict{Columns: conflicts("id"), DoUpdates: brought("n")}).Create(map[string]any{"id": 1, "n": 7}))
			must(t, db.Table(table.Name).Where("id = 2").Delete(nil))
			if n := len(trail(t, audit, event.Filter{ActionObject: table.Object})); n != 5 {
				t.Errorf("%q: %d events, want 5", name, n)
			}
			oracle.Check(t, db, audit.Repository(), table)
		}
	})
}

// A view of SQLite takes the statements that it has a trigger for.
func TestViewThatOnlyTakesInserts(t *testing.T) {
	t.Parallel()
	for _, kind := range onSQLite {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			db, audit := install(t, testdb.New(t, kind))
			ddl(t, db, seatsTable, "CREATE VIEW places AS SELECT id, name FROM seats",
				"CREATE TRIGGER i INSTEAD OF INSERT ON places BEGIN INSERT INTO seats (id, name) VALUES (NEW.id, NEW.name); END")
			must(t, db.Table("places").Create(map[string]any{"id": 1, "name": "a"}))
			compare(t, []string{"created places "}, trail(t, audit, event.Filter{}))
			if got := contents(t, db); !strings.Contains(got, "name:a") {
				t.Errorf("the seats are %q", got)
			}
		})
	}
}

// MySQL finds no full-text index where another one is forced upon it.
func TestUpdateByFullText(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(*testing.T, *testdb.Database) *gorm.DB{
		"mariadb":           func(t *testing.T, d *testdb.Database) *gorm.DB { return prepare(t, d) },
		"without returning": withoutReturning,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, audit := use(t, open(t, testdb.New(t, testdb.MariaDB)))
			ddl(t, db, "CREATE TABLE seats (id integer PRIMARY KEY, name text, n integer, FULLTEXT KEY f (name))")
			must(t, db.Table("seats").Create([]map[string]any{{"id": 1, "name": "ripe apples", "n": 1}, {"id": 2, "name": "pears", "n": 1}}))
			const search = "MATCH(name) AGAINST('apples' IN BOOLEAN MODE)"
			must(t, db.Table("seats").Where(search).Update("n", gorm.Expr("n + 1")))
			must(t, db.Table("seats").Where(search).Delete(nil))
			compare(t, []string{"created seats 1", "created seats 2", `changed seats 1 {"old":{"n":1},"new":{"n":2}}`, "deleted seats 1"},
				trail(t, audit, event.Filter{}))
			oracle.Check(t, db, audit.Repository(), seats)
		})
	}
}

// Nulls may be equal in a unique index of PostgreSQL, and then an upsert meets
// a row by them.
func TestUpsertOfEqualNulls(t *testing.T) {
	t.Parallel()
	db, audit := install(t, testdb.New(t, testdb.Postgres))
	ddl(t, db, "CREATE TABLE seats (id integer PRIMARY KEY, name text, seat integer, n integer, UNIQUE NULLS NOT DISTINCT (name))")
	up := clause.OnConflict{Columns: conflicts("name"), DoUpdates: brought("n")}
	for n := range 2 {
		must(t, db.Table("seats").Clauses(up).Create([]map[string]any{seat(10+n, nil, 1, n), seat(20+n, "a", 1, n)}))
	}
	compare(t, []string{
		"created seats 10", "created seats 20", `changed seats 10 {"old":{"n":0},"new":{"n":1}}`, `changed seats 20 {"old":{"n":0},"new":{"n":1}}`,
	}, trail(t, audit, event.Filter{}))
	oracle.Check(t, db, audit.Repository(), seats)
}

// What a session says about the text of values is not to be seen in events.
func TestOutputSettingsOfPostgres(t *testing.T) {
	t.Parallel()
	db, audit := install(t, testdb.New(t, testdb.Postgres))
	ddl(t, db, "CREATE DOMAIN document AS jsonb", "CREATE DOMAIN paper AS document",
		"CREATE TABLE seats (id bytea PRIMARY KEY, paper paper, at timestamptz, n integer)")
	key := []byte{0, 255, 'a', '\\', '\'', 0x7f, '1'}
	at := "2024-02-29 12:00:00+00"
	must(t, db.Table("seats").Create(map[string]any{"id": key, "paper": `{"a":1}`, "at": at, "n": 1}))
	for _, setting := range []string{"bytea_output = 'escape'", "datestyle = 'German'", "timezone = 'Asia/Tokyo'"} {
		err := db.Transaction(func(tx *gorm.DB) error {
			must(t, tx.Exec("SET LOCAL "+setting))
			must(t, tx.Table("seats").Where("n > 0").Update("n", gorm.Expr("n + 1")))
			must(t, tx.Table("seats").Where("n > 0").Delete(nil))
			return tx.Table("seats").Create(map[string]any{"id": key, "paper": `{"a":1}`, "at": at, "n": 1}).Error
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	created := trail(t, audit, event.Filter{Action: event.ActionCreated})
	for _, e := range created {
		if string(e.Result) != string(created[0].Result) || e.ActionObjectID != created[0].ActionObjectID {
			t.Errorf("the same row is recorded as %s %s and as %s %s", created[0].ActionObjectID, created[0].Result, e.ActionObjectID, e.Result)
		}
	}
	if !strings.Contains(string(created[0].Result), `"paper":"{\"a\": 1}"`) {
		t.Errorf("the document is recorded as %s", created[0].Result)
	}
}

// Zero asks MySQL for the next key, as no key does.
func TestZeroForAutoIncrement(t *testing.T) {
	t.Parallel()
	db, audit := use(t, withoutReturning(t, testdb.New(t, testdb.MariaDB)))
	ddl(t, db, "CREATE TABLE seats (id integer AUTO_INCREMENT PRIMARY KEY, name varchar(20))")
	must(t, db.Table("seats").Create(map[string]any{"id": 0, "name": "a"}))
	must(t, db.Table("seats").Create([]map[string]any{{"id": 0, "name": "b"}, {"id": 7, "name": "c"}}))
	err := db.Connection(func(tx *gorm.DB) error {
		must(t, tx.Exec("SET sql_mode = CONCAT(@@sql_mode, ',NO_AUTO_VALUE_ON_ZERO')"))
		return tx.Table("seats").Create(map[string]any{"id": 0, "name": "d"}).Error
	})
	if err != nil {
		t.Fatal(err)
	}
	compare(t, []string{"created seats 0", "created seats 1", "created seats 2", "created seats 7"}, trail(t, audit, event.Filter{}))
	oracle.Check(t, db, audit.Repository(), seats)
}
