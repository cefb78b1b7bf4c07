package redisrepo_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testredis"
	"github.com/eventaudit/eventaudit/repository"
	"github.com/eventaudit/eventaudit/repository/redisrepo"
	"github.com/eventaudit/eventaudit/repository/repositorytest"
)

func BenchmarkRepository(b *testing.B) {
	client := shared(b)
	repositorytest.Benchmark(b, func(b *testing.B) repository.Repository { return open(b, client, nil) })
}

// million is how many events BenchmarkMillion reads among: actors by Zipf's
// law over 10,000, four categories, three actions, twenty models with 50,000
// records each.
const million = 1_000_000

// BenchmarkMillion prints how fast a million events are written, how much
// memory they take, how long a page of 50 takes and how fast they are removed.
// Run it with -benchtime 1x.
func BenchmarkMillion(b *testing.B) {
	for name, open := range map[string]func(b *testing.B) (redis.UniversalClient, []*testredis.Server, *redisrepo.Options){
		"one server": func(b *testing.B) (redis.UniversalClient, []*testredis.Server, *redisrepo.Options) {
			server := testredis.Start(b)
			return server.Client, []*testredis.Server{server}, nil
		},
		"one server with a retention": func(b *testing.B) (redis.UniversalClient, []*testredis.Server, *redisrepo.Options) {
			server := testredis.Start(b)
			return server.Client, []*testredis.Server{server}, &redisrepo.Options{Retention: 5 * 365 * 24 * time.Hour}
		},
		"one server, append-only file": func(b *testing.B) (redis.UniversalClient, []*testredis.Server, *redisrepo.Options) {
			server := testredis.Start(b, "--appendonly", "yes", "--auto-aof-rewrite-percentage", "0")
			return server.Client, []*testredis.Server{server}, nil
		},
		"three masters": func(b *testing.B) (redis.UniversalClient, []*testredis.Server, *redisrepo.Options) {
			cluster := testredis.StartCluster(b, 3, false)
			return cluster.Client(b), cluster.Masters, nil
		},
	} {
		b.Run(name, func(b *testing.B) {
			client, servers, options := open(b)
			for b.Loop() {
				benchmarkMillion(b, client, servers, options)
			}
		})
	}
}

func benchmarkMillion(b *testing.B, client redis.UniversalClient, servers []*testredis.Server, options *redisrepo.Options) {
	if options == nil {
		options = &redisrepo.Options{}
	}
	options.Prefix, options.Logger = "audit", quiet
	r, err := redisrepo.New(client, options)
	if err != nil {
		b.Fatal(err)
	}
	memory, busy := total(b, servers, "Memory", "used_memory"), processor(b, servers)
	middle, bodies, spent := fill(b, r)
	fmt.Printf("\n%s: %.0f events/s in batches of 500; each keeps Redis busy for %.1f µs and takes %.0f bytes of memory, for %d bytes of JSON\n",
		b.Name(), million/spent.Seconds(), (processor(b, servers)-busy)*1e6/million, (total(b, servers, "Memory", "used_memory")-memory)/million, bodies/million)
	b.ReportMetric(million/spent.Seconds(), "events/s")
	for _, q := range []struct {
		name string
		f    event.Filter
	}{
		{"newest", event.Filter{}},
		{"from a moment on", event.Filter{To: middle.Timestamp}},
		{"keyset page, depth 500,000", event.Filter{After: middle.Cursor()}},
		{"actor, busiest", event.Filter{Actor: "user-0"}},
		{"actor, quiet", event.Filter{Actor: "user-7001"}},
		{"actor, keyset page in the middle", event.Filter{Actor: "user-0", After: middle.Cursor()}},
		{"model", event.Filter{ActionObject: "Model3"}},
		{"record", event.Filter{ActionObject: middle.ActionObject, ActionObjectID: middle.ActionObjectID}},
		{"action, 12 %", event.Filter{Action: "deleted"}},
		{"category and action", event.Filter{Category: "auth", Action: "deleted"}},
		{"actor and model", event.Filter{Actor: "user-0", ActionObject: "Model3"}},
		{"outcome, 1 %, no index", event.Filter{Outcome: event.OutcomeDenied}},
		{"id", event.Filter{ID: middle.ID}},
	} {
		q.f.Order, q.f.Limit = event.NewestFirst, 50
		median, p90, rows := timed(b, r, q.f)
		fmt.Printf("%-36s %10.2f ms median %10.2f ms p90 %6d events\n", q.name, median, p90, rows)
	}
	began := time.Now()
	if n, err := r.Count(b.Context(), event.Filter{RequestID: "none"}); err != nil || n != 0 {
		b.Fatal(n, err)
	}
	fmt.Printf("%-36s %10.1f s\n", "reading all of them", time.Since(began).Seconds())
	began = time.Now()
	if err := r.RemoveAll(b.Context()); err != nil {
		b.Fatal(err)
	}
	fmt.Printf("%-36s %10.1f s\n", "removing all of them", time.Since(began).Seconds())
}

