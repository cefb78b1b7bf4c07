package eventaudit_test

import (
	"maps"
	"slices"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/oracle"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

// retaken are upserts that give a row another key and then insert one with the
// key that is free now.
var retaken = map[string]struct {
	on          []testdb.Kind
	given, rows []map[string]any
	want        []string
}{
	"once": {
		given: []map[string]any{place("ann", 3, 0)},
		rows:  []map[string]any{place("bob", 3, 3), place("ann", 2, 1)},
		want:  []string{"changed ann", "created ann"},
	},
	"beside one that stays": {
		given: []map[string]any{place("ann", 3, 0), place("cid", 4, 0)},
		rows:  []map[string]any{place("cid", 4, 1), place("bob", 3, 3), place("ann", 2, 1)},
		want:  []string{"changed ann", "changed cid", "created ann"},
	},
	"beside rows that conflict with nothing": {
		given: []map[string]any{place("ann", 3, 0), place("dot", nil, 0)},
		rows:  []map[string]any{place("eve", nil, 1), place("bob", 3, 3), place("ann", nil, 1), place("cid", nil, 2)},
		want:  []string{"changed ann", "created ann", "created cid", "created eve"},
	},
	"by a row that comes back": {
		on:    []testdb.Kind{testdb.SQLiteCgo, testdb.SQLitePure, testdb.MariaDB}, // PostgreSQL changes no row twice
		given: []map[string]any{place("bob", 1, 0)},
		rows:  []map[string]any{place("cid", 1, 2), place("bob", 1, 2), place("cid", 3, 1)},
	},
	"and changed": {
		on:    []testdb.Kind{testdb.SQLiteCgo, testdb.SQLitePure, testdb.MariaDB},
		given: []map[string]any{place("ann", 1, 0)},
		rows:  []map[string]any{place("bob", 1, 1), place("ann", 2, 2), place("ann", 2, 3)},
	},
	"and given away": {
		on:    []testdb.Kind{testdb.SQLiteCgo, testdb.SQLitePure, testdb.MariaDB},
		given: []map[string]any{place("ann", 1, 0)},
		rows:  []map[string]any{place("bob", 1, 1), place("ann", 2, 2), place("cid", 2, 3), place("ann", 4, 4)},
	},
}

func place(name string, seat any, n int) map[string]any {
	return map[string]any{"name": name, "seat": seat, "n": n}
}

func TestKeysThatAreTakenAgain(t *testing.T) {
	t.Parallel()
	for name, c := range retaken {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run := func(t *testing.T, db *gorm.DB) {
				t.Helper()
				db, audit := use(t, db)
				must(t, db.Exec("CREATE TABLE seats (name varchar(20) PRIMARY KEY, seat integer UNIQUE, n integer)"))
				must(t, db.Table("seats").Create(ownMaps(c.given)))
				given := trail(t, audit, event.Filter{})
				must(t, db.Table("seats").Clauses(clause.OnConflict{Columns: conflicts("seat"), DoUpdates: brought("name", "n")}).Create(ownMaps(c.rows)))
				oracle.Check(t, db, audit.Repository(), oracle.Table{Object: "seats", Name: "seats", Keys: []string{"name"}})
				var got []string
				for _, e := range trail(t, audit, event.Filter{})[len(given):] {
					got = append(got, e.Action+" "+e.ActionObjectID)
				}
				slices.Sort(got)
				if c.want != nil && !slices.Equal(got, c.want) {
					t.Errorf("events are %q, want %q", got, c.want)
				}
			}
			testdb.Each(t, func(t *testing.T, d *testdb.Database) {
				if c.on == nil || slices.Contains(c.on, d.Kind()) {
					run(t, prepare(t, d))
				}
			})
			t.Run("without RETURNING", func(t *testing.T) {
				t.Parallel()
				d := testdb.New(t, testdb.MariaDB)
				prepare(t, d)
				run(t, withoutReturning(t, d))
			})
		})
	}
}

// ownMaps copies the rows: GORM writes to them.
func ownMaps(rows []map[string]any) []map[string]any {
	own := make([]map[string]any, len(rows))
	for i, row := range rows {
		own[i] = maps.Clone(row)
	}
	return own
}

// The rows of a statement that only updates come in another order than they
// are read in.
func TestUpsertsInAnyOrder(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d)
		must(t, db.Create(&[]Document{{ID: "1", Body: "a"}, {ID: "2", Body: "b"}, {ID: "3", Body: "c"}}))
		must(t, db.Save(&[]Document{{ID: "3", Body: "x"}, {ID: "1", Body: "y"}, {ID: "2", Body: "z"}}))
		oracle.Check(t, db, audit.Repository(), modelTables...)
	})
}
