package outbox_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/outbox"
	"github.com/eventaudit/eventaudit/repository"
)

// poisoned returns 500 events, and a repository that refuses the one in the
// middle in that way until the poison is gone.
func poisoned(refuse func(call []event.Event) error) (events []event.Event, to *destination, gone *atomic.Bool) {
	events = some("e", 500)
	poison := events[250].ID
	gone = new(atomic.Bool)
	to = newDestination(func(_ context.Context, call []event.Event) error {
		if gone.Load() || !slices.ContainsFunc(call, func(e event.Event) bool { return e.ID == poison }) {
			return nil
		}
		return refuse(call)
	})
	return events, to, gone
}

func TestPoisonInTheMiddleOfABatch(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		refuse   func(call []event.Event) error
		attempts int
		reason   string
	}{
		"invalid event": {
			func([]event.Event) error {
				return &event.FieldError{Field: "payload", Value: "x", Reason: "is too large for this store"}
			}, 1, "too large",
		},
		"rejected event":  {func([]event.Event) error { return &repository.RejectedError{Err: errors.New("odd")} }, 3, "odd"},
		"final rejection": {func([]event.Event) error { return &repository.RejectedError{Err: event.ErrInvalid} }, 1, "invalid"},
		"panic":           {func([]event.Event) error { panic("at the disco") }, 3, "at the disco"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testdb.Each(t, func(t *testing.T, s *testdb.Database) {
				events, to, gone := poisoned(test.refuse)
				db := migrated(t, s)
				opts := fast()
				opts.MaxAttempts = 3
				box := start(t, db, to, opts)
				insert(t, box, events...)
				flush(t, box)
				if n := len(to.ids(t)); n != 499 {
					t.Fatalf("%d events arrived, want 499", n)
				}
				letters := dead(t, box)
				if len(letters) != 1 {
					t.Fatalf("%d dead letters, want 1", len(letters))
				}
				expectLetter(t, letters[0], events[250], test.attempts, test.reason)
				if n := rejections(to, events[250].ID); n < test.attempts {
					t.Errorf("sent %d times, want %d attempts", n, test.attempts)
				}

				gone.Store(true)
				if n, err := box.Retry(t.Context(), events[250].ID); n != 1 || err != nil {
					t.Fatalf("Retry = %d, %v, want 1", n, err)
				}
				flush(t, box)
				stored, err := to.Get(t.Context(), events[250].ID)
				if err != nil {
					t.Fatal(err)
				}
				if stored.Sequence != letters[0].Event.Sequence {
					t.Errorf("sequence %d, want the first one, %d", stored.Sequence, letters[0].Event.Sequence)
				}
				if s := stats(t, box); s.Dead != 0 || s.Pending != 0 {
					t.Errorf("stats = %+v, want neither dead nor pending events", s)
				}
			})
		})
	}
}

func expectLetter(t *testing.T, letter outbox.DeadLetter, want event.Event, attempts int, reason string) {
	t.Helper()
	if letter.Event.Sequence == 0 {
		t.Error("the dead letter has no sequence")
	}
	want.Sequence = letter.Event.Sequence
	if diff := cmp.Diff(want, letter.Event); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	if letter.Attempts != attempts || !strings.Contains(letter.Reason, reason) {
		t.Errorf("%d attempts, reason %q; want %d and %q", letter.Attempts, letter.Reason, attempts, reason)
	}
	if letter.FirstFailure.After(letter.LastFailure) || time.Since(letter.FirstFailure).Abs() > time.Hour {
		t.Errorf("failed from %v to %v, want a span around now", letter.FirstFailure, letter.LastFailure)
	}
}

// rejections counts the calls of Write that had the event alone.
func rejections(to *destination, id string) (n int) {
	for _, events := range to.writes() {
		if slices.ContainsFunc(events, func(e event.Event) bool { return e.ID == id }) {
			n++
		}
	}
	return n
}

