package outbox_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/outbox"
)

// soon returns a context that ends before anybody gets impatient.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

// expectPending checks that the error says how many events are left and why.
func expectPending(t *testing.T, err error, pending int64, reason string) {
	t.Helper()
	var left *outbox.PendingError
	if !errors.As(err, &left) || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("error %v, want a PendingError that wraps context.DeadlineExceeded", err)
	}
	if left.Pending != pending {
		t.Errorf("%d events pending, want %d", left.Pending, pending)
	}
	if text := err.Error(); !strings.Contains(text, "left") || !strings.Contains(text, reason) {
		t.Errorf("error %q, want what is left and %q", text, reason)
	}
}

// expectUnclaimed checks that no claim keeps another relay waiting.
func expectUnclaimed(t *testing.T, box *testBox, want int64) {
	t.Helper()
	var n int64
	must(t, box.db.Raw("SELECT count(*) FROM event_audit_outbox WHERE claimed_by = '' AND claimed_until = 0").Scan(&n))
	if n != want {
		t.Errorf("%d events without a claim, want %d", n, want)
	}
}

func TestCloseFinishesWhatIsOnItsWay(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		db := migrated(t, s)
		begun, goOn := make(chan struct{}, 10), make(chan struct{})
		to := newDestination(func(context.Context, []event.Event) error {
			begun <- struct{}{}
			<-goOn
			return nil
		})
		opts := fast()
		opts.BatchSize = 2
		box := open(t, db, to, opts)
		insert(t, box, some("e", 7)...)
		box.Start()
		expect(t, begun, "delivery")
		closed := make(chan error)
		go func() { closed <- box.Close(t.Context()) }()
		waitUntilClosing(t, box)
		close(goOn)
		if err := expect(t, closed, "end of Close"); err != nil {
			t.Errorf("Close = %v", err)
		}
		if n := len(to.ids(t)); n != 2 {
			t.Errorf("%d events arrived, want the batch that was on its way", n)
		}
		expectUnclaimed(t, &testBox{box, db}, 5)
		if err := box.Close(t.Context()); err != nil {
			t.Errorf("second Close = %v", err)
		}
	})
}

func TestCloseHonoursItsDeadline(t *testing.T) {
	t.Parallel()
	for name, heedless := range map[string]bool{"blocked until its context ends": false, "blocked for good": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testdb.Each(t, func(t *testing.T, s *testdb.Database) {
				db := migrated(t, s)
				begun, freed := make(chan struct{}, 10), make(chan struct{})
				defer close(freed)
				to := newDestination(func(ctx context.Context, _ []event.Event) error {
					begun <- struct{}{}
					if heedless {
						<-freed
					}
					<-ctx.Done()
					return ctx.Err()
				})
				opts := fast()
				outbox.Grace(opts, time.Millisecond)
				if !heedless {
					outbox.Grace(opts, patience)
				}
				box := open(t, db, to, opts)
				insert(t, box, some("e", 600)...)
				box.Start()
				expect(t, begun, "delivery")
				expectPending(t, box.Close(soon(t)), 600, "600 events are left")
				expectUnclaimed(t, &testBox{box, db}, 600)

				next := newDestination(nil)
				flush(t, start(t, s.Open(t), next, nil))
				if n := len(next.ids(t)); n != 600 {
					t.Errorf("%d events arrived by the next relay, want 600", n)
				}
			})
		})
	}
}

func TestCloseWithoutStart(t *testing.T) {
	t.Parallel()
	to := newDestination(nil)
	box := open(t, migrated(t, testdb.New(t, testdb.SQLitePure)), to, nil)
	shut(t, box)
	box.Start()
	insert(t, box, some("e", 1)...)
	expectPending(t, box.Flush(soon(t)), 1, "1 event is left")
	if len(to.writes()) > 0 {
		t.Error("Start after Close started a relay")
	}
}

func TestStartTwiceStartsOneRelay(t *testing.T) {
	t.Parallel()
	to := newDestination(nil)
	box := start(t, migrated(t, testdb.New(t, testdb.SQLitePure)), to, nil)
	box.Start()
	insert(t, box, some("e", 100)...)
	flush(t, box)
	shut(t, box)
	insert(t, box, some("f", 1)...)
	expectPending(t, box.Flush(soon(t)), 1, "1 event is left")
}

