package outbox_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"
	"pgregory.net/rapid"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/outbox"
)

func TestEveryFieldSurvives(t *testing.T) {
	t.Parallel()
	var events []event.Event
	for seed := range 100 {
		events = append(events, anEvent().Example(seed))
	}
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		to := newDestination(nil)
		box := start(t, migrated(t, s), to, nil)
		insert(t, box, events...)
		flush(t, box)
		for _, want := range events {
			got, err := to.Get(t.Context(), want.ID)
			if err != nil {
				t.Fatal(err)
			}
			if got.Sequence <= 0 {
				t.Errorf("sequence %d, want the outbox's", got.Sequence)
			}
			want.Sequence = got.Sequence
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("event (-want +got):\n%s", diff)
			}
		}
	})
}

// anEvent draws valid events with every field filled, some with oddities.
func anEvent() *rapid.Generator[event.Event] {
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "\x00", "␛0", "␛", "<&>\u2028\\", `'"`, "?{now}$1", strings.Repeat("ž", 5000)}))
	document := rapid.SampledFrom([]string{
		"", "null", "{}", `{ "spaces" : [ 1 , 2 ] }`, `12345678901234567890.12345678901234567890e5`,
		`"\u0000<&>\u2028 "`, `{"a":1,"a":2}`, strings.Repeat("[", event.MaxDepth) + strings.Repeat("]", event.MaxDepth),
	})
	return rapid.Custom(func(t *rapid.T) event.Event {
		raw := func(name string) json.RawMessage {
			if d := document.Draw(t, name); d != "" {
				return json.RawMessage(d)
			}
			return nil
		}
		micros := rapid.Int64Range(-62135596799999999, 253402300799999999).Draw(t, "microseconds")
		return event.Event{
			ID:       event.NewID() + rapid.SampledFrom([]string{"", "\x00", "␛", strings.Repeat("\x00", 200)}).Draw(t, "id"),
			Category: text.Draw(t, "category") + "c", Action: text.Draw(t, "action") + "a", Actor: text.Draw(t, "actor"),
			ActionObject: text.Draw(t, "object"), ActionObjectID: text.Draw(t, "object id"),
			TargetType: text.Draw(t, "target"), TargetID: text.Draw(t, "target id"),
			Timestamp: time.UnixMicro(micros).UTC(), Payload: raw("payload"), Result: raw("result"),
			Outcome: rapid.SampledFrom([]event.Outcome{event.OutcomeSuccess, event.OutcomeFailure, event.OutcomeDenied}).Draw(t, "outcome"),
			Error:   text.Draw(t, "error"), TransactionID: text.Draw(t, "transaction"), RequestID: text.Draw(t, "request"),
			TraceID: text.Draw(t, "trace"), Tenant: text.Draw(t, "tenant"), Reason: text.Draw(t, "reason"),
			OnBehalfOf: text.Draw(t, "on behalf of"), IPAddress: text.Draw(t, "address"), UserAgent: text.Draw(t, "agent"),
			Meta:          map[string]string{text.Draw(t, "key"): text.Draw(t, "value")},
			SchemaVersion: rapid.IntRange(1, 9).Draw(t, "version"), Sequence: -1, BeforeUnknown: rapid.Bool().Draw(t, "before unknown"),
		}
	})
}

// recorder is a connection that remembers what is asked of it.
type recorder struct {
	gorm.ConnPool
	texts []string
}

func (r *recorder) ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error) {
	r.texts = append(r.texts, text)
	if _, err := r.ConnPool.ExecContext(ctx, text, args...); err != nil {
		return nil, err
	}
	return nil, nil // whoever looks at the row count panics
}

func TestStatementsMayBeHeldBack(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		to := newDestination(nil)
		db := migrated(t, s)
		box := start(t, db, to, nil)
		conn := &recorder{ConnPool: db.Statement.ConnPool}
		for _, n := range []int{0, 1, 250} {
			if err := box.Insert(t.Context(), conn, some("e"+string(rune('a'+n%26)), n)); err != nil {
				t.Fatal(err)
			}
		}
		if len(conn.texts) != 4 {
			t.Errorf("%d statements for 1 and for 250 events, want 1 and 3", len(conn.texts))
		}
		for _, text := range conn.texts {
			if !strings.HasPrefix(text, "/*audit:defer*/INSERT") || strings.Contains(text, "RETURNING") {
				t.Errorf("statement %.60q, want a deferrable INSERT", text)
			}
		}
		flush(t, box)
		if n := len(to.ids(t)); n != 251 {
			t.Errorf("%d events arrived, want 251", n)
		}
	})
}