// What the repository named it is not asked about again, nor what it stored.
func TestNamedRejectionsNeedNoSearch(t *testing.T) {
	t.Parallel()
	to := newDestination(nil)
	to.before = rejectEveryThird(to)
	box := start(t, migrated(t, testdb.New(t, testdb.SQLitePure)), to, nil)
	insert(t, box, some("e", 9)...)
	flush(t, box)
	if n := len(to.writes()); n != 1 {
		t.Errorf("%d calls of Write, want 1", n)
	}
	if n := len(to.ids(t)); n != 6 {
		t.Errorf("%d events arrived, want 6", n)
	}
	if n := len(dead(t, box)); n != 3 {
		t.Errorf("%d dead letters, want 3", n)
	}
}

func rejectEveryThird(to *destination) func(context.Context, []event.Event) error {
	return func(ctx context.Context, events []event.Event) error {
		rejected := &repository.RejectedError{Err: event.ErrInvalid}
		var good []event.Event
		for i, e := range events {
			if i%3 == 1 {
				rejected.IDs = append(rejected.IDs, e.ID)
			} else {
				good = append(good, e)
			}
		}
		if err := to.Repository.Write(ctx, good...); err != nil {
			return err
		}
		return rejected
	}
}

func TestAnAbsentRepositoryCostsNoEvent(t *testing.T) {
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
		opts := fast()
		opts.MaxAttempts = 1
		box := start(t, db, to, opts)
		insert(t, box, some("e", 1200)...)
		for range 5 {
			expect(t, failed, "attempt")
		}
		if n := len(dead(t, box)); n != 0 {
			t.Errorf("%d dead letters, want none", n)
		}
		var attempts int
		if err := db.Raw("SELECT MAX(attempts) FROM event_audit_outbox").Scan(&attempts).Error; err != nil || attempts != 0 {
			t.Errorf("attempts = %d, %v, want 0", attempts, err)
		}
		if s := stats(t, box); s.Pending != 1200 || s.Failures == 0 || s.LastError == nil || !s.LastSuccess.IsZero() {
			t.Errorf("stats = %+v, want 1200 events that wait for the repository", s)
		}

		away.Store(false)
		flush(t, box)
		if n := len(to.ids(t)); n != 1200 {
			t.Errorf("%d events arrived, want 1200", n)
		}
		if s := stats(t, box); s.Failures != 0 || s.LastError != nil || s.Retried == 0 {
			t.Errorf("stats = %+v, want a repository that works again", s)
		}
	})
}

func TestAnAbsentRepositoryIsLeftAlone(t *testing.T) {
	t.Parallel()
	failed := make(chan struct{}, 1000)
	to := newDestination(func(context.Context, []event.Event) error {
		failed <- struct{}{}
		return errors.New("connection refused")
	})
	opts := fast()
	outbox.Pauses(opts, 100*time.Millisecond)
	box := start(t, migrated(t, testdb.New(t, testdb.SQLitePure)), to, opts)
	insert(t, box, some("e", 1)...)
	expect(t, failed, "attempt")
	begun := time.Now()
	for range 12 {
		expect(t, failed, "attempt")
	}
	if took := time.Since(begun); took < 150*time.Millisecond { // 600ms on the average
		t.Errorf("12 more attempts within %v, want pauses of up to 100ms", took)
	}
}

// The rest of the queue does not wait for an event that is tried again later.
func TestARefusedEventBlocksNoOther(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		db := migrated(t, s)
		arrived := make(chan struct{}, 10)
		to := newDestination(func(_ context.Context, events []event.Event) error {
			if events[0].ID == "first-0" {
				return &repository.RejectedError{Err: errors.New("not now")}
			}
			arrived <- struct{}{}
			return nil
		})
		opts := fast()
		outbox.Retries(opts, time.Hour)
		box := start(t, db, to, opts)
		insert(t, box, some("first", 1)...)
		for _, e := range some("other", 3) {
			insert(t, box, e)
			expect(t, arrived, "other event")
		}
		shut(t, box)
		var waiting struct {
			Attempts  int
			LastError string
			Wait      int64
		}
		must(t, db.Raw("SELECT attempts, last_error, next_at - created_at AS wait FROM event_audit_outbox").Scan(&waiting))
		if waiting.Attempts != 1 || !strings.Contains(waiting.LastError, "not now") || waiting.Wait < (50*time.Minute).Microseconds() {
			t.Errorf("the first event: %+v, want one attempt and a wait of about an hour", waiting)
		}
	})
}

