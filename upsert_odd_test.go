package eventaudit_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/oracle"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

// oddUpsert is an upsert into a table of its own, which is called seats and has
// the columns id, name, row and n.
type oddUpsert struct {
	on     []testdb.Kind
	create []string
	given  []map[string]any
	up     clause.OnConflict
	rows   []map[string]any
	want   []string
	keys   []string
	// returning says that MySQL refuses it, or knows only what it came to.
	returning bool
	// refused is what its error says.
	refused string
}

var (
	onMariaDB    = []testdb.Kind{testdb.MariaDB}
	onPostgres   = []testdb.Kind{testdb.Postgres}
	onSQLite     = []testdb.Kind{testdb.SQLiteCgo, testdb.SQLitePure}
	notOnMariaDB = []testdb.Kind{testdb.SQLiteCgo, testdb.SQLitePure, testdb.Postgres}
)

func conflicts(columns ...string) (list []clause.Column) {
	for _, name := range columns {
		_, isColumn := map[string]bool{"id": true, "name": true, "seat": true}[name]
		list = append(list, clause.Column{Name: name, Raw: !isColumn})
	}
	return list
}

func assign(values ...any) clause.Set {
	set := clause.Set{}
	for i := 0; i < len(values); i += 2 {
		set = append(set, clause.Assignment{Column: clause.Column{Name: values[i].(string)}, Value: values[i+1]})
	}
	return set
}

func brought(columns ...string) clause.Set { return clause.AssignmentColumns(columns) }

func seat(id any, name any, seat any, n any) map[string]any {
	return map[string]any{"id": id, "name": name, "seat": seat, "n": n}
}

const seatsTable = "CREATE TABLE seats (id integer PRIMARY KEY, name varchar(20), seat integer, n integer)"

