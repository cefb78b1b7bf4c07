package sqlrepo_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/fieldindex"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/repository/sqlrepo"
)

// busy fills the table: half of the events are root's, every tenth is about
// the record hot/1, and some have the target Group/7.
func busy(t *testing.T, r *sqlrepo.Repository, db *gorm.DB, kind testdb.Kind) (middle event.Event) {
	t.Helper()
	const n = 6000
	events := make([]event.Event, n)
	for i := range events {
		e := event.New("model", "changed")
		e.Timestamp = time.Date(2024, 1, 1, 0, 0, i, 0, time.UTC)
		e.Actor = fmt.Sprintf("user-%d", i%100)
		if i%2 == 0 {
			e.Actor = "root"
		}
		e.ActionObject, e.ActionObjectID = fmt.Sprintf("table-%d", i%20), fmt.Sprint(i%300)
		if i%10 == 0 {
			e.ActionObject, e.ActionObjectID = "hot", "1"
		}
		if i%30 == 1 {
			e.TargetType, e.TargetID = "Group", "7"
		}
		events[i] = e
	}
	if err := r.Write(t.Context(), events...); err != nil {
		t.Fatal(err)
	}
	analyze(t, db, kind)
	return events[n/2]
}

// analyze lets the server know the table, as it would by itself in a while.
func analyze(t *testing.T, db *gorm.DB, kind testdb.Kind) {
	t.Helper()
	statement := map[testdb.Kind]string{testdb.Postgres: "ANALYZE event_audit_event", testdb.MariaDB: "ANALYZE TABLE event_audit_event"}[kind]
	if statement == "" {
		return
	}
	if err := db.Exec(statement).Error; err != nil {
		t.Fatal(err)
	}
}

