package outbox_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/outbox"
)

// The age of an event counts from its insert, by the clock of the database,
// through failures and the hands of several relays.
func TestStatsSayHowLongEventsTake(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		db := migrated(t, s)
		var away atomic.Bool
		away.Store(true)
		failed := make(chan struct{}, 1000)
		to := newDestination(func(context.Context, []event.Event) error {
			if away.Load() {
				failed <- struct{}{}
				return errors.New("connection refused")
			}
			return nil
		})
		box := open(t, db, to, nil)
		insert(t, box, some("e", 2)...)
		execute(t, db, "UPDATE "+outbox.Table+" SET created_at = created_at - 3600000000 WHERE event_id = 'e-1'")
		box.Start()
		expect(t, failed, "attempt")
		if s := stats(t, box); s.OldestPending < time.Hour || s.OldestPending > 2*time.Hour || s.Lag != 0 {
			t.Errorf("stats = %+v, want an event that is an hour old and none that arrived", s)
		}
		away.Store(false)
		flush(t, box)
		shut(t, box)
		if s := stats(t, box); s.OldestPending != 0 || s.Lag < time.Hour || s.Lag > 2*time.Hour {
			t.Errorf("stats = %+v, want none pending and one that took an hour", s)
		}
	})
}

// What this process knows is there when the database is not.
func TestStatsWithoutADatabase(t *testing.T) {
	t.Parallel()
	db := migrated(t, testdb.New(t, testdb.SQLitePure))
	box := start(t, db, newDestination(nil), nil)
	insert(t, box, some("e", 3)...)
	flush(t, box)
	shut(t, box)
	execute(t, db, "DROP TABLE "+outbox.Table)
	if s, err := box.Stats(t.Context()); err == nil || s.Delivered != 3 {
		t.Errorf("Stats = %+v, %v; want an error and 3 delivered", s, err)
	}
}
