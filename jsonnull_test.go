package eventaudit_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

// The null of JSON is not that of SQL.
func TestNullsOfJSON(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"json", "jsonb"} {
		db, audit := install(t, testdb.New(t, testdb.Postgres))
		must(t, db.Exec("CREATE TABLE things (id int PRIMARY KEY, \"it's\" "+kind+", other "+kind+")"))
		must(t, db.Table("things").Create(columns{"id": 1}))
		must(t, db.Table("things").Where("id = 1").Update("other", "null"))
		must(t, db.Table("things").Where("id = 1").Updates(columns{"other": nil, "it's": " null"[len(kind)-4:]}))
		must(t, db.Table("things").Create(columns{"id": 2, "other": "null", "it's": "null"}))
		must(t, db.Table("things").Where("id = 2").Delete(nil))
		var got []string
		for _, e := range trail(t, audit, event.Filter{}) {
			got = append(got, string(e.Result))
		}
		want := []string{
			`{"new":{"id":1,"it's":null,"other":null}}`,
			`{"old":{"other":null},"new":{"other":"null"}}`,
			`{"old":{"it's":null,"other":"null"},"new":{"it's":"null","other":null}}`,
			`{"new":{"id":2,"it's":"null","other":"null"}}`,
			`{"old":{"id":2,"it's":"null","other":"null"}}`,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", kind, diff)
		}
	}
}