func TestARowThatCannotBeReadIsADeadLetter(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		db := migrated(t, s)
		to := newDestination(nil)
		box := open(t, db, to, nil)
		insert(t, box, some("e", 3)...)
		execute(t, db, "UPDATE event_audit_outbox SET event = '{' WHERE event_id = 'e-1'")
		box.Start()
		flush(t, box)
		shut(t, box)
		if n := len(to.ids(t)); n != 2 {
			t.Errorf("%d events arrived, want 2", n)
		}
		letters := dead(t, box)
		if len(letters) != 1 || letters[0].Event.ID != "e-1" || letters[0].Event.Sequence == 0 || !strings.Contains(letters[0].Reason, "holds no event") {
			t.Errorf("dead letters = %+v, want e-1 and why", letters)
		}
	})
}

func TestLogsHoldNoValues(t *testing.T) {
	t.Parallel()
	const secret = "the-secret-value"
	var log syncBuffer
	var calls atomic.Int32
	to := newDestination(func(_ context.Context, events []event.Event) error {
		if calls.Add(1) == 1 {
			panic(string(events[0].Payload))
		}
		return &event.FieldError{Field: "payload", Value: string(events[0].Payload), Reason: "is refused"}
	})
	opts := fast()
	opts.Logger = slog.New(slog.NewTextHandler(&log, nil))
	box := start(t, migrated(t, testdb.New(t, testdb.SQLitePure)), to, opts)
	e := some("e", 1)[0]
	e.Payload = event.JSON(secret)
	insert(t, box, e)
	flush(t, box)
	shut(t, box)
	if text := log.String(); strings.Contains(text, secret) || strings.Count(text, "e-0") != 2 {
		t.Errorf("want the ID twice and no value in:\n%s", text)
	}
	if letters := dead(t, box); len(letters) != 1 || !strings.Contains(letters[0].Reason, secret) {
		t.Errorf("dead letters = %+v, want the whole reason", letters)
	}
}

type syncBuffer struct {
	mutex  sync.Mutex
	buffer bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.buffer.Write(p)
}

func (b *syncBuffer) String() string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.buffer.String()
}

func must(t testing.TB, tx *gorm.DB) {
	t.Helper()
	if tx.Error != nil {
		t.Fatal(tx.Error)
	}
}

// A relay that was so slow that another has taken over its batch leaves the
// rows to that one, whatever became of its own attempt.
func TestALostClaimIsNotTouched(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"delivered": nil,
		"failed":    errors.New("connection refused"),
		"refused":   &repository.RejectedError{Err: errors.New("odd")},
		"invalid":   event.ErrInvalid,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testdb.Each(t, func(t *testing.T, s *testdb.Database) {
				db := migrated(t, s)
				sent := make(chan struct{}, 10)
				to := newDestination(func(context.Context, []event.Event) error {
					execute(t, db, "UPDATE event_audit_outbox SET claimed_by = 'another relay', claimed_until = created_at + 3600000000")
					sent <- struct{}{}
					return err
				})
				box := start(t, db, to, nil)
				insert(t, box, some("e", 1)...)
				expect(t, sent, "attempt")
				shut(t, box)
				var left int64
				must(t, db.Raw("SELECT count(*) FROM event_audit_outbox WHERE claimed_by = 'another relay' AND attempts = 0").Scan(&left))
				if s := stats(t, box); left != 1 || s.Pending != 1 || s.Dead != 0 {
					t.Errorf("%d of %d events are the other relay's, %d dead; want 1 of 1, none dead", left, s.Pending, s.Dead)
				}
			})
		})
	}
}

