package migrate_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/migrate"
	"github.com/eventaudit/eventaudit/repository/sqlrepo"
)

// populate gives the database an ancestor's table with n rows, whose ids are
// not in order of time, and returns the events that they become.
func populate(t *testing.T, s *testdb.Database, n int) []event.Event {
	t.Helper()
	db := s.Open(t)
	plain().create(t, db, s.Kind())
	events := make([]event.Event, n)
	for i := range n {
		at := time.Date(2024, 1, 1, 0, 0, i, 0, time.UTC)
		r := row{
			id: fmt.Sprintf("e-%04d", n-i), category: "model", action: "created", actor: "u",
			object: "package", objectID: "1", targetType: "", targetID: "",
			timestamp: at.In(time.FixedZone("", 3600*(i%5))).Format("2006-01-02T15:04:05.000000-07:00"), result: `{}`,
		}
		r.insert(t, db)
		events[i] = r.taken(at.Format(time.RFC3339Nano), int64(i+1))
	}
	return events
}

// TestBrokenOffTakeover lets takeovers end at the most different places, until
// one has time enough.
func TestBrokenOffTakeover(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		want := populate(t, s, 450)
		db := s.Open(t)
		attempts := 0
		for patience := time.Millisecond; ; patience += patience / 4 {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			err := migrate.Up(db.WithContext(ctx))
			cancel()
			attempts++
			if err == nil {
				break
			}
			if patience > time.Minute {
				t.Fatal(err)
			}
		}
		t.Logf("%d attempts", attempts)
		if diff := cmp.Diff(want, stored(t, db)); diff != "" {
			t.Error(diff)
		}
		expectTables(t, db, sqlrepo.Table)
	})
}

// TestResume begins in each of the states in which a database that cannot undo
// changes of tables may be left.
func TestResume(t *testing.T) {
	t.Parallel()
	const old, staging, sorted = "event_audit_event_ancestor", "event_audit_event_staging", "event_audit_event_sorted"
	tests := map[string][]string{
		"half copied": {
			"CREATE TABLE " + staging + " (id INT)",
			"CREATE TABLE " + sorted + " (id INT)",
		},
		"between the renames": {
			"CREATE TABLE " + sorted + " (id INT)",
			"ALTER TABLE event_audit_event RENAME TO " + old,
		},
	}
	for name, statements := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testdb.Each(t, func(t *testing.T, s *testdb.Database) {
				want := populate(t, s, 5)
				db := s.Open(t)
				for _, statement := range statements {
					run(t, db, statement)
				}
				up(t, db)
				if diff := cmp.Diff(want, stored(t, db)); diff != "" {
					t.Error(diff)
				}
				expectTables(t, db, sqlrepo.Table)
			})
		})
	}
}

func TestResumeAfterTheSwap(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		want := populate(t, s, 5)
		db := s.Open(t)
		up(t, db)
		run(t, db, "DELETE FROM event_audit_migrations WHERE id = ?", firstID)
		run(t, db, "CREATE TABLE event_audit_event_ancestor (id INT)")
		up(t, db)
		if diff := cmp.Diff(want, stored(t, db)); diff != "" {
			t.Error(diff)
		}
		expectTables(t, db, sqlrepo.Table)
	})
}