func TestFlushSaysWhyEventsAreLeft(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		refused := errors.New("connection refused")
		failed := make(chan struct{}, 1000)
		to := newDestination(func(context.Context, []event.Event) error {
			failed <- struct{}{}
			return refused
		})
		box := start(t, migrated(t, s), to, nil)
		insert(t, box, some("e", 3)...)
		for range 2 {
			expect(t, failed, "attempt")
		}
		err := box.Flush(soon(t))
		expectPending(t, err, 3, "connection refused")
		if !errors.Is(err, refused) {
			t.Errorf("error %v, want it to wrap the repository's", err)
		}
	})
}

func TestFlushOfAnEndedContext(t *testing.T) {
	t.Parallel()
	box := open(t, migrated(t, testdb.New(t, testdb.SQLitePure)), newDestination(nil), nil)
	insert(t, box, some("e", 2)...)
	ctx := soon(t)
	<-ctx.Done()
	expectPending(t, box.Flush(ctx), 2, "2 events are left")
}

// Flush does not wait for what is committed after it was called.
func TestFlushIgnoresLaterEvents(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		db := migrated(t, s)
		begun, goOn := make(chan struct{}, 10), make(chan struct{}, 10)
		to := newDestination(func(ctx context.Context, _ []event.Event) error {
			begun <- struct{}{}
			select {
			case <-goOn:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		opts := fast()
		opts.BatchSize = 3
		box := open(t, db, to, opts)
		insert(t, box, some("early", 3)...)
		box.Start()
		expect(t, begun, "delivery")
		flushed := make(chan error)
		go func() { flushed <- box.Flush(t.Context()) }()
		waitUntilFlushing(t, box)
		insert(t, box, some("late", 3)...)
		goOn <- struct{}{}
		if err := expect(t, flushed, "end of Flush"); err != nil {
			t.Error(err)
		}
		goOn <- struct{}{}
		shut(t, box)
	})
}

func TestFlushWaitsForNoBatchToFill(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		to := newDestination(nil)
		opts := fast()
		opts.BatchTimeout, opts.PollInterval = time.Hour, 10*time.Millisecond
		box := start(t, migrated(t, s), to, opts)
		insert(t, box, some("e", 1)...)
		flush(t, box)
	})
}

// A repository that failed is left alone for long, but not by Flush.
func TestFlushEndsAPause(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		failed := make(chan struct{}, 1000)
		var to *destination
		to = newDestination(func(context.Context, []event.Event) error {
			if len(to.writes()) == 1 {
				failed <- struct{}{}
				return errors.New("connection refused")
			}
			return nil
		})
		opts := fast()
		outbox.Pauses(opts, time.Hour)
		box := start(t, migrated(t, s), to, opts)
		insert(t, box, some("e", 1)...)
		expect(t, failed, "attempt")
		flush(t, box)
	})
}

// The relay of another process delivers too.
func TestFlushWithoutARelay(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		to := newDestination(nil)
		box := open(t, migrated(t, s), to, nil)
		insert(t, box, some("e", 3)...)
		start(t, s.Open(t), to, nil)
		flush(t, box)
		if n := len(to.ids(t)); n != 3 {
			t.Errorf("%d events arrived, want 3", n)
		}
	})
}

func TestABlockedRepositoryIsBrokenOff(t *testing.T) {
	t.Parallel()
	var to *destination
	to = newDestination(func(ctx context.Context, _ []event.Event) error {
		if len(to.writes()) == 1 {
			<-ctx.Done()
		}
		return ctx.Err()
	})
	opts := fast()
	outbox.Send(opts, 20*time.Millisecond)
	box := start(t, migrated(t, testdb.New(t, testdb.SQLitePure)), to, opts)
	insert(t, box, some("e", 3)...)
	flush(t, box)
	if n := len(to.ids(t)); n != 3 {
		t.Errorf("%d events arrived, want 3", n)
	}
}