// The lease ends while an event becomes a dead letter: a relay that looks for
// events then does not get it.
func TestTheLeaseEndsDuringABurial(t *testing.T) {
	t.Parallel()
	for name, verdict := range map[string]error{"another relay delivers": nil, "another relay buries": event.ErrInvalid} {
		for _, kind := range []testdb.Kind{testdb.Postgres, testdb.MariaDB} {
			t.Run(name+"/"+string(kind), func(t *testing.T) {
				t.Parallel()
				s := testdb.New(t, kind)
				db := migrated(t, s)
				waiting, release := hold(t, db, outbox.DeadLetterTable)
				slow := newDestination(func(context.Context, []event.Event) error {
					execute(t, db, "UPDATE event_audit_outbox SET claimed_until = 0") // the lease ends
					return event.ErrInvalid
				})
				box := start(t, db, slow, nil)
				insert(t, box, some("e", 1)...)
				waitUntil(t, waiting)

				to := newDestination(func(context.Context, []event.Event) error { return verdict })
				other := start(t, s.Open(t), to, nil)
				insert(t, other, some("later", 1)...)
				waitUntil(t, func() bool { return rejections(to, "later-0") > 0 })
				release()
				flush(t, other)
				shut(t, box)
				if n := rejections(to, "e-0"); n != 0 {
					t.Errorf("sent %d times by the other relay, want none", n)
				}
				var want int64 = 1
				if verdict != nil {
					want = 2
				}
				if s := stats(t, other); s.Dead != want || s.Pending != 0 {
					t.Errorf("%d dead and %d pending, want %d and none", s.Dead, s.Pending, want)
				}
			})
		}
	}
}

// An event that is a dead letter already is buried again, and once.
func TestADeadLetterThatIsStillInTheOutbox(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		box, _ := buried(t, s, 2)
		shut(t, box)
		db := s.Open(t)
		execute(t, db, "INSERT INTO event_audit_outbox (sequence, event_id, event, created_at) SELECT sequence, event_id, event, 0 FROM event_audit_dead_letter WHERE event_id = 'e-0'")
		to := newDestination(func(_ context.Context, events []event.Event) error {
			if events[0].ID == "e-0" {
				return event.ErrInvalid
			}
			return nil
		})
		next := start(t, db, to, nil)
		insert(t, next, some("later", 3)...)
		flush(t, next)
		if n := len(to.ids(t)); n != 3 {
			t.Errorf("%d events arrived, want the 3 behind it", n)
		}
		if n, err := next.Retry(t.Context()); n != 2 || err != nil {
			t.Errorf("Retry = %d, %v, want both dead letters", n, err)
		}
	})
}

// A repository takes so long to refuse an event, without naming it, that the
// time for the batch is over before the search for the event is.
func TestSlowRefusalsBlockNoOther(t *testing.T) {
	t.Parallel()
	for name, refusals := range map[string]int{"some in time": 8, "one in time": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var search context.Context
			n := 0
			to := newDestination(func(ctx context.Context, events []event.Event) error {
				if !slices.ContainsFunc(events, func(e event.Event) bool { return e.ID == "bad-0" }) {
					return nil
				}
				if ctx != search {
					search, n = ctx, 0
				}
				if n++; n == refusals {
					<-ctx.Done()
					return ctx.Err()
				}
				return event.ErrInvalid
			})
			opts := fast()
			outbox.Send(opts, 100*time.Millisecond)
			box := open(t, migrated(t, testdb.New(t, testdb.SQLitePure)), to, opts)
			insert(t, box, some("bad", 1)...)
			insert(t, box, some("good", 999)...)
			box.Start()
			defer shut(t, box)
			flush(t, box)
			if n := len(to.ids(t)); n != 999 {
				t.Errorf("%d events arrived, want the 999 good ones", n)
			}
			if letters := dead(t, box); len(letters) != 1 || letters[0].Event.ID != "bad-0" {
				t.Errorf("%d dead letters, want the bad event", len(letters))
			}
			if n := len(to.writes()); n > 100 {
				t.Errorf("%d calls of Write, want batches to grow again", n)
			}
		})
	}
}