var oddUpserts = map[string]oddUpsert{
	"an expression": {
		on: notOnMariaDB, create: []string{seatsTable, "CREATE UNIQUE INDEX i ON seats (lower(name))"},
		given: []map[string]any{seat(1, "Ann", 1, 0), seat(2, "Bob", 2, 0)},
		up:    clause.OnConflict{Columns: conflicts("lower(name)"), DoUpdates: brought("n")},
		rows:  []map[string]any{seat(5, "ANN", 1, 7), seat(6, "Cid", 1, 8)},
		want:  []string{`changed seats 1 {"old":{"n":0},"new":{"n":7}}`, "created seats 6"},
	},
	"any index, and the key, on a table with triggers": {
		on: onSQLite, create: []string{
			strings.Replace(seatsTable, "seat integer", "seat integer UNIQUE", 1),
			"CREATE TRIGGER x AFTER UPDATE ON seats BEGIN UPDATE seats SET n = NEW.n + 1 WHERE id = NEW.id; END",
		},
		given: []map[string]any{seat(1, "a", 1, 0)},
		up:    clause.OnConflict{DoUpdates: brought("id", "n")},
		rows:  []map[string]any{seat(3, "c", 3, 1), seat(4, "d", 3, 2), seat(5, "e", 1, 5), seat(6, "f", 1, 6)},
		want:  []string{"created seats 4", "deleted seats 1", "created seats 6"},
	},
	"an expression, and the key": {
		on: notOnMariaDB, create: []string{seatsTable, "CREATE UNIQUE INDEX i ON seats (lower(name), (seat % 10))"},
		given: []map[string]any{seat(1, "Ann", 1, 0), seat(2, "Bob", 2, 0)},
		up:    clause.OnConflict{Columns: conflicts("lower(name)", "(seat % 10)"), DoUpdates: brought("id", "n")},
		rows:  []map[string]any{seat(5, "ANN", 11, 7), seat(6, "Cid", 1, 8)},
		want:  []string{`changed seats 1 -> 5 {"old":{"id":1,"n":0},"new":{"id":5,"n":7}}`, "created seats 6"},
	},
	"an expression over a column that is not named": {
		on: notOnMariaDB, create: []string{"CREATE TABLE seats (id integer PRIMARY KEY, name varchar(20) DEFAULT 'ANN', seat integer, n integer)", "CREATE UNIQUE INDEX i ON seats (lower(name))"},
		given: []map[string]any{seat(1, "Ann", 1, 0)},
		up:    clause.OnConflict{Columns: conflicts("lower(name)"), DoUpdates: brought("n")},
		rows:  []map[string]any{{"id": 5, "n": 7}},
		want:  []string{`changed seats 1 {"old":{"n":0},"new":{"n":7}}`},
	},
	"a column that is not named": {
		create: []string{"CREATE TABLE seats (id integer PRIMARY KEY, name varchar(20) DEFAULT 'ann' UNIQUE, seat integer, n integer)"},
		given:  []map[string]any{seat(1, "ann", 1, 0)},
		up:     clause.OnConflict{Columns: conflicts("name"), DoUpdates: brought("n")},
		rows:   []map[string]any{{"id": 5, "n": 7}},
		want:   []string{`changed seats 1 {"old":{"n":0},"new":{"n":7}}`},
	},
	"no target": {
		on: onSQLite, create: []string{seatsTable, "CREATE UNIQUE INDEX i ON seats (lower(name))"},
		given: []map[string]any{seat(1, "Ann", 1, 0), seat(2, "Bob", 2, 0)},
		up:    clause.OnConflict{DoUpdates: brought("n")},
		rows:  []map[string]any{seat(5, "ANN", 1, 7), seat(2, "Cid", 1, 8), seat(6, "Dee", 1, 9)},
		want:  []string{`changed seats 1 {"old":{"n":0},"new":{"n":7}}`, `changed seats 2 {"old":{"n":0},"new":{"n":8}}`, "created seats 6"},
	},
	"no target, and the key": {
		on: onSQLite, create: []string{seatsTable, "CREATE UNIQUE INDEX i ON seats (lower(name))"},
		given:   []map[string]any{seat(1, "Ann", 1, 0)},
		up:      clause.OnConflict{DoUpdates: brought("id")},
		rows:    []map[string]any{seat(5, "ANN", 1, 7)},
		refused: "name the target",
	},
	"a collation of the index": {
		on: onSQLite, create: []string{seatsTable, "CREATE UNIQUE INDEX i ON seats (name COLLATE NOCASE)"},
		given: []map[string]any{seat(1, "Ann", 1, 0)},
		up:    clause.OnConflict{Columns: conflicts("name COLLATE NOCASE"), DoUpdates: brought("n")},
		rows:  []map[string]any{seat(5, "ANN", 1, 7)},
		want:  []string{`changed seats 1 {"old":{"n":0},"new":{"n":7}}`},
	},
	"a collation of the index, and no target": {
		on: onSQLite, create: []string{seatsTable, "CREATE UNIQUE INDEX i ON seats (name COLLATE NOCASE)"},
		given: []map[string]any{seat(1, "Ann", 1, 0)},
		up:    clause.OnConflict{DoUpdates: brought("n")},
		rows:  []map[string]any{seat(5, "ANN", 1, 7)},
		want:  []string{`changed seats 1 {"old":{"n":0},"new":{"n":7}}`},
	},
	"a key with a collation": {
		create: []string{"CREATE TABLE seats (id integer, name varchar(20) PRIMARY KEY, seat integer, n integer)"},
		given:  []map[string]any{seat(1, "ann", 1, 0), seat(2, "bob", 2, 0)},
		up:     clause.OnConflict{Columns: conflicts("name"), DoUpdates: brought("name", "n")},
		rows:   []map[string]any{seat(1, "ann", 1, 7), seat(1, "bob", 1, 8), seat(1, "cid", 1, 9)},
		want:   []string{`changed seats ann {"old":{"n":0},"new":{"n":7}}`, `changed seats bob {"old":{"n":0},"new":{"n":8}}`, "created seats cid"},
		keys:   []string{"name"},
	},
	"a key that differs in case": {
		on: onMariaDB, create: []string{"CREATE TABLE seats (id integer, name varchar(20) PRIMARY KEY, seat integer, n integer) COLLATE utf8mb4_general_ci"},
		given: []map[string]any{seat(1, "ann", 1, 0), seat(2, "bob", 2, 0)},
		up:    clause.OnConflict{DoUpdates: brought("name", "n")},
		rows:  []map[string]any{seat(1, "ANN", 1, 7), seat(1, "BOB", 1, 8), seat(1, "Cid", 1, 9)},
		want:  []string{`changed seats ann -> ANN`, `changed seats bob -> BOB`, "created seats Cid"},
		keys:  []string{"name"},
	},
	"several keys, by what they conflict on": {
		create: []string{"CREATE TABLE seats (id integer PRIMARY KEY, name varchar(20) UNIQUE, seat integer, n integer)"},
		given:  []map[string]any{seat(1, "ann", 1, 0), seat(2, "bob", 2, 0), seat(3, "cid", 3, 0)},
		up:     clause.OnConflict{Columns: conflicts("name"), DoUpdates: brought("id")},
		rows:   []map[string]any{seat(11, "ann", 1, 7), seat(13, "cid", 1, 8), seat(14, "dee", 1, 9)},
		want:   []string{"changed seats 1 -> 11", "changed seats 3 -> 13", "created seats 14"},
	},
	"a key and what it conflicts on": {
		create: []string{"CREATE TABLE seats (id integer PRIMARY KEY, name varchar(20) UNIQUE, seat integer, n integer)"},
		given:  []map[string]any{seat(1, "ann", 1, 0)},
		up:     clause.OnConflict{Columns: conflicts("name"), DoUpdates: assign("id", 50, "name", "zoe")},
		rows:   []map[string]any{seat(11, "ann", 1, 7)},
		want:   []string{"changed seats 1 -> 50"},
	},
	"keys by an expression": {
		on:     onMariaDB,
		create: []string{seatsTable},
		given:  []map[string]any{seat(1, "ann", 1, 0), seat(2, "bob", 2, 0)},
		up:     clause.OnConflict{DoUpdates: assign("id", gorm.Expr("id + 100"))},
		rows:   []map[string]any{seat(1, "x", 1, 7), seat(2, "y", 1, 8), seat(3, "z", 1, 9)},
		want:   []string{"changed seats 1 -> 101", "changed seats 2 -> 102", "created seats 3"},
	},
	"a new row that moves away at once": {
		returning: true, on: onMariaDB, create: []string{seatsTable},
		up:   clause.OnConflict{DoUpdates: assign("id", gorm.Expr("id + 100"))},
		rows: []map[string]any{seat(1, "x", 1, 7), seat(1, "y", 1, 8), seat(1, "z", 1, 9)},
		want: []string{"created seats 1", "changed seats 1 -> 101", "created seats 1"},
	},
	"two rows in the way of one": {
		on: onMariaDB, create: []string{"CREATE TABLE seats (id integer PRIMARY KEY, name varchar(20) UNIQUE, seat integer UNIQUE, n integer)"},
		given: []map[string]any{seat(1, "ann", 1, 0), seat(2, "bob", 2, 0), seat(3, "cid", 3, 0)},
		up:    clause.OnConflict{DoUpdates: brought("n")},
		rows:  []map[string]any{seat(1, "bob", 3, 7), seat(9, "bob", 3, 8), seat(8, "dee", 4, 9)},
		want:  []string{`changed seats 1 {"old":{"n":0},"new":{"n":7}}`, `changed seats 2 {"old":{"n":0},"new":{"n":8}}`, "created seats 8"},
	},
	"a generated column": {
		on: onMariaDB, create: []string{"CREATE TABLE seats (id integer PRIMARY KEY, name varchar(20) COLLATE utf8mb4_bin, seat integer, n integer, folded varchar(20) AS (lower(name)) UNIQUE)"},
		given: []map[string]any{seat(1, "Ann", 1, 0)},
		up:    clause.OnConflict{DoUpdates: brought("n")},
		rows:  []map[string]any{seat(5, "ANN", 1, 7)},
		want:  []string{`changed seats 1 {"old":{"n":0},"new":{"n":7}}`},
	},
	"a prefix": {
		on: onMariaDB, create: []string{seatsTable, "CREATE UNIQUE INDEX i ON seats (name(2))"},
		given: []map[string]any{seat(1, "ann", 1, 0)},
		up:    clause.OnConflict{DoUpdates: brought("id", "n")},
		rows:  []map[string]any{seat(5, "andy", 1, 7)},
		want:  []string{`changed seats 1 -> 5 {"old":{"id":1,"n":0},"new":{"id":5,"n":7}}`},
	},
	"a trigger that alters the key": {
		returning: true, on: onMariaDB, create: []string{seatsTable, "CREATE TRIGGER i BEFORE INSERT ON seats FOR EACH ROW SET NEW.id = NEW.id % 10"},
		given: []map[string]any{seat(1, "ann", 1, 0)},
		up:    clause.OnConflict{DoUpdates: brought("n")},
		rows:  []map[string]any{seat(11, "ann", 1, 7)},
		want:  []string{`changed seats 1 {"old":{"n":0},"new":{"n":7}}`},
	},
	"a table that knows no savepoint": {
		on: onMariaDB, create: []string{"CREATE TABLE seats (id integer PRIMARY KEY, name varchar(20) UNIQUE, seat integer, n integer) ENGINE=MyISAM"},
		given: []map[string]any{seat(1, "ann", 1, 0)},
		up:    clause.OnConflict{DoUpdates: assign("n", gorm.Expr("n + 1"))},
		rows:  []map[string]any{seat(5, "ann", 1, 7), seat(6, "bob", 1, 7)},
		want:  []string{`changed seats 1 {"old":{"n":0},"new":{"n":1}}`, "created seats 6"},
	},
	"a partial index": {
		on: notOnMariaDB, create: []string{seatsTable, "CREATE UNIQUE INDEX i ON seats (name) WHERE seat < 10"},
		given: []map[string]any{seat(1, "ann", 1, 0), seat(2, "ann", 11, 0), seat(3, "ann", 12, 0)},
		up: clause.OnConflict{
			Columns: conflicts("name"), TargetWhere: clause.Where{Exprs: []clause.Expression{gorm.Expr("seat < 10")}}, DoUpdates: brought("n", "seat"),
		},
		rows: []map[string]any{seat(5, "ann", 2, 7), seat(6, "ann", 13, 8), seat(7, "bob", 3, 9)},
		want: []string{`changed seats 1 {"old":{"seat":1,"n":0},"new":{"seat":2,"n":7}}`, "created seats 6", "created seats 7"},
	},
	"a partial index, and the key": {
		on: notOnMariaDB, create: []string{seatsTable, "CREATE UNIQUE INDEX i ON seats (name) WHERE seat < 10"},
		given: []map[string]any{seat(1, "ann", 1, 0), seat(2, "ann", 11, 0)},
		up: clause.OnConflict{
			Columns: conflicts("name"), TargetWhere: clause.Where{Exprs: []clause.Expression{gorm.Expr("seat < 10")}}, DoUpdates: brought("id"),
		},
		rows: []map[string]any{seat(5, "ann", 2, 7), seat(6, "ann", 13, 8)},
		want: []string{"changed seats 1 -> 5", "created seats 6"},
	},
	"a condition": {
		on: notOnMariaDB, create: []string{seatsTable},
		given: []map[string]any{seat(1, "ann", 1, 0), seat(2, "bob", 2, 5)},
		up: clause.OnConflict{
			Columns: conflicts("id"), Where: clause.Where{Exprs: []clause.Expression{gorm.Expr("seats.n < ?", 3)}}, DoUpdates: brought("n"),
		},
		rows: []map[string]any{seat(1, "x", 2, 7), seat(2, "y", 13, 8), seat(3, "z", 3, 9)},
		want: []string{`changed seats 1 {"old":{"n":0},"new":{"n":7}}`, "created seats 3"},
	},
	"a condition, and the key": {
		on: notOnMariaDB, create: []string{"CREATE TABLE seats (id integer PRIMARY KEY, name varchar(20) UNIQUE, seat integer, n integer)"},
		given: []map[string]any{seat(1, "ann", 1, 0), seat(2, "bob", 2, 5), seat(3, "cid", 2, 0)},
		up: clause.OnConflict{
			Columns: conflicts("name"), Where: clause.Where{Exprs: []clause.Expression{gorm.Expr("seats.n < ?", 3)}}, DoUpdates: brought("id"),
		},
		rows: []map[string]any{seat(11, "ann", 2, 7), seat(12, "bob", 13, 8), seat(13, "cid", 3, 9), seat(14, "dee", 3, 9)},
		want: []string{"changed seats 1 -> 11", "changed seats 3 -> 13", "created seats 14"},
	},
	"some rows without their key": {
		on:     onPostgres,
		create: []string{"CREATE TABLE seats (id serial PRIMARY KEY, name varchar(20), seat integer, n integer)"},
		given:  []map[string]any{seat(1, "ann", 1, 0), seat(3, "bob", 2, 0)},
		up:     clause.OnConflict{Columns: conflicts("id"), DoUpdates: brought("n")},
		rows:   []map[string]any{seat(gorm.Expr("DEFAULT"), "x", 2, 7), seat(3, "y", 3, 8), seat(gorm.Expr("DEFAULT"), "z", 4, 9), seat(9, "z", 4, 9)},
		// The sequence begins at 1, where a row is in its way that nothing names.
		want: []string{"changed seats 1 before_unknown", `changed seats 3 {"old":{"n":0},"new":{"n":8}}`, "created seats 2", "created seats 9"},
	},
	"no key and a partial index": {
		on: notOnMariaDB, create: []string{"CREATE TABLE seats (id integer, name varchar(20), seat integer, n integer)", "CREATE UNIQUE INDEX i ON seats (name) WHERE seat < 10"},
		up: clause.OnConflict{
			Columns: conflicts("name"), TargetWhere: clause.Where{Exprs: []clause.Expression{gorm.Expr("seat < 10")}}, DoUpdates: brought("n"),
		},
		rows:    []map[string]any{seat(5, "ann", 2, 7)},
		refused: "no primary key",
	},
}

