package eventaudit_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

// noting gives a table a trigger that changes the rows it runs for, and one that
// puts those back that are deleted.
func noting(t *testing.T, db *gorm.DB, table string) {
	t.Helper()
	name := strings.ReplaceAll(table, ".", "_")
	for _, text := range []string{
		"CREATE FUNCTION public.note_" + name + "() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF pg_trigger_depth() = 1 THEN " +
			"UPDATE " + table + " SET note = 'by trigger' WHERE id = NEW.id; END IF; RETURN NULL; END $$",
		"CREATE FUNCTION public.back_" + name + "() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF pg_trigger_depth() = 1 THEN " +
			"INSERT INTO " + table + " VALUES (OLD.id, 'back', OLD.n); END IF; RETURN NULL; END $$",
		"CREATE TRIGGER note AFTER INSERT OR UPDATE ON " + table + " FOR EACH ROW EXECUTE FUNCTION public.note_" + name + "()",
		"CREATE TRIGGER back AFTER DELETE ON " + table + " FOR EACH ROW EXECUTE FUNCTION public.back_" + name + "()",
	} {
		must(t, db.Exec(text))
	}
}

// resultsOf are the values in the events of things.
func resultsOf(t *testing.T, db *gorm.DB) (results []string) {
	t.Helper()
	must(t, db.Raw("SELECT action || ' ' || coalesce(result::text, '') FROM public.event_audit_event ORDER BY sequence").Scan(&results))
	return results
}

// One of the tables that share a name may have triggers that another one has not.
func TestTriggersWhereTheSearchPathLeads(t *testing.T) {
	t.Parallel()
	db, _ := install(t, testdb.New(t, testdb.Postgres))
	for _, schema := range []string{"a", "b"} {
		must(t, db.Exec("CREATE SCHEMA "+schema))
		must(t, db.Exec("CREATE TABLE "+schema+".things (id int PRIMARY KEY, note text, n int)"))
	}
	noting(t, db, "b.things")
	var want []string
	for _, schema := range []string{"a", "b", "a", "b", "b", "a"} {
		err := db.Transaction(func(tx *gorm.DB) error {
			must(t, tx.Exec(fmt.Sprintf("SET LOCAL search_path = %s, public", schema)))
			must(t, tx.Table("things").Create(columns{"id": 1, "note": "x", "n": 1}))
			must(t, tx.Table("things").Where("id = 1").Update("n", 2))
			must(t, tx.Table("things").Where("id = 1").Delete(nil))
			return tx.Exec("DELETE FROM " + schema + ".things").Error
		})
		if err != nil {
			t.Fatal(err)
		}
		must(t, db.Exec("TRUNCATE "+schema+".things"))
		if schema == "a" {
			want = append(want, `created {"new":{"id":1,"note":"x","n":1}}`, `changed {"old":{"n":1},"new":{"n":2}}`, `deleted {"old":{"id":1,"note":"x","n":2}}`)
		} else {
			want = append(want, `created {"new":{"id":1,"note":"by trigger","n":1}}`, `changed {"old":{"n":1},"new":{"n":2}}`,
				`changed {"old":{"note":"by trigger"},"new":{"note":"back"}}`)
		}
	}
	if diff := cmp.Diff(want, resultsOf(t, db)); diff != "" {
		t.Error(diff)
	}
}

// Another process may put another table in the place of one.
func TestTriggersOfATableInTheOldOnesPlace(t *testing.T) {
	t.Parallel()
	d := testdb.New(t, testdb.Postgres)
	db, audit := install(t, d)
	must(t, db.Exec("CREATE TABLE things (id int PRIMARY KEY, note text, n int)"))
	must(t, db.Table("things").Create(columns{"id": 1, "note": "x", "n": 1}))
	other := d.Open(t)
	must(t, other.Exec("CREATE TABLE new_things (id int PRIMARY KEY, note text, n int)"))
	must(t, other.Exec("INSERT INTO new_things SELECT * FROM things"))
	must(t, other.Exec("ALTER TABLE things RENAME TO old_things"))
	must(t, other.Exec("ALTER TABLE new_things RENAME TO things"))
	noting(t, other, "things")
	must(t, db.Table("things").Where("id = 1").Update("n", 2))
	if diff := cmp.Diff([]string{`created {"new":{"id":1,"note":"x","n":1}}`, `changed {"old":{"note":"x","n":1},"new":{"note":"by trigger","n":2}}`}, resultsOf(t, db)); diff != "" {
		t.Error(diff)
	}
	if n := len(trail(t, audit, event.Filter{})); n != 2 {
		t.Errorf("%d events, want 2", n)
	}
}
