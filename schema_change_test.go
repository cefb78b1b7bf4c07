package eventaudit_test

import (
	"fmt"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/oracle"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

// added are columns, by the kind of database, whose values have another form in
// events than the database or the driver gives them.
var added = map[testdb.Kind][]string{
	testdb.Postgres:   {"bytes bytea DEFAULT '\\x0102'", "doc jsonb DEFAULT '{\"a\":1}'", "since timestamptz DEFAULT '2026-03-02 10:00+02'"},
	testdb.MariaDB:    {"bytes varbinary(9) DEFAULT x'0102'", "flags bit(8) DEFAULT b'101'", "doc json DEFAULT '{\"a\":1}'", "kind enum('a','b') DEFAULT 'b'"},
	testdb.SQLitePure: {"bytes blob DEFAULT x'0102'", "flag boolean DEFAULT 1", "since datetime DEFAULT '2026-03-02 10:00:00'"},
}

// Another process adds columns while the app runs, as one that is deployed
// does. What the app records of them is what it would after a restart.
func TestColumnsOfAnotherProcess(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		columns, ok := added[d.Kind()]
		if !ok {
			columns = added[testdb.SQLitePure]
		}
		running, audit := install(t, d)
		must(t, running.Create(&Document{ID: "warm"}))
		must(t, running.Model(&Document{ID: "warm"}).Update("body", "x"))
		other := d.Open(t)
		for _, column := range columns {
			ddl(t, other, "ALTER TABLE documents ADD COLUMN "+column)
		}
		restarted, _ := use(t, d.Open(t))
		recorded := func(db *gorm.DB) (results []string) {
			must(t, db.Exec("DELETE FROM event_audit_event"))
			must(t, db.Create(&Document{ID: "same"}))
			must(t, db.Model(&Document{ID: "same"}).Update("body", "x"))
			must(t, db.Delete(&Document{ID: "same"}))
			for _, e := range trail(t, audit, event.Filter{}) {
				results = append(results, fmt.Sprintf("%s %s", e.Action, e.Result))
			}
			return results
		}
		got, want := recorded(running), recorded(restarted)
		if len(want) != 3 || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("recorded:\n%q\nafter a restart:\n%q", got, want)
		}
	})
}

// Another process adds what an upsert meets, a trigger, or another key.
func TestRulesOfAnotherProcess(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		for what, change := range map[string]func(other *gorm.DB){
			"unique": func(other *gorm.DB) { ddl(t, other, "CREATE UNIQUE INDEX sole ON documents (body)") },
			"trigger": func(other *gorm.DB) {
				switch d.Kind() {
				case testdb.Postgres:
					ddl(t, other, `CREATE FUNCTION later() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
						UPDATE documents SET body = body || '!' WHERE id = NEW.id AND body NOT LIKE '%!'; RETURN NULL; END $$`,
						"CREATE TRIGGER later AFTER INSERT OR UPDATE ON documents FOR EACH ROW EXECUTE FUNCTION later()")
				case testdb.MariaDB:
					ddl(t, other, "CREATE TRIGGER later BEFORE INSERT ON documents FOR EACH ROW SET NEW.body = concat(NEW.body, '!')")
				default:
					ddl(t, other, "CREATE TRIGGER later AFTER INSERT ON documents BEGIN UPDATE documents SET body = body || '!' WHERE id = NEW.id; END")
				}
			},
		} {
			t.Run(what, func(t *testing.T) {
				own := testdb.New(t, d.Kind())
				db, audit := install(t, own)
				must(t, db.Create(&Document{ID: "warm", Body: "w"}))
				must(t, db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&Document{ID: "warm", Body: "x"}))
				change(own.Open(t))
				must(t, db.Create(&Document{ID: "a", Body: "a"}))
				upsert := clause.OnConflict{Columns: []clause.Column{{Name: "body"}}, DoUpdates: clause.AssignmentColumns([]string{"id"})}
				if what == "unique" {
					must(t, db.Clauses(upsert).Create(&Document{ID: "b", Body: "a"}))
				}
				must(t, db.Model(&Document{}).Where("id <> ?", "warm").Update("body", "c"))
				oracle.Check(t, db, audit.Repository(), oracle.Table{Object: "Document", Name: "documents", Keys: []string{"id"}})
			})
		}
	})
}
