package outbox_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/outbox"
)

// buried returns an outbox with n dead letters, e-0, e-1, …, whose repository
// takes everything from now on.
func buried(t *testing.T, s *testdb.Database, n int) (*outbox.Outbox, *destination) {
	t.Helper()
	var better atomic.Bool
	to := newDestination(func(context.Context, []event.Event) error {
		if better.Load() {
			return nil
		}
		return event.ErrInvalid
	})
	box := start(t, migrated(t, s), to, nil)
	insert(t, box, some("e", n)...)
	flush(t, box)
	better.Store(true)
	return box, to
}

func TestDeadLettersAreListedInOrder(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		const n = 230
		box, _ := buried(t, s, n)
		for i, letter := range dead(t, box) {
			if want := fmt.Sprintf("e-%d", i); letter.Event.ID != want {
				t.Fatalf("dead letter %d is %s, want %s", i, letter.Event.ID, want)
			}
		}
		if got := stats(t, box); got.Dead != n || got.Rejected != n {
			t.Errorf("stats = %+v, want %d dead", got, n)
		}
		for letter, err := range box.Dead(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if removed, err := box.Discard(t.Context(), letter.Event.ID); removed != 1 || err != nil {
				t.Fatalf("Discard in the loop = %d, %v", removed, err)
			}
			break
		}
	})
}

func TestRetryAndDiscard(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		box, to := buried(t, s, 6)
		count := func(n int64, err error) int64 {
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		if n := count(box.Discard(t.Context(), "e-0", "e-1", "unknown")); n != 2 {
			t.Errorf("%d discarded, want 2", n)
		}
		if n := count(box.Retry(t.Context(), "e-1", "e-2")); n != 1 {
			t.Errorf("%d retried, want the one that was not discarded", n)
		}
		if n := count(box.Retry(t.Context())); n != 3 {
			t.Errorf("%d retried, want all 3 that are left", n)
		}
		if n := count(box.Retry(t.Context())); n != 0 {
			t.Errorf("%d retried, want none", n)
		}
		flush(t, box)
		var ids []string
		for id := range to.ids(t) {
			ids = append(ids, id)
		}
		slices.Sort(ids)
		if want := []string{"e-2", "e-3", "e-4", "e-5"}; !slices.Equal(ids, want) {
			t.Errorf("arrived: %q, want %q", ids, want)
		}
	})
}

func TestDiscardWantsIDs(t *testing.T) {
	t.Parallel()
	box, _ := buried(t, testdb.New(t, testdb.SQLitePure), 1)
	_, err := box.Discard(t.Context())
	expectField(t, err, "ids")
	if n := len(dead(t, box)); n != 1 {
		t.Errorf("%d dead letters, want 1", n)
	}
}

// Two who retry the same dead letters deliver each once.
func TestRetryAtTheSameTime(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		box, to := buried(t, s, 700)
		shut(t, box)
		retryAtTheSameTime(t, box)
		flush(t, start(t, s.Open(t), to, nil))
		if n := len(to.ids(t)); n != 700 {
			t.Errorf("%d events arrived, want 700", n)
		}
	})
}

func retryAtTheSameTime(t *testing.T, box *outbox.Outbox) {
	t.Helper()
	retried := make(chan int64)
	for range 3 {
		go func() {
			n, err := box.Retry(context.Background())
			if err != nil {
				t.Error(err)
			}
			retried <- n
		}()
	}
	var sum int64
	for range 3 {
		sum += expect(t, retried, "end of Retry")
	}
	if sum != 700 {
		t.Errorf("%d retried in all, want 700", sum)
	}
}

// The transactions of an app on SQLite may take their lock as late as they can.
func TestRetryInTransactionsThatLockLate(t *testing.T) {
	t.Parallel()
	for _, kind := range testdb.Kinds() {
		if kind != testdb.SQLitePure && kind != testdb.SQLiteCgo {
			continue
		}
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s := testdb.New(t, kind)
			box, to := buried(t, s, 700)
			shut(t, box)
			db, err := testdb.Dial(kind, strings.Replace(s.DSN(), "_txlock=immediate", "_txlock=deferred", 1), nil)
			if err != nil {
				t.Fatal(err)
			}
			retryAtTheSameTime(t, open(t, db, to, nil))
			pool, err := db.DB()
			if err == nil {
				err = pool.Close()
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// A letter that another relay writes while Retry copies the others is retried
// or stays.
func TestRetryLosesNoLetterThatIsBuriedMeanwhile(t *testing.T) {
	t.Parallel()
	for name, ids := range map[string][]string{"all": nil, "by ID": {"early-0", "late-0"}} {
		for _, kind := range []testdb.Kind{testdb.Postgres, testdb.MariaDB} {
			t.Run(name+"/"+string(kind), func(t *testing.T) {
				t.Parallel()
				db := migrated(t, testdb.New(t, kind))
				to := newDestination(func(context.Context, []event.Event) error { return event.ErrInvalid })
				box := start(t, db, to, nil)
				insert(t, box, some("early", 1)...)
				flush(t, box)
				shut(t, box)
				insert(t, box, some("late", 1)...)

				waiting, release := hold(t, db, outbox.Table)
				retried := make(chan int64, 1)
				go func() {
					n, err := box.Retry(context.Background(), ids...)
					if err != nil {
						t.Error(err)
					}
					retried <- n
				}()
				waitUntil(t, waiting)
				other := start(t, db, to, nil)
				waitUntil(t, func() bool { return stats(t, other).Dead == 2 })
				shut(t, other)
				release()
				n := expect(t, retried, "end of Retry")
				if s := stats(t, box); s.Pending != n || s.Pending+s.Dead != 2 {
					t.Errorf("%d retried, %d pending, %d dead; want 2 events in all", n, s.Pending, s.Dead)
				}
			})
		}
	}
}
