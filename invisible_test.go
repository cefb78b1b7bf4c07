package eventaudit_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

// What "*" leaves out is recorded all the same, with RETURNING and without.
func TestInvisibleColumns(t *testing.T) {
	t.Parallel()
	for _, returning := range []bool{true, false} {
		db := likeMySQL(t, returning)
		must(t, db.Exec("CREATE TABLE things (id int AUTO_INCREMENT INVISIBLE PRIMARY KEY, n int, hid int INVISIBLE DEFAULT 1)"))
		db, audit := use(t, db)
		must(t, db.Table("things").Create(columns{"n": 1, "hid": 5}))
		must(t, db.Table("things").Where("n = 1").Update("hid", 6))
		must(t, db.Table("things").Where("n = 1").Update("n", 2))
		must(t, db.Table("things").Where("n = 2").Delete(nil))
		var got []string
		for _, e := range trail(t, audit, event.Filter{}) {
			got = append(got, e.ActionObjectID+" "+string(e.Result))
		}
		want := []string{
			`1 {"new":{"n":1,"id":1,"hid":5}}`, `1 {"old":{"hid":5},"new":{"hid":6}}`,
			`1 {"old":{"n":1},"new":{"n":2}}`, `1 {"old":{"n":2,"id":1,"hid":6}}`,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("returning: %v\n%s", returning, diff)
		}
	}
}

// The keys that an update is held to must not be more parameters than a
// statement may have.
func TestUpdateWithNearlyAllParameters(t *testing.T) {
	t.Parallel()
	db, audit := install(t, testdb.New(t, testdb.MariaDB))
	must(t, db.Exec("CREATE TABLE things (id int PRIMARY KEY, n int)"))
	must(t, db.Exec("INSERT INTO things SELECT seq, 1 FROM seq_0_to_1499"))
	ids := make([]int, 65_000)
	for i := range ids {
		ids[i] = i
	}
	done := db.Table("things").Where("id IN ?", ids).Update("n", 2)
	if done.Error != nil || done.RowsAffected != 1500 {
		t.Errorf("%d rows were updated: %v", done.RowsAffected, done.Error)
	}
	if n := len(trail(t, audit, event.Filter{Action: event.ActionChanged})); n != 1500 {
		t.Errorf("%d events, want 1500", n)
	}
}