// explain returns the plan as one text.
func explain(t *testing.T, db *gorm.DB, kind testdb.Kind, query string, args []any) string {
	t.Helper()
	prefix := "EXPLAIN QUERY PLAN "
	switch kind {
	case testdb.Postgres:
		prefix = "EXPLAIN "
	case testdb.MariaDB:
		prefix = "EXPLAIN FORMAT=JSON "
	}
	rows, err := db.Statement.ConnPool.QueryContext(t.Context(), prefix+query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var plan strings.Builder
	for rows.Next() {
		var line string
		into := make([]any, len(columns))
		for i := range into {
			into[i] = new(sql.RawBytes)
		}
		into[len(into)-1] = &line
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		plan.WriteString(line + "\n")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return plan.String()
}

// TestListsUseTheirIndex looks into the plans: each database says in its own
// words that a list is read from where it begins, not filtered.
func TestListsUseTheirIndex(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		r, db := migrated(t, s)
		middle := busy(t, r, db, s.Kind())
		newest := event.Filter{Order: event.NewestFirst, Limit: 10}
		tests := map[string]struct {
			change func(*event.Filter)
			words  map[testdb.Kind][]string
		}{
			"page": {
				func(f *event.Filter) { f.After = middle.Cursor() },
				map[testdb.Kind][]string{
					testdb.SQLitePure: {"event_audit_timestamp ((timestamp,id)<(?,?))"},
					testdb.Postgres:   {"using event_audit_timestamp", `Index Cond: (ROW("timestamp", id) < `},
					testdb.MariaDB:    {`"access_type": "range"`, `"key": "event_audit_timestamp"`},
				},
			},
			"page of an actor": {
				func(f *event.Filter) { f.After, f.Actor = middle.Cursor(), "user-1" },
				map[testdb.Kind][]string{
					testdb.SQLitePure: {"event_audit_actor (actor=? AND (timestamp,id)<(?,?))"},
					testdb.Postgres:   {"event_audit_actor", `AND (ROW("timestamp", id) < `},
					testdb.MariaDB:    {`"access_type": "range"`, `"key": "event_audit_actor"`, `["actor", "timestamp"]`},
				},
			},
			"page of a busy actor": {
				func(f *event.Filter) { f.After, f.Actor = middle.Cursor(), "root" },
				map[testdb.Kind][]string{
					testdb.SQLitePure: {"event_audit_actor (actor=? AND (timestamp,id)<(?,?))"},
					testdb.Postgres:   {`(ROW("timestamp", id) < `},
					testdb.MariaDB:    {`"access_type": "range"`, `"key": "event_audit_actor"`, `["actor", "timestamp"]`},
				},
			},
			"record": {
				func(f *event.Filter) { f.ActionObject, f.ActionObjectID = "table-3", "203" },
				map[testdb.Kind][]string{
					testdb.SQLitePure: {"event_audit_object (action_object_id=? AND action_object=?)"},
					testdb.Postgres:   {"using event_audit_object"},
					testdb.MariaDB:    {`"key": "event_audit_object"`},
				},
			},
			"page of a busy record": {
				func(f *event.Filter) { f.After, f.ActionObject, f.ActionObjectID = middle.Cursor(), "hot", "1" },
				map[testdb.Kind][]string{
					testdb.SQLitePure: {"event_audit_object (action_object_id=? AND action_object=? AND (timestamp,id)<(?,?))"},
					testdb.Postgres:   {"using event_audit_object", `AND (ROW("timestamp", id) < `},
					testdb.MariaDB:    {`"access_type": "range"`, `"key": "event_audit_object"`, `["action_object", "action_object_id", "timestamp"]`},
				},
			},
			"page of a busy object": {
				func(f *event.Filter) { f.After, f.ActionObject = middle.Cursor(), "hot" },
				map[testdb.Kind][]string{
					testdb.SQLitePure: {"event_audit_by_action_object (action_object=? AND (timestamp,id)<(?,?))"},
					testdb.Postgres:   {`(ROW("timestamp", id) < `},
					testdb.MariaDB:    {`"access_type": "range"`, `"key": "event_audit_by_action_object"`, `["action_object", "timestamp"]`},
				},
			},
			"page of a target": {
				func(f *event.Filter) { f.After, f.TargetID, f.Limit = middle.Cursor(), "7", 2 },
				map[testdb.Kind][]string{
					testdb.SQLitePure: {"event_audit_by_target_id (target_id=? AND (timestamp,id)<(?,?))"},
					testdb.Postgres:   {"using event_audit_by_target_id", `AND (ROW("timestamp", id) < `},
					testdb.MariaDB:    {`"access_type": "range"`, `"key": "event_audit_by_target_id"`, `["target_id", "timestamp"]`},
				},
			},
			"busy record by an actor": {
				func(f *event.Filter) {
					f.ActionObject, f.ActionObjectID, f.Actor, f.Limit = "hot", "1", "root", 1
				},
				map[testdb.Kind][]string{
					testdb.SQLitePure: {"event_audit_object (action_object_id=? AND action_object=?)"},
					testdb.Postgres:   {"using event_audit_object"},
					testdb.MariaDB:    {`"key": "event_audit_object"`},
				},
			},
		}
		for name, test := range tests {
			f := newest
			test.change(&f)
			query, args := r.Statement(f)
			plan := explain(t, db, s.Kind(), query, args)
			kind := s.Kind()
			if kind == testdb.SQLiteCgo {
				kind = testdb.SQLitePure
			}
			if strings.Contains(plan, "Sort") || strings.Contains(plan, "filesort") || strings.Contains(plan, "TEMP B-TREE") {
				t.Errorf("%s: the list is sorted, not read in its order:\n%s", name, plan)
			}
			for _, word := range test.words[kind] {
				if !strings.Contains(plan, word) {
					t.Errorf("%s: the plan does not say %s:\n%s", name, word, plan)
				}
			}
		}
	})
}

