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

// Another process adds a unique index, which an upsert then meets.
func TestUniqueIndexOfAnotherProcess(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d)
		must(t, db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&Document{ID: "a", Body: "x"}))
		ddl(t, d.Open(t), "ALTER TABLE documents ADD COLUMN code varchar(10)", "CREATE UNIQUE INDEX sole ON documents (code)")
		must(t, db.Model(&Document{ID: "a"}).Updates(map[string]any{"code": "1"}))
		met := clause.OnConflict{Columns: []clause.Column{{Name: "code"}}, DoUpdates: clause.AssignmentColumns([]string{"body"})}
		must(t, db.Model(&Document{}).Clauses(met).Create(map[string]any{"id": "b", "body": "y", "code": "1"}))
		must(t, db.Model(&Document{}).Clauses(met).Create(map[string]any{"id": "c", "body": "z", "code": "2"}))
		oracle.Check(t, db, audit.Repository(), oracle.Table{Object: "Document", Name: "documents", Keys: []string{"id"}})
		var got []string
		for _, e := range trail(t, audit, event.Filter{}) {
			got = append(got, e.ActionObjectID+" "+e.Action)
		}
		if want := "[a created a changed a changed c created]"; fmt.Sprint(got) != want {
			t.Errorf("recorded %v, want %s", got, want)
		}
	})
}
