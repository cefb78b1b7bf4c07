package eventaudit

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
)

// waiting returns an event for the queue.
func waiting(payload int) *delayed {
	e := event.New("custom", "late")
	e.Payload = make([]byte, payload)
	return &delayed{event: e, until: time.Now().Add(lateFor), lost: func(error) {}, done: make(chan struct{})}
}

// No more than so many wait, of no more than so many bytes.
func TestLateIsBounded(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name           string
		payload, taken int
	}{
		{"small events", 0, lateMost},
		{"large events", lateBytes/4 - 600, 4},
		{"one that is too large for any others", 2 * lateBytes, 1},
	} {
		var l late
		for i := range test.taken {
			if start, ok := l.add(waiting(test.payload)); !ok || start != (i < lateWriters) {
				t.Fatalf("%s: event %d: room %v, another writer %v", test.name, i, ok, start)
			}
		}
		if _, ok := l.add(waiting(test.payload)); ok {
			t.Errorf("%s: one more than there may be", test.name)
		}
		for len(l.queue) > 0 {
			l.finish(l.take(lateBatch))
		}
		if start, ok := l.add(waiting(test.payload)); !ok || start != (test.taken < lateWriters) {
			t.Errorf("%s: room %v, another writer %v, though nothing waits", test.name, ok, start)
		}
	}
}

// What a writer takes is bounded, too.
func TestABatchIsBounded(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name              string
		payload, add, got int
	}{
		{"small events", 0, lateBatch + 1, lateBatch},
		{"large events", lateHeavy / 3, 5, 2},
		{"very large events", lateHeavy, 5, 1},
	} {
		var l late
		for range test.add {
			l.add(waiting(test.payload))
		}
		if got := len(l.take(lateBatch)); got != test.got || len(l.queue) != test.add-test.got {
			t.Errorf("%s: %d are taken and %d left, want %d of %d", test.name, got, len(l.queue), test.got, test.add)
		}
	}
}

// What is added after the call is not waited for, nor what is put back.
func TestWaitForWhatCameBefore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l late
		if err := l.wait(t.Context()); err != nil {
			t.Errorf("nothing to wait for: %v", err)
		}
		l.add(waiting(0))
		l.add(waiting(0))
		waited := make(chan error)
		go func() { waited <- l.wait(t.Context()) }()
		synctest.Wait()
		l.add(waiting(0))
		before := l.take(2)
		l.back(before)
		l.finish(l.take(1))
		synctest.Wait()
		select {
		case err := <-waited:
			t.Fatalf("it did not wait: %v", err)
		default:
		}
		l.add(waiting(0))
		l.finish(l.take(2))
		if err := <-waited; err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := l.wait(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("with a context that is over: %v", err)
		}
	})
}

func TestPersistGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("locked")
		tries := 0
		try := func() error {
			if tries++; tries%20 == 0 {
				return nil
			}
			return broken
		}
		begun := time.Now()
		if err := persist(t.Context(), try); err != nil || tries != 20 {
			t.Errorf("%v after %d tries", err, tries)
		}
		if took := time.Since(begun); took > 15*time.Second {
			t.Errorf("twenty tries took %s", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := persist(ctx, func() error { return broken }); !errors.Is(err, broken) {
			t.Errorf("err = %v", err)
		}
	})
}

// away is a database that does not answer.
type away struct{ inbox }

var errAway = errors.New("away")

func (away) Insert(ctx context.Context, _ gorm.ConnPool, _ []event.Event) error {
	<-ctx.Done()
	return errAway
}
func (away) Ready(context.Context) error { return errAway }

// lateTrail returns a trail with that inbox.
func lateTrail(t *testing.T, inbox inbox, onError func(error)) *trail {
	t.Helper()
	config := DefaultConfig()
	config.Logger, config.OnError = slog.New(slog.DiscardHandler), onError
	rules, err := newRules(config)
	if err != nil {
		t.Fatal(err)
	}
	return &trail{config: config, rules: rules, inbox: inbox}
}

// A failed action goes on after a second; its event is lost, and told to be,
// after a minute.
func TestWhatIsLateIsLostInTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var told error
		x := lateTrail(t, away{}, func(err error) { told = err })
		begun, e := time.Now(), event.New("custom", "late")
		x.beside(t.Context(), e, true)
		if took := time.Since(begun); took != time.Second {
			t.Errorf("the caller waited %s", took)
		}
		if err := x.late.wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		var lost *LostError
		if took := time.Since(begun); took != time.Minute || !errors.As(told, &lost) || lost.EventIDs[0] != e.ID || !errors.Is(told, errAway) {
			t.Errorf("after %s: %v", took, told)
		}
		if n := x.lostEvents.Load(); n != 1 {
			t.Errorf("%d events lost", n)
		}
	})
}

// When too many wait, the caller tries by itself, or loses the event at once
// where it must not wait. Those that waited are lost a minute later, however
// few of them could be tried.
func TestTooManyAreLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		x := lateTrail(t, away{}, nil)
		begun := time.Now()
		for range lateMost {
			x.beside(t.Context(), event.New("custom", "late"), false)
		}
		x.beside(t.Context(), event.New("custom", "late"), false)
		if n := x.lostEvents.Load(); n != 1 || time.Since(begun) != 0 {
			t.Errorf("%d events lost after %s", n, time.Since(begun))
		}
		x.beside(t.Context(), event.New("custom", "late"), true)
		if n := x.lostEvents.Load(); n != 2 || time.Since(begun) != 5*time.Second {
			t.Errorf("%d events lost after %s", n, time.Since(begun))
		}
		if err := x.late.wait(t.Context()); err != nil {
			t.Error(err)
		}
		if n := x.lostEvents.Load(); n != lateMost+2 || time.Since(begun) > lateFor+time.Second {
			t.Errorf("%d events lost after %s", n, time.Since(begun))
		}
	})
}

// picky is a database that is away at first, and never takes one of the events.
type picky struct {
	inbox
	until   time.Time
	refused string

	mutex  sync.Mutex
	stored map[string]bool
	calls  int
}

func (p *picky) Insert(_ context.Context, _ gorm.ConnPool, events []event.Event) error {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if time.Now().Before(p.until) {
		return errAway
	}
	p.calls++
	for _, e := range events {
		if e.ID == p.refused {
			return errAway
		}
	}
	for _, e := range events {
		p.stored[e.ID] = true
	}
	return nil
}

// Many wait for a long transaction of the caller, and are stored together when
// it is over; an event that is refused for itself keeps none of them from it.
func TestWhatIsLateIsStoredTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const many = 5000
		var told []error
		p := &picky{until: time.Now().Add(50 * time.Second), stored: map[string]bool{}}
		x := lateTrail(t, p, func(err error) { told = append(told, err) })
		for i := range many {
			e := event.New("custom", "late")
			if i == many/2 {
				p.refused = e.ID
			}
			x.beside(t.Context(), e, false)
		}
		if err := x.late.wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(p.stored) != many-1 || p.calls > many/10 {
			t.Errorf("%d events are stored in %d attempts, want %d in a tenth of so many", len(p.stored), p.calls, many-1)
		}
		var lost *LostError
		if len(told) != 1 || !errors.As(told[0], &lost) || lost.EventIDs[0] != p.refused {
			t.Errorf("lost: %v, want only %s", told, p.refused)
		}
	})
}
