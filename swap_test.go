package eventaudit_test

import (
	"testing"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/internal/oracle"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

// Keys that change places within one statement replay event by event.
func TestKeysThatChangePlaces(t *testing.T) {
	t.Parallel()
	db, audit := install(t, testdb.New(t, testdb.Postgres))
	ddl(t, db, "CREATE TABLE seats (id integer PRIMARY KEY DEFERRABLE, name text)")
	must(t, db.Table("seats").Create([]map[string]any{{"id": 1, "name": "a"}, {"id": 2, "name": "b"}, {"id": 3, "name": "c"}, {"id": 4, "name": "d"}}))
	for _, id := range []string{
		"id + 1", "id - 1", "CASE id WHEN 1 THEN 2 WHEN 2 THEN 1 ELSE id END",
		"CASE id WHEN 4 THEN 1 ELSE id + 1 END", "5 - id", "CASE id WHEN 1 THEN 2 WHEN 2 THEN 3 WHEN 3 THEN 1 ELSE 9 END",
	} {
		must(t, db.Table("seats").Where("id > 0").Updates(map[string]any{"id": gorm.Expr(id), "name": gorm.Expr("name || '+'")}))
	}
	oracle.Check(t, db, audit.Repository(), oracle.Table{Object: "seats", Name: "seats", Keys: []string{"id"}})
}