func TestOddUpserts(t *testing.T) {
	t.Parallel()
	for name, odd := range oddUpserts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, d *testdb.Database, open func() *gorm.DB) {
				if odd.returning && strings.HasSuffix(t.Name(), "without_returning") {
					return
				}
				if odd.on == nil || slices.Contains(odd.on, d.Kind()) {
					odd.run(t, d, open)
				}
			})
		})
	}
}

// run runs the upsert without the plugin too: the rows are the same.
func (o oddUpsert) run(t *testing.T, d *testdb.Database, open func() *gorm.DB) {
	t.Helper()
	db := open()
	must(t, db.Exec("DROP TABLE IF EXISTS seats"))
	for _, text := range o.create {
		must(t, db.Exec(text))
	}
	var wanted, stored string
	err := db.Transaction(func(tx *gorm.DB) error {
		if len(o.given) > 0 {
			must(t, tx.Table("seats").Create(copies(o.given)))
		}
		must(t, tx.Table("seats").Clauses(o.up).Create(copies(o.rows)))
		wanted = contents(t, tx)
		return errUndo
	})
	if !errors.Is(err, errUndo) {
		t.Fatal(err)
	}
	must(t, db.Exec("DELETE FROM seats"))
	if strings.Contains(o.create[0], "serial") {
		must(t, db.Exec("ALTER SEQUENCE seats_id_seq RESTART"))
	}

	db, audit := use(t, db)
	if len(o.given) > 0 {
		must(t, db.Table("seats").Create(copies(o.given)))
	}
	given := trail(t, audit, event.Filter{})
	tx := db.Table("seats").Clauses(o.up).Create(copies(o.rows))
	if o.refused != "" {
		if tx.Error == nil || !strings.Contains(tx.Error.Error(), o.refused) {
			t.Errorf("err = %v, want one that says %q", tx.Error, o.refused)
		}
		return
	}
	must(t, tx)
	if stored = contents(t, db); stored != wanted {
		t.Errorf("the rows are\n%s\nand without the plugin\n%s", stored, wanted)
	}
	compare(t, o.want, trail(t, audit, event.Filter{})[len(given):])
	keys := o.keys
	if keys == nil {
		keys = []string{"id"}
	}
	if !slices.ContainsFunc(o.want, func(w string) bool { return strings.Contains(w, "before_unknown") }) {
		oracle.Check(t, db, audit.Repository(), oracle.Table{Object: "seats", Name: "seats", Keys: keys})
	}
}

