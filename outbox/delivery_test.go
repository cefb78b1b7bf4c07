package outbox_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/outbox"
)

func TestEventsAreDeliveredInOrderAndDeleted(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		to := newDestination(nil)
		box := start(t, migrated(t, s), to, nil)
		var want []string
		for _, prefix := range []string{"a", "b", "c"} {
			events := some(prefix, 600)
			insert(t, box, events...)
			for _, e := range events {
				want = append(want, e.ID)
			}
		}
		flush(t, box)

		var got []string
		var last int64
		for _, events := range to.writes() {
			if len(events) > 500 {
				t.Errorf("a batch of %d events, want 500 at most", len(events))
			}
			for _, e := range events {
				got = append(got, e.ID)
				if e.Sequence <= last {
					t.Errorf("sequence %d behind %d", e.Sequence, last)
				}
				last = e.Sequence
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
		if s := stats(t, box); s.Pending != 0 || s.Delivered != int64(len(want)) || s.LastSuccess.IsZero() {
			t.Errorf("stats = %+v, want all delivered", s)
		}
	})
}

func TestARolledBackTransactionDeliversNothing(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		to := newDestination(nil)
		db := migrated(t, s)
		box := start(t, db, to, nil)
		sorry := errors.New("sorry")
		within := func(prefix string, end error) {
			err := db.Transaction(func(tx *gorm.DB) error {
				if err := box.Insert(t.Context(), tx.Statement.ConnPool, some(prefix, 3)); err != nil {
					return err
				}
				return end
			})
			if !errors.Is(err, end) {
				t.Fatal(err)
			}
		}
		within("kept", nil)
		within("undone", sorry)
		flush(t, box)
		want := map[string]bool{"kept-0": true, "kept-1": true, "kept-2": true}
		if diff := cmp.Diff(want, to.ids(t)); diff != "" {
			t.Errorf("delivered (-want +got):\n%s", diff)
		}
	})
}

// A transaction that takes its sequence first and commits last is what a
// reader by cursor loses.
func TestALateCommitIsDelivered(t *testing.T) {
	t.Parallel()
	for _, kind := range []testdb.Kind{testdb.Postgres, testdb.MariaDB} { // SQLite has one writer at a time
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s := testdb.New(t, kind)
			to := newDestination(nil)
			db := migrated(t, s)
			box := start(t, db, to, nil)
			start(t, s.Open(t), to, nil)

			late := db.Begin()
			if err := box.Insert(t.Context(), late.Statement.ConnPool, some("late", 1)); err != nil {
				t.Fatal(err)
			}
			insert(t, box, some("early", 600)...)
			flush(t, box)
			if ids := to.ids(t); len(ids) != 600 || ids["late-0"] {
				t.Fatalf("%d events, late one among them: %t; want the 600 that are committed", len(ids), ids["late-0"])
			}
			if err := late.Commit().Error; err != nil {
				t.Fatal(err)
			}
			flush(t, box)
			if ids := to.ids(t); len(ids) != 601 || !ids["late-0"] {
				t.Errorf("%d events, late one among them: %t; want all", len(ids), ids["late-0"])
			}
		})
	}
}

func TestRelaysShareTheWork(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		to := newDestination(nil)
		opts := fast()
		opts.BatchSize = 7
		box := start(t, migrated(t, s), to, opts)
		for range 2 {
			start(t, s.Open(t), to, opts)
		}
		var writers sync.WaitGroup
		for _, prefix := range []string{"a", "b", "c", "d"} {
			writers.Go(func() {
				for _, e := range some(prefix, 50) {
					if err := box.Insert(t.Context(), nil, []event.Event{e}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		writers.Wait()
		flush(t, box)
		times := map[string]int{}
		for _, events := range to.writes() {
			for _, e := range events {
				times[e.ID]++
			}
		}
		if len(times) != 200 {
			t.Errorf("%d events arrived, want 200", len(times))
		}
		for id, n := range times {
			if n != 1 {
				t.Errorf("%s was sent %d times, want once", id, n)
			}
		}
	})
}

// A process that died between sending and deleting leaves a claim that ends.
func TestABatchOfADeadRelayIsDeliveredAgain(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		db := migrated(t, s)
		sent := make(chan struct{}, 1)
		var once sync.Once
		to := newDestination(func(context.Context, []event.Event) error {
			once.Do(func() { // the claim of this relay ends while it sends
				execute(t, db, "UPDATE event_audit_outbox SET claimed_by = 'another relay', claimed_until = claimed_until + 3600000000")
				sent <- struct{}{}
			})
			return nil
		})
		box := start(t, db, to, nil)
		insert(t, box, some("e", 3)...)
		expect(t, sent, "first delivery")
		shut(t, box)
		if s := stats(t, box); s.Pending != 3 {
			t.Errorf("%d events in the outbox, want the 3 that another relay has claimed", s.Pending)
		}

		execute(t, db, "UPDATE event_audit_outbox SET claimed_until = 1")
		next := start(t, s.Open(t), to, nil)
		flush(t, next)
		if n := len(to.writes()); n != 2 {
			t.Errorf("%d deliveries, want 2", n)
		}
		if n := len(to.ids(t)); n != 3 {
			t.Errorf("%d events, want 3", n)
		}
	})
}

func TestALoneEventIsSentWhenTheTimeoutEnds(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		sent := make(chan []event.Event, 10)
		to := newDestination(func(_ context.Context, events []event.Event) error {
			sent <- events
			return nil
		})
		opts := fast()
		opts.BatchTimeout, opts.PollInterval = 300*time.Millisecond, time.Hour
		box := start(t, migrated(t, s), to, opts)
		begun := time.Now()
		insert(t, box, some("lone", 1)...)
		if events := expect(t, sent, "delivery"); len(events) != 1 {
			t.Errorf("%d events, want 1", len(events))
		}
		if waited := time.Since(begun); waited < 250*time.Millisecond {
			t.Errorf("sent after %v, want the batch to wait 300ms for more", waited)
		}
	})
}

