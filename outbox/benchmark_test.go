package outbox_test

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/outbox"
	"github.com/eventaudit/eventaudit/repository"
)

// BenchmarkDrain drains a backlog into a repository that costs nothing, or as
// much as one far away.
func BenchmarkDrain(b *testing.B) {
	const backlog = 20_000
	for _, kind := range testdb.Kinds() {
		for _, delay := range []time.Duration{0, 15 * time.Millisecond} {
			b.Run(fmt.Sprintf("%s/%v", kind, delay), func(b *testing.B) {
				db := migrated(b, testdb.New(b, kind))
				opts := &outbox.Options{Logger: slog.New(slog.DiscardHandler)}
				box, err := outbox.New(db, sink{delay}, opts)
				if err != nil {
					b.Fatal(err)
				}
				for b.Loop() {
					b.StopTimer()
					events := some("e", backlog)
					for i := range events {
						events[i].Result = event.JSON(map[string]any{"old": map[string]any{"name": "x"}, "new": map[string]any{"name": strings.Repeat("y", 300)}})
					}
					insert(b, box, events...)
					b.StartTimer()
					relay, err := outbox.New(db, sink{delay}, opts)
					if err != nil {
						b.Fatal(err)
					}
					relay.Start()
					if err := relay.Flush(b.Context()); err != nil {
						b.Fatal(err)
					}
					shut(b, relay)
				}
				b.ReportMetric(backlog*float64(b.N)/b.Elapsed().Seconds(), "events/s")
			})
		}
	}
}

// sink is a repository that keeps nothing.
type sink struct{ delay time.Duration }

func (s sink) Write(ctx context.Context, _ ...event.Event) error {
	if s.delay > 0 {
		select {
		case <-time.After(s.delay):
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

func (s sink) Find(context.Context, event.Filter) iter.Seq2[event.Event, error] {
	return repository.Failed(event.ErrInvalid)
}
