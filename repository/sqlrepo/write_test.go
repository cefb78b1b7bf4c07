package sqlrepo_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"
	"pgregory.net/rapid"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/repository/sqlrepo"
)

func series(n int) []event.Event {
	events := make([]event.Event, n)
	for i := range events {
		events[i] = event.New("custom", "tested")
	}
	return events
}

// recorder is a connection pool that remembers what it is given. What is
// prepared runs in the pool behind it; it has no other method than these two.
type recorder struct {
	gorm.ConnPool
	queries  []string
	args     []int
	err      error
	prepared []string
}

func (r *recorder) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	r.prepared = append(r.prepared, query)
	return r.ConnPool.PrepareContext(ctx, query)
}

func (r *recorder) ExecContext(_ context.Context, query string, args ...any) (sql.Result, error) {
	r.queries = append(r.queries, query)
	r.args = append(r.args, len(args))
	return nil, r.err
}

// TestInsertStatements pins what connectors rely on: the mark, no rows
// returned, no result looked at, few statements.
func TestInsertStatements(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		r, db := migrated(t, s)
		chunk := map[testdb.Kind]int{testdb.Postgres: 500, testdb.MariaDB: 100}[s.Kind()]
		many := 3 // statements that are not prepared
		if chunk == 0 {
			chunk, many = 50, 0
		}
		for _, test := range []struct{ events, statements int }{{0, 0}, {1, 1}, {chunk, 1}, {chunk + 1, 2}, {3 * chunk, many}} {
			conn := recorder{ConnPool: db.ConnPool}
			if err := r.Insert(t.Context(), &conn, series(test.events)); err != nil {
				t.Fatal(err)
			}
			if len(conn.queries) != test.statements {
				t.Errorf("%d events took %d statements, want %d", test.events, len(conn.queries), test.statements)
			}
			if test.events > 0 && test.statements == 0 {
				if n, err := r.Count(t.Context(), event.Filter{}); err != nil || n != int64(test.events) || len(conn.prepared) != 1 {
					t.Errorf("%d events were stored by %d prepared statements (%v), want %d by one", n, len(conn.prepared), err, test.events)
				}
			} else if conn.prepared != nil {
				t.Errorf("%d events were prepared for: %q", test.events, conn.prepared)
			}
			for i, query := range conn.queries {
				if !strings.HasPrefix(query, "/*audit:defer*/INSERT INTO ") {
					t.Errorf("the statement begins with %.40q, not with the mark", query)
				}
				if strings.Contains(query, "RETURNING") || strings.Contains(query, "IGNORE") {
					t.Errorf("the statement returns rows or ignores errors: %q", query)
				}
				if n := placeholders(query); n != conn.args[i] {
					t.Errorf("%d placeholders for %d arguments", n, conn.args[i])
				}
			}
		}
	})
}

// placeholders counts the arguments of a query. A question mark with a number
// names one that was there before.
func placeholders(query string) int {
	numbered, others := map[string]bool{}, 0
	for _, mark := range regexp.MustCompile(`\$\d+|\?\d*`).FindAllString(query, -1) {
		switch {
		case mark == "?":
			others++
		case mark[0] == '$':
			numbered[mark] = true
		}
	}
	return len(numbered) + others
}

// Large documents are stored some at a time, and all of them.
func TestInsertOfLargeDocuments(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		r, _ := migrated(t, s)
		events := series(9)
		for i := range events {
			events[i].Result = json.RawMessage(`"` + strings.Repeat("x", 1<<20) + `"`)
		}
		var conn recorder
		if err := r.Insert(t.Context(), &conn, events); err != nil {
			t.Fatal(err)
		}
		if len(conn.queries) != 3 {
			t.Errorf("9 MiB took %d statements, want 3 of at most 4 MiB each", len(conn.queries))
		}
		if err := r.Write(t.Context(), events...); err != nil {
			t.Fatal(err)
		}
		if n := len(collect(t, r, event.Filter{})); n != len(events) {
			t.Errorf("%d events are stored, want %d", n, len(events))
		}
	})
}