// copies are rows that GORM may write to.
func copies(rows []map[string]any) []map[string]any {
	list := slices.Clone(rows)
	for i := range list {
		list[i] = maps.Clone(list[i])
	}
	return list
}

// contents is what is in the seats.
func contents(t *testing.T, db *gorm.DB) string {
	t.Helper()
	var rows []map[string]any
	must(t, db.Table("seats").Order("id, name").Find(&rows))
	var text string
	for _, row := range rows {
		text += fmt.Sprintln(row)
	}
	return text
}

// Rows that have the values of an INSERT OR REPLACE may be out of its way all
// the same, and rows that are in its way may not show it.
func TestReplaceByOddIndexes(t *testing.T) {
	t.Parallel()
	for _, kind := range onSQLite {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			db, audit := install(t, testdb.New(t, kind))
			ddl(t, db, seatsTable, "CREATE UNIQUE INDEX i ON seats (name) WHERE seat < 10")
			must(t, db.Table("seats").Create([]map[string]any{seat(1, "ann", 1, 0), seat(2, "ann", 11, 0)}))
			replace := func() error {
				return db.Table("seats").Clauses(clause.Insert{Modifier: "OR REPLACE"}).Create(seat(5, "ann", 2, 7)).Error
			}
			if err := replace(); err != nil {
				t.Fatal(err)
			}
			compare(t, []string{"deleted seats 1", "created seats 5"}, trail(t, audit, event.Filter{})[2:])
			ddl(t, db, "CREATE UNIQUE INDEX j ON seats (name || seat)")
			if err := replace(); err == nil || !strings.Contains(err.Error(), "over an expression") {
				t.Errorf("err = %v", err)
			}
			oracle.Check(t, db, audit.Repository(), oracle.Table{Object: "seats", Name: "seats", Keys: []string{"id"}})
		})
	}
}
