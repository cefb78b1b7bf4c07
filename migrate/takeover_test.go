package migrate_test

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/migrate"
	"github.com/eventaudit/eventaudit/repository/sqlrepo"
)

// ancestor is one way in which an ancestor's table may have been declared.
type ancestor struct {
	name string
	// timestamp and document are column types; empty leaves the kind out.
	timestamp, document map[testdb.Kind]string
}

func all(definition string) map[testdb.Kind]string {
	kinds := map[testdb.Kind]string{}
	for _, kind := range testdb.Kinds() {
		kinds[kind] = definition
	}
	return kinds
}

func ancestors() []ancestor {
	native := map[testdb.Kind]string{
		testdb.SQLiteCgo: "DATETIME", testdb.SQLitePure: "DATETIME",
		testdb.Postgres: "timestamptz", testdb.MariaDB: "DATETIME(6)",
	}
	naive := map[testdb.Kind]string{testdb.Postgres: "timestamp", testdb.MariaDB: "TIMESTAMP(6)"}
	documents := map[testdb.Kind]string{
		testdb.SQLiteCgo: "JSON", testdb.SQLitePure: "JSON", testdb.Postgres: "json", testdb.MariaDB: "JSON",
	}
	long := all("TEXT")
	long[testdb.MariaDB] = "LONGTEXT"
	return []ancestor{
		{"text", all("VARCHAR(64)"), long},
		{"native", native, documents},
		{"naive", naive, documents},
		{"jsonb", map[testdb.Kind]string{testdb.Postgres: "timestamptz"}, map[testdb.Kind]string{testdb.Postgres: "jsonb"}},
	}
}

// create creates the ancestor's table with the indexes that it had.
func (a ancestor) create(t *testing.T, db *gorm.DB, kind testdb.Kind) {
	t.Helper()
	run(t, db, fmt.Sprintf(`CREATE TABLE event_audit_event (
		id VARCHAR(64) PRIMARY KEY, category VARCHAR(255), action VARCHAR(255), actor VARCHAR(255),
		action_object VARCHAR(255), action_object_id VARCHAR(255), target_type VARCHAR(255), target_id VARCHAR(255),
		timestamp %s, result %s, payload %s)`, a.timestamp[kind], a.document[kind], a.document[kind]))
	for _, column := range []string{"category", "action", "actor", "action_object"} {
		run(t, db, fmt.Sprintf("CREATE INDEX ix_event_%s ON event_audit_event (%s)", column, column))
	}
	run(t, db, "CREATE INDEX ix_event_actor_action ON event_audit_event (actor, action)")
}

