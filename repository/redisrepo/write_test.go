package redisrepo_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testredis"
	"github.com/eventaudit/eventaudit/repository/redisrepo"
)

// Events that are stored already do not keep those beside them out, and stay
// as they are.
func TestSomeAreStoredAlready(t *testing.T) {
	t.Parallel()
	client := shared(t)
	for name, options := range map[string]*redisrepo.Options{
		"one shard":            {},
		"shards and retention": {Shards: 3, Retention: hundredYears},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := open(t, client, options)
			events := some(200)
			for i, e := range events {
				if i%3 == 0 || i/50 == 2 {
					write(t, r, e)
				}
			}
			again := slices.Clone(events)
			for i := range again {
				again[i].Reason = "again"
			}
			write(t, r, again...)
			for e, err := range r.Find(t.Context(), event.Filter{}) {
				if err != nil {
					t.Fatal(err)
				}
				i := slices.IndexFunc(events, func(other event.Event) bool { return other.ID == e.ID })
				if first := i%3 == 0 || i/50 == 2; first == (e.Reason == "again") {
					t.Errorf("event %d has reason %q", i, e.Reason)
				}
			}
			complete(t, r, events)
		})
	}
}

// Relays that send the same events at one time store each of them once.
func TestTheSameEventsFromSeveralWriters(t *testing.T) {
	t.Parallel()
	client := shared(t)
	first := open(t, client, &redisrepo.Options{Retention: hundredYears})
	events := some(400)
	var group sync.WaitGroup
	for range 6 {
		group.Go(func() {
			r, err := redisrepo.New(client, &redisrepo.Options{Prefix: redisrepo.PrefixOf(first), Retention: hundredYears, Logger: quiet})
			if err != nil {
				t.Error(err)
				return
			}
			mine := slices.Clone(events)
			rand.Shuffle(len(mine), func(i, j int) { mine[i], mine[j] = mine[j], mine[i] })
			if err := r.Write(t.Context(), mine...); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	complete(t, first, events)
}

// A script that fails midway leaves nothing that shows, and what it leaves is
// completed by the next attempt.
func TestScriptFailsMidway(t *testing.T) {
	t.Parallel()
	client := shared(t)
	r := open(t, client, nil)
	events := some(120)
	write(t, r, events[0])
	sets, err := client.Keys(t.Context(), redisrepo.PrefixOf(r)+":*:a*").Result()
	if err != nil || len(sets) != 1 {
		t.Fatalf("%d sets of actions, %v", len(sets), err)
	}
	if err := r.RemoveAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := client.Set(t.Context(), sets[0], "no set", 0).Err(); err != nil {
		t.Fatal(err)
	}
	blamesRedis(t, r.Write(t.Context(), events...), "WRONGTYPE")
	if got := ids(t, r, event.Filter{}); len(got) != 0 {
		t.Errorf("%d events show after the script failed", len(got))
	}
	if err := client.Del(t.Context(), sets[0]).Err(); err != nil {
		t.Fatal(err)
	}
	complete(t, r, events)
}

// Redis does nothing else while a script runs, so that the largest events do
// not go together.
func TestLargeEventsGoApart(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t)
	r := open(t, server.Client, nil)
	events := some(40)
	for i := range events {
		events[i].Payload = event.JSON(strings.Repeat("x", 300_000))
	}
	write(t, r, events[0])
	server.Do(t, "CONFIG", "RESETSTAT")
	write(t, r, events[1:]...)
	stats, err := server.Client.Info(t.Context(), "commandstats").Result()
	if err != nil || !strings.Contains(stats, "cmdstat_evalsha:calls=13,") { // of three
		t.Errorf("statistics are %s (%v), want 13 runs of the script", stats, err)
	}
	complete(t, r, events)
}
