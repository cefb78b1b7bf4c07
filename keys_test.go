package eventaudit_test

import (
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/internal/oracle"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

// Rows whose keys are bytes, times or truth values are told apart, and replay
// to the table.
func TestKeysOfEveryKind(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d)
		binary, moment, truth := "blob", "datetime", "boolean"
		switch d.Kind() {
		case testdb.Postgres:
			binary, moment = "bytea", "timestamptz"
		case testdb.MariaDB:
			binary, moment = "varbinary(20)", "datetime(6)"
		}
		at := time.Date(2024, 2, 29, 12, 0, 0, 500_000_000, time.UTC)
		for name, c := range map[string]struct {
			column string
			keys   [2]any
		}{
			"by_bytes": {binary, [2]any{[]byte{0, 255, 1}, []byte("plain")}},
			"by_times": {moment, [2]any{at, at.Add(time.Second)}},
			"by_truth": {truth, [2]any{true, false}},
		} {
			ddl(t, db, "CREATE TABLE "+name+" (id "+c.column+" NOT NULL PRIMARY KEY, n integer)",
				"CREATE TABLE "+name+"_too (id "+c.column+" NOT NULL, part integer NOT NULL, n integer, PRIMARY KEY (id, part))")
			for _, key := range c.keys {
				must(t, db.Table(name).Create(map[string]any{"id": key, "n": 1}))
				must(t, db.Table(name+"_too").Create(map[string]any{"id": key, "part": 7, "n": 1}))
			}
			for _, table := range []string{name, name + "_too"} {
				must(t, db.Table(table).Where("id = ?", c.keys[0]).Update("n", gorm.Expr("n + 1")))
				must(t, db.Table(table).Where("n = 1").Update("n", 5))
				must(t, db.Table(table).Where("id = ?", c.keys[1]).Delete(nil))
			}
			oracle.Check(t, db, audit.Repository(), oracle.Table{Object: name, Name: name, Keys: []string{"id"}},
				oracle.Table{Object: name + "_too", Name: name + "_too", Keys: []string{"id", "part"}})
		}
	})
}

// MariaDB's zero date is a value like any other.
func TestZeroDatesOfMariaDB(t *testing.T) {
	t.Parallel()
	db, audit := install(t, testdb.New(t, testdb.MariaDB))
	err := db.Connection(func(tx *gorm.DB) error {
		must(t, tx.Exec("SET sql_mode = ''"))
		tx = tx.Session(&gorm.Session{SkipHooks: true, SkipDefaultTransaction: true})
		if err := tx.Exec("CREATE TABLE moments (id integer PRIMARY KEY, at datetime(3), day date)").Error; err != nil {
			return err
		}
		if err := tx.Table("moments").Create(map[string]any{"id": 1, "at": time.Time{}, "day": time.Time{}}).Error; err != nil {
			return err
		}
		return tx.Table("moments").Where("id = 1").Update("at", time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)).Error
	})
	if err != nil {
		t.Fatal(err)
	}
	oracle.Check(t, db, audit.Repository(), oracle.Table{Object: "moments", Name: "moments", Keys: []string{"id"}})
}
