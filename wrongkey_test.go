package eventaudit_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

type columns = map[string]any

// numbersOf are the values of column n of a table, in the order of another one.
func numbersOf(t *testing.T, db *gorm.DB, from string) (n []int) {
	t.Helper()
	must(t, db.Raw("SELECT n FROM "+from).Scan(&n))
	return n
}

// updated is what an update of a row must have done: the row, once, and an
// event; or nothing, with an error, and at the second try the row.
func updated(t *testing.T, db *gorm.DB, update func(tx *gorm.DB) *gorm.DB, from string, before, after []int) {
	t.Helper()
	for try := range 2 {
		err := db.Transaction(func(tx *gorm.DB) error {
			done := update(tx)
			if done.Error == nil && done.RowsAffected != 1 {
				t.Errorf("%d rows were updated, want one", done.RowsAffected)
			}
			return nil // whatever was said
		})
		if err == nil {
			if diff := cmp.Diff(after, numbersOf(t, db, from)); diff != "" {
				t.Errorf("other rows than the WHERE says were updated: %s", diff)
			}
			return
		}
		t.Log(err)
		if diff := cmp.Diff(before, numbersOf(t, db, from)); diff != "" {
			t.Errorf("rows were updated in spite of the error: %s", diff)
		}
		if try == 1 {
			t.Error("it fails for ever")
		}
	}
}

// Tables of the same name in several schemas may have different keys.
func TestUpdatesWhereTheSearchPathLeads(t *testing.T) {
	t.Parallel()
	db, audit := install(t, testdb.New(t, testdb.Postgres))
	for _, text := range []string{
		"CREATE SCHEMA a", "CREATE SCHEMA b", "CREATE TABLE a.things (id int PRIMARY KEY, region text, n int)",
		"CREATE TABLE b.things (id int, region text, n int, PRIMARY KEY (id, region))",
		"INSERT INTO a.things VALUES (1, 'x', 1)", "INSERT INTO b.things VALUES (1, 'x', 1), (1, 'y', 1)",
	} {
		must(t, db.Exec(text))
	}
	in := func(schema string) func(tx *gorm.DB) *gorm.DB {
		return func(tx *gorm.DB) *gorm.DB {
			must(t, tx.Exec(fmt.Sprintf("SET LOCAL search_path = %s, public", schema)))
			return tx.Table("things").Where("region = 'x'").Update("n", 2)
		}
	}
	updated(t, db, in("a"), "a.things", []int{1}, []int{2})
	updated(t, db, in("b"), "b.things ORDER BY region", []int{1, 1}, []int{2, 1})
	if n := len(trail(t, audit, event.Filter{})); n != 2 {
		t.Errorf("%d events, want 2", n)
	}
}

// Another process may give a table another key at any time.
func TestUpdatesWithAKeyThatIsNoMore(t *testing.T) {
	t.Parallel()
	for _, kind := range []testdb.Kind{testdb.Postgres, testdb.MariaDB} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			d := testdb.New(t, kind)
			db, audit := install(t, d)
			must(t, db.Exec("CREATE TABLE things (id int NOT NULL, region varchar(20) NOT NULL, n int, CONSTRAINT things_pkey PRIMARY KEY (id))"))
			must(t, db.Table("things").Create(columns{"id": 1, "region": "x", "n": 0}))
			must(t, db.Table("things").Where("region = 'x'").Update("n", 1))
			drop := "DROP CONSTRAINT things_pkey"
			if kind == testdb.MariaDB {
				drop = "DROP PRIMARY KEY"
			}
			must(t, d.Open(t).Exec("ALTER TABLE things "+drop+", ADD PRIMARY KEY (id, region)"))
			must(t, db.Table("things").Create(columns{"id": 1, "region": "y", "n": 1}))
			updated(t, db, func(tx *gorm.DB) *gorm.DB { return tx.Table("things").Where("region = 'x'").Update("n", 2) }, "things ORDER BY region", []int{1, 1}, []int{2, 1})
			events := trail(t, audit, event.Filter{})
			if last := events[len(events)-1]; string(last.Result) != `{"old":{"n":1},"new":{"n":2}}` {
				t.Errorf("the event says %s", last.Result)
			}
		})
	}
}

// An index that PostgreSQL could not build to its end rules nothing out.
func TestUpdatesWithAnInvalidIndex(t *testing.T) {
	t.Parallel()
	db, audit := install(t, testdb.New(t, testdb.Postgres))
	must(t, db.Exec("CREATE TABLE things (code int NOT NULL, region text, n int)"))
	must(t, db.Table("things").Create([]columns{{"code": 1, "region": "x", "n": 1}, {"code": 1, "region": "y", "n": 1}}))
	if err := db.Exec("CREATE UNIQUE INDEX CONCURRENTLY ix ON things (code)").Error; err == nil {
		t.Fatal("the index is valid")
	}
	updated(t, db, func(tx *gorm.DB) *gorm.DB { return tx.Table("things").Where("region = 'x'").Update("n", 2) }, "things ORDER BY region", []int{1, 1}, []int{2, 1})
	if n := len(trail(t, audit, event.Filter{})); n != 3 {
		t.Errorf("%d events, want 3", n)
	}
}