// Large events are stored some at a time, whatever is large about them, and all
// of them. MariaDB takes 16 MiB in one statement, unless it is set up otherwise.
func TestInsertOfLargeEvents(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		const size = 128 << 10
		db := migrated(t, s)
		box := open(t, db, newDestination(nil), nil)
		large := func(prefix string) []event.Event {
			events := some(prefix, 100)
			for i := range events {
				events[i].Payload = event.JSON(strings.Repeat("p", size))
				events[i].Result = event.JSON(strings.Repeat("r", size))
				events[i].Error = strings.Repeat("<", size/6) // each of which JSON writes as \u003c
			}
			return events
		}
		conn := &recorder{ConnPool: db.Statement.ConnPool}
		if err := box.Insert(t.Context(), conn, large("some")); err != nil {
			t.Fatal(err)
		}
		if len(conn.texts) != 10 {
			t.Errorf("38 MiB took %d statements, want 10 of at most 4 MiB each", len(conn.texts))
		}
		insert(t, box, large("at once")...)
		if n := stats(t, box).Pending; n != 200 {
			t.Errorf("%d events in the outbox, want 200", n)
		}
	})
}

// Prepared statement caches of the app take part in its transactions, and are
// not filled with texts of every length.
func TestInsertThroughPreparedStatements(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		migrated(t, s)
		db := s.Open(t, &gorm.Config{PrepareStmt: true})
		to := newDestination(nil)
		box := start(t, db, to, nil)
		undo := errors.New("undo")
		for i, end := range []error{nil, undo} {
			err := db.Transaction(func(tx *gorm.DB) error {
				for n := 1; n <= 5; n++ {
					if err := box.Insert(t.Context(), tx.Statement.ConnPool, some(string(rune('a'+i*5+n)), n)); err != nil {
						return err
					}
				}
				return end
			})
			if !errors.Is(err, end) {
				t.Fatal(err)
			}
		}
		flush(t, box)
		if n := len(to.ids(t)); n != 15 {
			t.Errorf("%d events arrived, want 15", n)
		}
		prepared, ok := db.ConnPool.(*gorm.PreparedStmtDB)
		if !ok {
			t.Fatalf("the pool is a %T", db.ConnPool)
		}
		if n := len(prepared.Stmts.Keys()); n != 1 {
			t.Errorf("%d statements prepared, want the one for a single event", n)
		}
	})
}

// The events of one call share a fate, however many statements they take.
func TestInsertAtOnceIsAllOrNothing(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		box := open(t, migrated(t, s), newDestination(nil), nil)
		events := some("e", 250)
		events[249].ID = strings.Repeat("x", 600) + "\xff" // which no server takes
		if s.Kind() == testdb.SQLiteCgo || s.Kind() == testdb.SQLitePure {
			execute(t, s.Open(t), "CREATE TRIGGER no BEFORE INSERT ON event_audit_outbox WHEN length(new.event_id) > 600 BEGIN SELECT RAISE(ABORT, 'no'); END")
		}
		if err := box.Insert(t.Context(), nil, events); err == nil {
			t.Fatal("Insert took an event that it cannot take")
		}
		if n := stats(t, box).Pending; n != 0 {
			t.Errorf("%d events in the outbox, want none", n)
		}
	})
}

func TestReady(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		db := s.Open(t)
		box := open(t, db, newDestination(nil), nil)
		if err := box.Ready(t.Context()); !errors.Is(err, outbox.ErrNoTables) || !strings.Contains(err.Error(), "migrate.Up") {
			t.Errorf("Ready = %v, want ErrNoTables and what to do", err)
		}
		migrated(t, s)
		if err := box.Ready(t.Context()); err != nil {
			t.Errorf("Ready = %v", err)
		}
		execute(t, db, "ALTER TABLE event_audit_dead_letter DROP COLUMN reason")
		if err := box.Ready(t.Context()); !errors.Is(err, outbox.ErrNoTables) || !strings.Contains(err.Error(), `"reason"`) {
			t.Errorf("Ready = %v, want ErrNoTables and the missing column", err)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	db := migrated(t, testdb.New(t, testdb.SQLitePure))
	to := newDestination(nil)
	tx := db.Begin()
	defer tx.Rollback()
	build := func(db *gorm.DB, opts *outbox.Options) error {
		_, err := outbox.New(db, to, opts)
		return err
	}
	_, missing := outbox.New(db, nil, nil)
	for field, err := range map[string]error{
		"repository":   missing,
		"database":     errors.Join(build(nil, nil)),
		"BatchSize":    build(db, &outbox.Options{BatchSize: -1}),
		"BatchTimeout": build(db, &outbox.Options{BatchTimeout: -1}),
		"MaxAttempts":  build(db, &outbox.Options{MaxAttempts: -1}),
		"PollInterval": build(db, &outbox.Options{PollInterval: -1}),
	} {
		expectField(t, err, field)
	}
	expectField(t, build(tx, nil), "database")
	if err := build(db, nil); err != nil {
		t.Errorf("New without options = %v", err)
	}
}

func expectField(t *testing.T, err error, field string) {
	t.Helper()
	var broken *event.FieldError
	if !errors.As(err, &broken) || broken.Field != field {
		t.Errorf("error %v, want a FieldError for %s", err, field)
	}
}