// An INSERT says what its events share once. Whatever they share, they come
// back as they were, in their order.
func TestBatchesOfAnyShape(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		r, _ := migrated(t, s)
		last := int64(0)
		rapid.Check(t, func(t *rapid.T) {
			texts := func(name string) *rapid.Generator[string] {
				some := rapid.SliceOfN(rapid.SampledFrom([]string{"", "a", "b", `{"\,NULL}`, "null", "é␛", "\n"}), 1, 2).Draw(t, name)
				return rapid.SampledFrom(some)
			}
			documents := rapid.SampledFrom([]string{"", "null", "{}", `{"a": "\"{x},y\\"}`, `["é",1.50]`})
			metas := rapid.SampledFrom([]map[string]string{nil, {}, {"k": "v"}})
			times := rapid.SampledFrom([]time.Time{
				time.Date(1, 1, 1, 0, 0, 0, 1000, time.UTC), time.Date(2024, 2, 29, 23, 59, 59, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC),
			})
			var sources []*rapid.Generator[string]
			for i := range 9 {
				sources = append(sources, texts(fmt.Sprint("texts ", i)))
			}
			events := make([]event.Event, rapid.IntRange(1, 6).Draw(t, "events"))
			for i := range events {
				e := event.New("custom", "tested"+sources[8].Draw(t, "action"))
				for j, field := range []*string{
					&e.Actor, &e.ActionObject, &e.ActionObjectID, &e.TargetID, &e.Error, &e.TransactionID, &e.Tenant, &e.UserAgent,
				} {
					*field = sources[j].Draw(t, fmt.Sprint("text ", j))
				}
				if document := documents.Draw(t, "result"); document != "" {
					e.Result = json.RawMessage(document)
				}
				if document := documents.Draw(t, "payload"); document != "" {
					e.Payload = json.RawMessage(document)
				}
				e.Meta, e.Timestamp, e.BeforeUnknown = metas.Draw(t, "meta"), times.Draw(t, "time"), rapid.Bool().Draw(t, "unknown")
				e.SchemaVersion = rapid.IntRange(1, 2).Draw(t, "version")
				if e.Error != "" {
					e.Outcome = event.OutcomeFailure
				}
				events[i] = e
			}
			if err := r.Write(t.Context(), events...); err != nil {
				t.Fatal(err)
			}
			for _, want := range events {
				got, err := r.Get(t.Context(), want.ID)
				if err != nil {
					t.Fatal(err)
				}
				if got.Sequence <= last {
					t.Errorf("sequence %d behind %d", got.Sequence, last)
				}
				last, want.Sequence = got.Sequence, got.Sequence
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
			}
		})
	})
}

func TestInsertPassesErrorsOn(t *testing.T) {
	t.Parallel()
	r := newMigrated(t, testdb.New(t, testdb.SQLitePure).Open(t))
	conn := recorder{err: errors.New("disk full")}
	if err := r.Insert(t.Context(), &conn, series(60)); !errors.Is(err, conn.err) || len(conn.queries) != 1 {
		t.Errorf("Insert = %v after %d statements, want the error of the first", err, len(conn.queries))
	}
}

// TestInsertJoinsTheCallersTransaction looks at the table after a rollback and
// after a commit.
func TestInsertJoinsTheCallersTransaction(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		for _, prepared := range []bool{false, true} {
			db := s.Open(t, &gorm.Config{PrepareStmt: prepared})
			r := newMigrated(t, db)
			if err := r.RemoveAll(t.Context()); err != nil {
				t.Fatal(err)
			}
			undone := errors.New("undone")
			for _, outcome := range []error{undone, nil} {
				err := db.Transaction(func(tx *gorm.DB) error {
					for _, n := range []int{1, 3} {
						if err := r.Insert(t.Context(), tx.Statement.ConnPool, series(n)); err != nil {
							return err
						}
					}
					return outcome
				})
				if !errors.Is(err, outcome) {
					t.Fatal(err)
				}
			}
			if n := len(collect(t, r, event.Filter{})); n != 4 {
				t.Errorf("prepared %t: %d events are stored, want the 4 that were committed", prepared, n)
			}
		}
	})
}

// An id that is stored already is passed over, unless it is said to be new: then
// the event would be lost without a word.
func TestIDsThatAreStoredAlready(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		db := s.Open(t, nil)
		r := newMigrated(t, db)
		stored := series(3)
		if err := r.InsertNew(t.Context(), db.Statement.ConnPool, stored[:2]); err != nil {
			t.Fatal(err)
		}
		if err := r.Insert(t.Context(), db.Statement.ConnPool, stored[1:]); err != nil {
			t.Fatal(err)
		}
		for _, again := range [][]event.Event{stored[:1], {event.New("custom", "more"), stored[1]}} {
			if err := r.InsertNew(t.Context(), db.Statement.ConnPool, again); err == nil {
				t.Errorf("the ids of %d events are stored a second time", len(again))
			}
		}
		if got := collect(t, r, event.Filter{}); len(got) != len(stored) {
			t.Errorf("%d events are stored, want %d", len(got), len(stored))
		}
	})
}

// TestManyEventsLeaveTheStatementCacheAlone counts the prepared statements that
// GORM keeps.
func TestManyEventsLeaveTheStatementCacheAlone(t *testing.T) {
	t.Parallel()
	db := testdb.New(t, testdb.SQLitePure).Open(t, &gorm.Config{PrepareStmt: true})
	r := newMigrated(t, db)
	for n := 2; n < 20; n++ {
		if err := r.Insert(t.Context(), db.Statement.ConnPool, series(n)); err != nil {
			t.Fatal(err)
		}
	}
	cache, ok := db.Statement.ConnPool.(*gorm.PreparedStmtDB)
	if !ok {
		t.Fatalf("the pool is a %T", db.Statement.ConnPool)
	}
	if keys := cache.Stmts.Keys(); len(keys) != 0 {
		t.Errorf("GORM keeps %d statements: %.200q", len(keys), keys)
	}
}

