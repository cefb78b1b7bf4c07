package eventaudit

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
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