// fill writes a million events and returns one from the middle, how many bytes
// all of them have as JSON, and how long it took to write them, without the
// time that it took to make them.
func fill(b *testing.B, r *redisrepo.Repository) (middle event.Event, bodies int, spent time.Duration) {
	b.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	actors := rand.NewZipf(random, 1.3, 8, 9_999)
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	result := event.JSON(map[string]any{
		"old": map[string]any{"status": "pending", "total": "19.90", "updated_at": start},
		"new": map[string]any{"status": "paid", "total": "24.90", "updated_at": start},
	})
	const batch = 500
	events := make([]event.Event, batch)
	for n := range million {
		e := event.New(pick(random, "model", "model", "model", "model", "model", "api", "custom", "auth"), pick(random, "created", "changed", "changed", "changed", "changed", "changed", "changed", "deleted"))
		e.Timestamp = start.Add(time.Duration(n) * 15 * time.Second)
		e.Actor = "user-" + strconv.FormatUint(actors.Uint64(), 10)
		e.ActionObject = "Model" + strconv.Itoa(random.IntN(20))
		e.ActionObjectID = strconv.Itoa(random.IntN(50_000))
		e.TransactionID = strconv.Itoa(n / 3)
		e.Result = result
		e.Sequence = int64(n + 1)
		if random.IntN(100) == 0 {
			e.Outcome = event.OutcomeDenied
		}
		events[n%batch] = e
		bodies += len(event.JSON(e))
		if n == million/2 {
			middle = e
		}
		if n%batch == batch-1 {
			began := time.Now()
			if err := r.Write(b.Context(), events...); err != nil {
				b.Fatal(err)
			}
			spent += time.Since(began)
		}
	}
	return middle, bodies, spent
}

func pick(random *rand.Rand, from ...string) string { return from[random.IntN(len(from))] }

// timed returns the median and the ninetieth percentile of the milliseconds
// that the page takes, and how many events are on it.
func timed(b *testing.B, r *redisrepo.Repository, f event.Filter) (median, p90 float64, rows int) {
	b.Helper()
	var times []float64
	for range 101 {
		rows = 0
		began := time.Now()
		for _, err := range r.Find(b.Context(), f) {
			if err != nil {
				b.Fatal(err)
			}
			rows++
		}
		times = append(times, float64(time.Since(began).Microseconds())/1000)
	}
	slices.Sort(times)
	return times[50], times[90], rows
}

// processor is how many seconds the servers have computed, together.
func processor(b *testing.B, servers []*testredis.Server) float64 {
	b.Helper()
	return total(b, servers, "CPU", "used_cpu_user") + total(b, servers, "CPU", "used_cpu_sys")
}

// total adds up what INFO says on the servers.
func total(b *testing.B, servers []*testredis.Server, section, field string) (sum float64) {
	b.Helper()
	for _, server := range servers {
		value, err := strconv.ParseFloat(server.Client.InfoMap(b.Context()).Item(section, field), 64)
		if err != nil {
			b.Fatal(err)
		}
		sum += value
	}
	return sum
}