// forbid makes the database refuse events of the actor "forbidden".
func forbid(t *testing.T, db *gorm.DB, kind testdb.Kind) {
	t.Helper()
	statement := "ALTER TABLE event_audit_event ADD CONSTRAINT no_such_actor CHECK (actor <> 'forbidden')"
	if strings.HasPrefix(string(kind), "sqlite") {
		statement = "CREATE TRIGGER no_such_actor BEFORE INSERT ON event_audit_event WHEN NEW.actor = 'forbidden' BEGIN SELECT RAISE(ABORT, 'no_such_actor'); END"
	}
	if err := db.Exec(statement).Error; err != nil {
		t.Fatal(err)
	}
}

// wrapper is a pool that begins transactions the way GORM's own wrappers do.
type wrapper struct{ *sql.DB }

func (w wrapper) BeginTx(ctx context.Context, opts *sql.TxOptions) (gorm.ConnPool, error) {
	return w.DB.BeginTx(ctx, opts)
}

func TestWriteAllOrNoneThroughAWrapper(t *testing.T) {
	t.Parallel()
	db := testdb.New(t, testdb.SQLitePure).Open(t)
	r := newMigrated(t, db)
	forbid(t, db, testdb.SQLitePure)
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	app := db.WithContext(t.Context())
	app.Statement.ConnPool = wrapper{pool}
	wrapped, err := sqlrepo.New(app, nil)
	if err != nil {
		t.Fatal(err)
	}
	events := series(250)
	if err := wrapped.Write(t.Context(), events[:100]...); err != nil {
		t.Fatal(err)
	}
	events[249].Actor = "forbidden"
	if err := wrapped.Write(t.Context(), events...); err == nil {
		t.Error("Write stored what the database forbids")
	}
	if n := len(collect(t, r, event.Filter{})); n != 100 {
		t.Errorf("%d events are stored, want the 100 of the first call", n)
	}
}

func TestWriteAllOrNone(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		r, db := migrated(t, s)
		forbid(t, db, s.Kind())
		for _, n := range []int{2, 250} {
			events := series(n)
			events[n-1].Actor = "forbidden"
			if err := r.Write(t.Context(), events...); err == nil || !strings.Contains(err.Error(), "no_such_actor") {
				t.Errorf("Write of %d events = %v, want the database's error", n, err)
			}
			if stored := collect(t, r, event.Filter{}); len(stored) != 0 {
				t.Errorf("%d of %d events are stored, want none", len(stored), n)
			}
		}
	})
}

// TestWriteInsideATransaction uses a repository that was made from one.
func TestWriteInsideATransaction(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		outside, db := migrated(t, s)
		undone := errors.New("undone")
		err := db.Transaction(func(tx *gorm.DB) error {
			inside, err := sqlrepo.New(tx, nil)
			if err != nil {
				return err
			}
			if err := inside.Write(t.Context(), series(250)...); err != nil {
				return err
			}
			for _, err := range inside.Find(t.Context(), event.Filter{}) {
				if err != nil {
					return err
				}
				break // must leave the connection of the transaction usable
			}
			if n := len(collect(t, inside, event.Filter{})); n != 250 {
				return fmt.Errorf("%d events inside of the transaction, want 250", n)
			}
			return undone
		})
		if !errors.Is(err, undone) {
			t.Fatal(err)
		}
		if n := len(collect(t, outside, event.Filter{})); n != 0 {
			t.Errorf("%d events outlive the transaction", n)
		}
	})
}

// TestSequenceIsTheDatabases writes events whose clocks run backwards and which
// claim a sequence.
func TestSequenceIsTheDatabases(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		r, _ := migrated(t, s)
		events := series(5)
		var want []string
		for i := range events {
			e := &events[i]
			e.ActionObject, e.ActionObjectID = "Order", "7"
			e.Timestamp = e.Timestamp.AddDate(0, 0, -i)
			e.Sequence = int64(100 - i)
			want = append(want, e.ID)
			if err := r.Write(t.Context(), *e, event.New("custom", "elsewhere")); err != nil {
				t.Fatal(err)
			}
		}
		var got []string
		last := int64(0)
		for e, err := range r.History(t.Context(), "Order", "7") {
			if err != nil {
				t.Fatal(err)
			}
			if e.Sequence <= last {
				t.Errorf("sequence %d follows %d", e.Sequence, last)
			}
			last = e.Sequence
			got = append(got, e.ID)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}
