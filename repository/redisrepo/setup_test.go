package redisrepo_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/repository/redisrepo"
)

// hundredYears is a retention that no test outlives.
const hundredYears = 100 * 365 * 24 * time.Hour

var quiet = slog.New(slog.DiscardHandler)

// shared returns a client of the Redis that other tests use too.
func shared(t testing.TB) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(testdb.RedisURL(t))
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return client
}

// open returns an empty repository under a prefix of its own, which is emptied
// when the test ends.
func open(t testing.TB, client redis.UniversalClient, opts *redisrepo.Options) *redisrepo.Repository {
	t.Helper()
	if opts == nil {
		opts = &redisrepo.Options{}
	}
	opts.Logger = quiet
	if opts.Prefix == "" {
		opts.Prefix = "test-" + event.NewID()
	}
	r, err := redisrepo.New(client, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := errors.Join(r.RemoveAll(ctx), redisrepo.Forget(ctx, r)); err != nil {
			t.Errorf("clean up: %v", err)
		}
	})
	return r
}

// some returns n events, one per second.
func some(n int) []event.Event {
	start := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	events := make([]event.Event, n)
	for i := range events {
		events[i] = event.New("custom", "tested")
		events[i].ID = fmt.Sprintf("event-%05d", i)
		events[i].Timestamp = start.Add(time.Duration(i) * time.Second)
	}
	return events
}

func write(t testing.TB, r *redisrepo.Repository, events ...event.Event) {
	t.Helper()
	if err := r.Write(t.Context(), events...); err != nil {
		t.Fatal(err)
	}
}

// ids returns the IDs that the filter finds.
func ids(t testing.TB, r *redisrepo.Repository, f event.Filter) []string {
	t.Helper()
	var found []string
	for e, err := range r.Find(t.Context(), f) {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, e.ID)
	}
	return found
}