func run(t *testing.T, db *gorm.DB, statement string, args ...any) {
	t.Helper()
	if err := db.Exec(statement, args...).Error; err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// row is what stands in a row of the ancestor's table; nil is NULL.
type row struct {
	id, category, action, actor, object, objectID, targetType, targetID, timestamp, result, payload any
}

func (r row) insert(t *testing.T, db *gorm.DB) {
	t.Helper()
	run(t, db, "INSERT INTO event_audit_event (id, category, action, actor, action_object, action_object_id, target_type, target_id, timestamp, result, payload) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
		r.id, r.category, r.action, r.actor, r.object, r.objectID, r.targetType, r.targetID, r.timestamp, r.result, r.payload)
}

// taken is the event that the row becomes.
func (r row) taken(at string, sequence int64) event.Event {
	text := func(value any) string {
		s, _ := value.(string)
		return s
	}
	document := func(value any) json.RawMessage {
		if s := text(value); s != "" {
			return json.RawMessage(s)
		}
		return nil
	}
	timestamp, err := time.Parse(time.RFC3339Nano, at)
	if err != nil {
		panic(err)
	}
	return event.Event{
		ID: text(r.id), Category: text(r.category), Action: text(r.action), Actor: text(r.actor),
		ActionObject: text(r.object), ActionObjectID: text(r.objectID), TargetType: text(r.targetType), TargetID: text(r.targetID),
		Timestamp: timestamp, Result: document(r.result), Payload: document(r.payload),
		Outcome: event.OutcomeSuccess, Sequence: sequence,
	}
}

// hostile are rows in an order that is not the order of time. Their timestamps
// are set by the test, since their form depends on the column.
func hostile() []row {
	big, err := json.Marshal(strings.Repeat("x'\"%\\🎉", 10_000))
	if err != nil {
		panic(err)
	}
	return []row{
		{id: "e-3", category: "model", action: "changed", actor: `O'Brien "x" %s \ ;--`, object: "package", objectID: "🎉", targetType: " ", targetID: "trailing ", result: `{}`, payload: string(big)},
		{id: "e-1", category: "api", action: "package_create", actor: "␛0 ␛", object: nil, objectID: nil, targetType: nil, targetID: nil, result: nil, payload: nil},
		{id: "e-4", category: nil, action: nil, actor: nil, object: "", objectID: "", targetType: "", targetID: "", result: `null`, payload: `[1, 2.50, "ü"]`},
		{id: "e-2", category: strings.Repeat("ß", 255), action: "…sha256:", actor: "A", object: "a", objectID: "a ", targetType: "%", targetID: "_", result: `"\u0041"`, payload: `0`},
	}
}

// moments are a timestamp of each hostile row and what it means. The second
// and the fourth are the same instant.
var moments = [][2]string{
	{"2024-10-23 12:03:33.876738", "2024-10-23T12:03:33.876738Z"},
	{"2024-10-23 12:03:33.876737", "2024-10-23T12:03:33.876737Z"},
	{"2024-10-24 00:00:00", "2024-10-24T00:00:00Z"},
	{"2024-10-23 12:03:33.876737", "2024-10-23T12:03:33.876737Z"},
}

func TestTakeover(t *testing.T) {
	t.Parallel()
	for _, a := range ancestors() {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			for _, kind := range testdb.Kinds() {
				if a.timestamp[kind] == "" {
					continue
				}
				t.Run(string(kind), func(t *testing.T) {
					t.Parallel()
					db := testdb.New(t, kind).Open(t)
					a.create(t, db, kind)
					rows := hostile()
					for i := range rows {
						rows[i].timestamp = moments[i][0]
						rows[i].insert(t, db)
					}
					if err := migrate.Up(db); err != nil {
						t.Fatal(err)
					}
					want := []event.Event{
						rows[1].taken(moments[1][1], 1), rows[3].taken(moments[3][1], 2),
						rows[0].taken(moments[0][1], 3), rows[2].taken(moments[2][1], 4),
					}
					if a.name == "jsonb" { // which has rewritten them already
						want[1].Result = json.RawMessage(`"A"`)
					}
					if diff := cmp.Diff(want, stored(t, db)); diff != "" {
						t.Error(diff)
					}
					expectTables(t, db, sqlrepo.Table)
				})
			}
		})
	}
}

// expectTables checks that the database has these tables and those of the
// migrations, and nothing that a takeover left behind.
func expectTables(t *testing.T, db *gorm.DB, want ...string) {
	t.Helper()
	var left []string
	for _, name := range []string{sqlrepo.Table, sqlrepo.Table + "_ancestor", sqlrepo.Table + "_staging", sqlrepo.Table + "_sorted"} {
		if db.Migrator().HasTable(name) {
			left = append(left, name)
		}
	}
	if diff := cmp.Diff(want, left); diff != "" {
		t.Errorf("tables: %s", diff)
	}
}

