package eventaudit

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
)

// No more than so many wait, and what waits is waited for.
func TestLateIsBounded(t *testing.T) {
	t.Parallel()
	var l late
	if err := l.wait(t.Context()); err != nil {
		t.Errorf("nothing to wait for: %v", err)
	}
	release := make(chan struct{})
	var last <-chan struct{}
	for range lateMost {
		done, ok := l.add(func() { <-release })
		if !ok {
			t.Fatal("refused too early")
		}
		last = done
	}
	if _, ok := l.add(func() { t.Error("it ran") }); ok {
		t.Error("one more than there may be")
	}
	close(release)
	<-last
	if err := l.wait(t.Context()); err != nil {
		t.Error(err)
	}
	if _, ok := l.add(func() {}); !ok {
		t.Error("refused though nothing runs")
	}
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

// A failed action goes on after a second; its event is lost, and told to be,
// after a minute.
func TestWhatIsLateIsLostInTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		config := DefaultConfig()
		config.Logger = slog.New(slog.DiscardHandler)
		var told error
		config.OnError = func(err error) { told = err }
		rules, err := newRules(config)
		if err != nil {
			t.Fatal(err)
		}
		x := &trail{config: config, rules: rules, inbox: away{}}
		begun, e := time.Now(), event.New("custom", "late")
		x.beside(t.Context(), []event.Event{e}, true)
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
// where it must not wait.
func TestTooManyAreLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		config := DefaultConfig()
		config.Logger = slog.New(slog.DiscardHandler)
		rules, err := newRules(config)
		if err != nil {
			t.Fatal(err)
		}
		x := &trail{config: config, rules: rules, inbox: away{}}
		for range lateMost {
			x.beside(t.Context(), []event.Event{event.New("custom", "late")}, false)
		}
		begun := time.Now()
		x.beside(t.Context(), []event.Event{event.New("custom", "late")}, false)
		if n := x.lostEvents.Load(); n != 1 || time.Since(begun) != 0 {
			t.Errorf("%d events lost after %s", n, time.Since(begun))
		}
		x.beside(t.Context(), []event.Event{event.New("custom", "late")}, true)
		if n := x.lostEvents.Load(); n != 2 || time.Since(begun) != 5*time.Second {
			t.Errorf("%d events lost after %s", n, time.Since(begun))
		}
		if err := x.late.wait(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
