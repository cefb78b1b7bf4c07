package outbox_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/internal/testredis"
	"github.com/eventaudit/eventaudit/repository/redisrepo"
)

// inRedis returns a Redis of the test's own, and a trail in it.
func inRedis(t *testing.T, setup ...string) (*testredis.Server, *redisrepo.Repository) {
	t.Helper()
	server := testredis.Start(t, setup...)
	r, err := redisrepo.New(server.Client, &redisrepo.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return server, r
}

// Redis refuses what is larger than it takes at once. The other events of the
// batch arrive; the one does when Redis takes more.
func TestAnEventThatIsTooLargeForRedis(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		server, to := inRedis(t, "--proto-max-bulk-len", "1mb")
		opts := fast()
		opts.MaxAttempts = 2
		box := start(t, migrated(t, s), to, opts)
		events := some("e", 500)
		events[250].Payload = event.JSON(strings.Repeat("x", 1<<20))
		insert(t, box, events...)
		flush(t, box)
		ids := idsOf(t, to.Find(t.Context(), event.Filter{}))
		if len(ids) != 499 || ids["e-250"] {
			t.Fatalf("%d events arrived, the large one among them: %t; want the 499 others", len(ids), ids["e-250"])
		}
		letters := dead(t, box)
		if len(letters) != 1 {
			t.Fatalf("%d dead letters, want 1", len(letters))
		}
		expectLetter(t, letters[0], events[250], 2, "proto-max-bulk-len")

		server.Do(t, "CONFIG", "SET", "proto-max-bulk-len", "2mb")
		if n, err := box.Retry(t.Context(), "e-250"); n != 1 || err != nil {
			t.Fatalf("Retry = %d, %v, want 1", n, err)
		}
		flush(t, box)
		stored, err := to.Get(t.Context(), "e-250")
		if err != nil {
			t.Fatal(err)
		}
		if stored.Sequence != letters[0].Event.Sequence || string(stored.Payload) != string(events[250].Payload) {
			t.Errorf("sequence %d and %d bytes of payload arrived; want what was put aside", stored.Sequence, len(stored.Payload))
		}
		if s := stats(t, box); s.Dead != 0 || s.Pending != 0 || s.Delivered != 500 {
			t.Errorf("stats = %+v, want 500 delivered", s)
		}
	})
}

// Two relays, and a transaction that takes its sequence first and commits
// last, while Redis is killed and comes back in between.
func TestALateCommitReachesRedis(t *testing.T) {
	t.Parallel()
	for _, kind := range []testdb.Kind{testdb.Postgres, testdb.MariaDB} { // SQLite has one writer at a time
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s := testdb.New(t, kind)
			server, to := inRedis(t, "--appendonly", "yes", "--appendfsync", "always")
			db := migrated(t, s)
			box := start(t, db, to, nil)
			start(t, s.Open(t), to, nil)

			late := db.Begin()
			if err := box.Insert(t.Context(), late.Statement.ConnPool, some("late", 1)); err != nil {
				t.Fatal(err)
			}
			insert(t, box, some("early", 600)...)
			flush(t, box)
			server.Kill(t)
			insert(t, box, some("meanwhile", 600)...)
			if err := late.Commit().Error; err != nil {
				t.Fatal(err)
			}
			server.Restart(t)
			flush(t, box)
			ids := idsOf(t, to.Find(t.Context(), event.Filter{}))
			if len(ids) != 1201 || !ids["late-0"] {
				t.Errorf("%d events, late one among them: %t; want all", len(ids), ids["late-0"])
			}
			if s := stats(t, box); s.Pending != 0 || s.Dead != 0 {
				t.Errorf("stats = %+v, want nothing left", s)
			}
		})
	}
}