// stored returns the events in order of time.
func stored(t *testing.T, db *gorm.DB) []event.Event {
	t.Helper()
	r, err := sqlrepo.New(db, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	var events []event.Event
	for e, err := range r.Find(t.Context(), event.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

// plain is the ancestor's table with timestamps as text, which can hold all
// that is tested with it.
func plain() ancestor { return ancestors()[0] }

func TestTakeoverReadsEveryFormOfTimestamp(t *testing.T) {
	t.Parallel()
	forms := map[string]string{
		"2024-10-23T12:03:33.876737+02:00": "2024-10-23T10:03:33.876737Z",
		"2024-10-23T12:03:33.876737+00:00": "2024-10-23T12:03:33.876737Z",
		"2024-10-23 12:03:33.876737Z":      "2024-10-23T12:03:33.876737Z",
		"2024-10-23T12:03:33.876737":       "2024-10-23T12:03:33.876737Z",
		"2024-10-23 12:03:33":              "2024-10-23T12:03:33Z",
		"2024-10-23T12:03:33.1":            "2024-10-23T12:03:33.1Z",
		"2024-10-23 12:03:33.12-09":        "2024-10-23T21:03:33.12Z",
		"2024-10-23T12:03:33.123+0530":     "2024-10-23T06:33:33.123Z",
		"2024-10-23T12:03:33.123400-03:30": "2024-10-23T15:33:33.1234Z",
		"0001-01-01T00:00:00":              "0001-01-01T00:00:00Z",
		"9999-12-31T23:59:59.999999+00:00": "9999-12-31T23:59:59.999999Z",
	}
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		db := s.Open(t)
		plain().create(t, db, s.Kind())
		want := map[string]string{}
		for written, meant := range forms {
			row{id: written, timestamp: written, result: "", payload: ""}.insert(t, db)
			want[written] = meant
		}
		if err := migrate.Up(db); err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, e := range stored(t, db) {
			got[e.ID] = e.Timestamp.Format(time.RFC3339Nano)
			if e.Result != nil || e.Payload != nil {
				t.Errorf("%s: an empty document became %q and %q", e.ID, e.Result, e.Payload)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestTakeoverRefusesWhatItCannotConvert(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		row    row
		change string
		// says are words of the error.
		says []string
	}{
		"timestamp":        {row: row{id: "bad-1", timestamp: "yesterday"}, says: []string{`"bad-1"`, `timestamp "yesterday"`}},
		"no timestamp":     {row: row{id: "bad-2"}, says: []string{`"bad-2"`, "timestamp"}},
		"too fine":         {row: row{id: "bad-3", timestamp: "2024-10-23T12:03:33.1234567"}, says: []string{`"bad-3"`, "33.1234567"}},
		"beyond the years": {row: row{id: "bad-4", timestamp: "9999-12-31T23:59:59-01:00"}, says: []string{`"bad-4"`, "9999"}},
		"document":         {row: row{id: "bad-5", timestamp: "2024-10-23T12:03:33", result: `{"a": NaN}`}, says: []string{`"bad-5"`, "result", "NaN"}},
		"payload":          {row: row{id: "bad-6", timestamp: "2024-10-23T12:03:33", payload: `{`}, says: []string{`"bad-6"`, `payload "{"`}},
		"no id":            {row: row{id: "", category: "x", timestamp: "2024-10-23T12:03:33"}, says: []string{"no id", `"x"`}},
		"further column":   {row: row{id: "bad-7", timestamp: "2024-10-23T12:03:33"}, change: "ALTER TABLE event_audit_event ADD COLUMN domain VARCHAR(9)", says: []string{`"domain"`, "lost"}},
		"fewer columns":    {row: row{id: "bad-8", timestamp: "2024-10-23T12:03:33"}, change: "ALTER TABLE event_audit_event DROP COLUMN payload", says: []string{`"payload"`, "rename"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testdb.Each(t, func(t *testing.T, s *testdb.Database) {
				db := s.Open(t)
				plain().create(t, db, s.Kind())
				row{id: "fine", timestamp: "2024-10-23T12:03:33"}.insert(t, db)
				test.row.insert(t, db)
				if test.change != "" {
					run(t, db, test.change)
				}
				err := migrate.Up(db)
				if err == nil {
					t.Fatal("Up took it over")
				}
				for _, word := range test.says {
					if !strings.Contains(err.Error(), word) {
						t.Errorf("the error does not say %s: %v", word, err)
					}
				}
				var ids []sql.NullString
				if err := db.Raw("SELECT id FROM event_audit_event ORDER BY id").Scan(&ids).Error; err != nil || len(ids) != 2 {
					t.Errorf("the old table holds %v, %v, want 2 rows", ids, err)
				}
				expectTables(t, db, sqlrepo.Table)
				r, err := sqlrepo.New(db, nil)
				if err != nil {
					t.Fatal(err)
				}
				if err := r.Ready(t.Context()); !errors.Is(err, sqlrepo.ErrNoTables) || !strings.Contains(err.Error(), "ancestor") {
					t.Errorf("Ready: %v, want ErrNoTables that speaks of an ancestor", err)
				}
			})
		})
	}
}

// Who might use the ancestor's table may use the new one.
func TestTakeoverKeepsPrivileges(t *testing.T) {
	t.Parallel()
	s := testdb.New(t, testdb.Postgres)
	populate(t, s, 3)
	db := s.Open(t)
	role := fmt.Sprint("eventaudit_app_", time.Now().UnixNano())
	run(t, db, "CREATE ROLE "+role)
	t.Cleanup(func() {
		run(t, db, "DROP OWNED BY "+role)
		run(t, db, "DROP ROLE "+role)
	})
	run(t, db, "GRANT INSERT, SELECT ON event_audit_event TO "+role)
	run(t, db, "GRANT SELECT ON event_audit_event TO PUBLIC")
	run(t, db, "GRANT UPDATE ON event_audit_event TO "+role+" WITH GRANT OPTION")
	privileges := func() (held string) {
		if err := db.Raw("SELECT relacl::text FROM pg_class WHERE oid = 'event_audit_event'::regclass").Scan(&held).Error; err != nil {
			t.Fatal(err)
		}
		return held
	}
	before := privileges()
	up(t, db)
	if after := privileges(); after != before {
		t.Errorf("the privileges are %s, were %s", after, before)
	}
	err := db.Transaction(func(tx *gorm.DB) error {
		run(t, tx, "SET LOCAL ROLE "+role)
		write(t, tx)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(stored(t, db)); n != 4 {
		t.Errorf("%d events are there, want 4", n)
	}
}
