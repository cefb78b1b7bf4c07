package export_test

import (
	"errors"
	"io"
	"iter"
	"testing"
	"testing/synctest"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/export"
)

// failing is a writer that takes some bytes.
type failing struct {
	left int
	err  error
}

func (f *failing) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, f.err
	}
	return len(p), nil
}

// However an export ends, the caller hears of it, and no goroutine is left
// behind: synctest fails when one is.
func TestEveryEndIsHeardOf(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	ending := func(n int, end func() (event.Event, error)) iter.Seq2[event.Event, error] {
		return func(yield func(event.Event, error) bool) {
			for range n {
				if !yield(event.New("c", "a"), nil) {
					return
				}
			}
			if end != nil {
				yield(end())
			}
		}
	}
	bad := event.New("c", "a")
	bad.Payload = []byte("{")
	for name, c := range map[string]struct {
		events iter.Seq2[event.Event, error]
		room   int
		want   func(error) bool
	}{
		"no event":            {ending(0, nil), 1 << 20, func(err error) bool { return err == nil }},
		"a full batch":        {ending(256, nil), 1 << 20, func(err error) bool { return err == nil }},
		"an error":            {ending(0, func() (event.Event, error) { return event.Event{}, broken }), 1 << 20, func(err error) bool { return errors.Is(err, broken) }},
		"an error later":      {ending(1000, func() (event.Event, error) { return event.Event{}, broken }), 1 << 20, func(err error) bool { return errors.Is(err, broken) }},
		"a full disk":         {ending(1000, nil), 50_000, func(err error) bool { return errors.Is(err, broken) }},
		"no room at all":      {ending(1, nil), 0, func(err error) bool { return errors.Is(err, broken) }},
		"a broken document":   {ending(1000, func() (event.Event, error) { return bad, nil }), 1 << 20, func(err error) bool { return err != nil }},
		"an early bad one":    {ending(0, func() (event.Event, error) { return bad, nil }), 1 << 20, func(err error) bool { return err != nil }},
		"a panic of the loop": {ending(100, func() (event.Event, error) { panic(broken) }), 1 << 20, func(err error) bool { return errors.Is(err, broken) }},
	} {
		for format, exporter := range map[string]export.Exporter{"csv": export.CSV{}, "json": export.JSON{}, "jsonl": export.JSONLines{}} {
			t.Run(name+" in "+format, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					if err := exported(exporter, &failing{c.room, broken}, c.events); !c.want(err) {
						t.Errorf("Export returns %v", err)
					}
				})
			})
		}
	}
}

// exported returns the error that an export ends with, or panics with.
func exported(exporter export.Exporter, w io.Writer, events iter.Seq2[event.Event, error]) (err error) {
	defer func() {
		if thrown, ok := recover().(error); ok {
			err = thrown
		}
	}()
	return exporter.Export(w, events)
}
