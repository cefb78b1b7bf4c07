package repositorytest

import (
	"fmt"
	"testing"
	"time"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
)

// Benchmark measures what applications do with a repository most: writing one
// event and many, and asking for an event, for the history of a record, for a
// page deep in the list and for a number. The reading ones see 10 000 events
// of 500 records. open is called once per measure and must return an empty
// repository.
func Benchmark(b *testing.B, open func(b *testing.B) repository.Repository) {
	for _, size := range []int{1, 100} {
		b.Run(fmt.Sprintf("Write-%d", size), func(b *testing.B) { benchmarkWrite(b, open(b), size) })
	}
	trail := trail(10_000)
	middle := trail[len(trail)/2]
	for _, read := range []struct {
		name   string
		filter event.Filter
		want   int
	}{
		{"Record", event.Filter{ActionObject: "Order", ActionObjectID: middle.ActionObjectID, Order: event.NewestFirst}, len(trail) / records},
		{"Newest", event.Filter{Order: event.NewestFirst, Limit: 50}, 50},
		{"DeepPage", event.Filter{After: middle.Cursor(), Limit: 50}, 50},
		{"Actor", event.Filter{Actor: middle.Actor, Limit: 50}, 50},
	} {
		b.Run("Find-"+read.name, func(b *testing.B) { benchmarkFind(b, filled(b, open, trail), read.filter, read.want) })
	}
	b.Run("Get", func(b *testing.B) {
		repo := filled(b, open, trail)
		for b.Loop() {
			if _, err := repository.Get(b.Context(), repo, middle.ID); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Count", func(b *testing.B) {
		repo := filled(b, open, trail)
		for b.Loop() {
			if _, err := repository.Count(b.Context(), repo, event.Filter{Actor: middle.Actor}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// records is how many records the events of a trail are about.
const records = 500

// trail returns n events as an application makes them.
func trail(n int) []event.Event {
	events := make([]event.Event, n)
	for i := range events {
		e := full()
		e.Timestamp = noon.Add(time.Duration(i) * time.Millisecond)
		e.Actor = fmt.Sprintf("user-%d", i%20)
		e.ActionObjectID = fmt.Sprint(i % records)
		e.Sequence = 0
		events[i] = e
	}
	return events
}

func filled(b *testing.B, open func(b *testing.B) repository.Repository, trail []event.Event) repository.Repository {
	b.Helper()
	repo := open(b)
	for len(trail) > 0 {
		n := min(500, len(trail))
		if err := repo.Write(b.Context(), trail[:n]...); err != nil {
			b.Fatal(err)
		}
		trail = trail[n:]
	}
	return repo
}

func benchmarkWrite(b *testing.B, repo repository.Repository, size int) {
	b.ReportAllocs()
	events := trail(size)
	for b.Loop() {
		for i := range events {
			events[i].ID = event.NewID()
		}
		if err := repo.Write(b.Context(), events...); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(size)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

func benchmarkFind(b *testing.B, repo repository.Repository, f event.Filter, want int) {
	b.ReportAllocs()
	for b.Loop() {
		found, err := collect(repo.Find(b.Context(), f))
		if err != nil {
			b.Fatal(err)
		}
		if len(found) != want {
			b.Fatalf("Find(%s) yields %d events, want %d", describe(f), len(found), want)
		}
	}
}