func TestAFullBatchDoesNotWait(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		sent := make(chan []event.Event, 10)
		to := newDestination(func(_ context.Context, events []event.Event) error {
			sent <- events
			return nil
		})
		opts := fast()
		opts.BatchSize, opts.BatchTimeout, opts.PollInterval = 3, time.Hour, time.Hour
		box := start(t, migrated(t, s), to, opts)
		for _, e := range some("e", 3) {
			insert(t, box, e)
		}
		if events := expect(t, sent, "delivery"); len(events) != 3 {
			t.Errorf("%d events, want a full batch of 3", len(events))
		}
	})
}

// What was written while the clock of the database was ahead is sent when the
// clock has been put right, and holds nothing up.
func TestAClockThatWasAheadDelaysNothing(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		sent := make(chan []event.Event, 10)
		to := newDestination(func(_ context.Context, events []event.Event) error {
			sent <- events
			return nil
		})
		db := migrated(t, s)
		opts := fast()
		opts.BatchTimeout = 50 * time.Millisecond
		box := open(t, db, to, opts)
		insert(t, box, some("ahead", 1)...)
		execute(t, db, "UPDATE event_audit_outbox SET created_at = created_at + 3600000000")
		box.Start()
		defer shut(t, box)
		expect(t, sent, "delivery")
		insert(t, open(t, s.Open(t), to, nil), some("later", 1)...) // nobody wakes the relay
		expect(t, sent, "delivery of the next event")
	})
}

// Events of other processes, or of a transaction that committed after its
// Wake, are found without one.
func TestNobodyNeedsToWakeTheRelay(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		sent := make(chan struct{}, 10)
		to := newDestination(func(context.Context, []event.Event) error {
			sent <- struct{}{}
			return nil
		})
		db := migrated(t, s)
		start(t, db, to, nil)
		insert(t, open(t, s.Open(t), to, nil), some("e", 1)...)
		expect(t, sent, "delivery")
	})
}

// What is given back by another relay is in front of all that came since, and
// its turn comes although there is always more.
func TestAnEndlessBacklogHidesNoEvent(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		db := migrated(t, s)
		var box *outbox.Outbox
		var last []event.Event
		arrived := make(chan struct{})
		to := newDestination(func(_ context.Context, events []event.Event) error {
			if last == nil {
				execute(t, db, "UPDATE event_audit_outbox SET claimed_until = 0 WHERE event_id = 'front-0'")
			}
			last = events
			for _, e := range events {
				if e.ID == "front-0" {
					close(arrived)
					return nil
				}
			}
			return box.Insert(t.Context(), nil, some(event.NewID(), 4))
		})
		opts := fast()
		opts.BatchSize = 2
		box = open(t, db, to, opts)
		insert(t, box, some("front", 1)...)
		execute(t, db, "UPDATE event_audit_outbox SET claimed_by = 'another relay', claimed_until = created_at + 3600000000")
		insert(t, box, some("e", 6)...)
		box.Start()
		expect(t, arrived, "event in front of the backlog")
		shut(t, box)
	})
}

// The app's failing statements, several relays, a repository with moods.
func TestNothingIsLostInTurmoil(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		var mutex sync.Mutex
		calls := 0
		to := newDestination(func(_ context.Context, events []event.Event) error {
			mutex.Lock()
			calls++
			mood := calls % 5
			mutex.Unlock()
			switch mood {
			case 0:
				return errors.New("connection refused")
			case 1:
				panic("at random")
			}
			return nil
		})
		db := migrated(t, s)
		opts := fast()
		opts.BatchSize, opts.MaxAttempts = 10, 1000
		boxes := []*testBox{{start(t, db, to, opts), db}}
		for range 2 {
			other := s.Open(t)
			boxes = append(boxes, &testBox{start(t, other, to, opts), other})
		}
		var writers sync.WaitGroup
		for w, box := range boxes {
			writers.Go(func() { box.write(t, string(rune('a'+w)), 40) })
		}
		writers.Wait()
		flush(t, boxes[0].Outbox)
		ids := to.ids(t)
		for id := range ids {
			if strings.HasPrefix(id, "undone") {
				t.Errorf("%s was rolled back, and delivered", id)
			}
		}
		if len(ids) != 3*40/2 {
			t.Errorf("%d events arrived, want %d", len(ids), 3*40/2)
		}
		if n := len(dead(t, boxes[0].Outbox)); n != 0 {
			t.Errorf("%d dead letters, want none", n)
		}
	})
}