// TestFieldsUseTheirIndex asks for a value that three of 3,000 events have, in
// each field that has an index from the start.
func TestFieldsUseTheirIndex(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		r, db := migrated(t, s)
		var events []event.Event
		for n := range 3000 {
			value, outcome := fmt.Sprint("common", n%3), event.OutcomeSuccess
			if n%1000 == 0 {
				value, outcome = "rare", event.OutcomeDenied
			}
			events = append(events, event.Event{
				ID: event.NewID(), Timestamp: time.Unix(int64(n), 0), Category: value, Action: value, Actor: value,
				ActionObject: value, ActionObjectID: value, TargetType: value, TargetID: value, Outcome: outcome, Error: value,
				TransactionID: value, RequestID: value, TraceID: value, Tenant: value, Reason: value, OnBehalfOf: value,
				IPAddress: value, UserAgent: value,
			})
		}
		if err := r.Write(t.Context(), events...); err != nil {
			t.Fatal(err)
		}
		analyze(t, db, s.Kind())
		filters := map[string]event.Filter{
			"action_object": {ActionObject: "rare"}, "action_object_id": {ActionObjectID: "rare"},
			"target_type": {TargetType: "rare"}, "target_id": {TargetID: "rare"}, "outcome": {Outcome: event.OutcomeDenied},
			"error": {Error: "rare"}, "transaction_id": {TransactionID: "rare"}, "request_id": {RequestID: "rare"},
			"trace_id": {TraceID: "rare"}, "tenant": {Tenant: "rare"}, "reason": {Reason: "rare"},
			"on_behalf_of": {OnBehalfOf: "rare"}, "ip_address": {IPAddress: "rare"}, "user_agent": {UserAgent: "rare"},
		}
		for _, field := range fieldindex.Default(db.Name()) {
			f, ok := filters[field]
			if !ok {
				t.Errorf("%s has an index that this test does not ask for", field)
				continue
			}
			f.Order, f.Limit = event.NewestFirst, 100
			if found := collect(t, r, f); len(found) != 3 {
				t.Errorf("%s: %d events, want 3", field, len(found))
			}
			query, args := r.Statement(f)
			if plan := explain(t, db, s.Kind(), query, args); !strings.Contains(plan, "event_audit_by_"+field) {
				t.Errorf("%s: a list by a rare value does not use the index:\n%s", field, plan)
			}
		}
	})
}

// TestRarestFieldLeads holds that SQLite, which keeps no statistics unless
// asked to, reads a list by several fields from the index on the one that has
// the most values.
func TestRarestFieldLeads(t *testing.T) {
	t.Parallel()
	r, db := migrated(t, testdb.New(t, testdb.SQLitePure))
	for index, f := range map[string]event.Filter{
		"event_audit_actor":             {Actor: "user-1", Tenant: "acme", ActionObject: "Order", Outcome: event.OutcomeFailure},
		"event_audit_by_request_id":     {RequestID: "r", Actor: "user-1", UserAgent: "curl", Action: "changed"},
		"event_audit_by_tenant":         {Tenant: "acme", Category: "model", Outcome: event.OutcomeSuccess},
		"event_audit_by_transaction_id": {TransactionID: "t", RequestID: "r", ActionObjectID: "7"},
		"event_audit_object":            {ActionObject: "Order", ActionObjectID: "7", Actor: "user-1", Tenant: "acme"},
	} {
		f.Order, f.Limit = event.NewestFirst, 100
		query, args := r.Statement(f)
		if plan := explain(t, db, testdb.SQLitePure, query, args); !strings.Contains(plan, "USING INDEX "+index+" ") {
			t.Errorf("%+v is not read from %s:\n%s", f, index, plan)
		}
	}
}

// TestNoGenericPlan asks for a busy and an idle actor in turn, through the
// prepared statements of one connection.
func TestNoGenericPlan(t *testing.T) {
	t.Parallel()
	db := testdb.New(t, testdb.Postgres).Open(t)
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	pool.SetMaxOpenConns(1)
	r := newMigrated(t, db)
	busy(t, r, db, testdb.Postgres)
	const plain = `SELECT "id" FROM "event_audit_event" WHERE "actor" = $1`
	for i := range 40 {
		actor := []string{"root", "user-1"}[i%2]
		collect(t, r, event.Filter{Actor: actor, Order: event.NewestFirst, Limit: 10})
		rows, err := pool.QueryContext(t.Context(), plain, actor)
		if err != nil {
			t.Fatal(err)
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
	plans := func(like string) (generic, custom int) {
		row := pool.QueryRowContext(t.Context(), `SELECT sum(generic_plans), sum(custom_plans) FROM pg_prepared_statements WHERE statement LIKE $1`, like)
		if err := row.Scan(&generic, &custom); err != nil {
			t.Fatal(err)
		}
		return generic, custom
	}
	if generic, _ := plans(plain); generic == 0 {
		t.Error("the plain query has no generic plan either, so that this test proves nothing")
	}
	if generic, custom := plans("%before_unknown%ORDER BY%"); generic != 0 || custom != 40 {
		t.Errorf("the list was planned %d times generically and %d times for its values, want 0 and 40", generic, custom)
	}
}
