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
	"github.com/eventaudit/eventaudit/internal/testredis"
	"github.com/eventaudit/eventaudit/outbox"
	"github.com/eventaudit/eventaudit/repository"
	"github.com/eventaudit/eventaudit/repository/redisrepo"
)

// BenchmarkDrain drains a backlog into a repository that costs nothing, into
// one that costs as much as one far away, and into Redis.
func BenchmarkDrain(b *testing.B) {
	const backlog = 20_000
	for _, kind := range testdb.Kinds() {
		for name, destination := range map[string]func(b *testing.B) repository.Repository{
			"nothing":  func(*testing.B) repository.Repository { return sink{} },
			"far away": func(*testing.B) repository.Repository { return sink{15 * time.Millisecond} },
			"redis":    emptyRedis,
		} {
			b.Run(fmt.Sprintf("%s/%s", kind, name), func(b *testing.B) {
				db, to := migrated(b, testdb.New(b, kind)), destination(b)
				opts := &outbox.Options{Logger: slog.New(slog.DiscardHandler)}
				box, err := outbox.New(db, to, opts)
				if err != nil {
					b.Fatal(err)
				}
				for b.Loop() {
					b.StopTimer()
					events := some("e", backlog)
					for i := range events {
						events[i].ID = event.NewID()
						events[i].Result = event.JSON(map[string]any{"old": map[string]any{"name": "x"}, "new": map[string]any{"name": strings.Repeat("y", 300)}})
					}
					insert(b, box, events...)
					b.StartTimer()
					relay, err := outbox.New(db, to, opts)
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

// emptyRedis is a repository in a Redis of its own.
func emptyRedis(b *testing.B) repository.Repository {
	b.Helper()
	r, err := redisrepo.New(testredis.Start(b).Client, &redisrepo.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	return r
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
