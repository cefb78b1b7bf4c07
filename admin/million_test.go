package admin_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/internal/testredis"
	"github.com/eventaudit/eventaudit/repository"
	"github.com/eventaudit/eventaudit/repository/redisrepo"
	"github.com/eventaudit/eventaudit/repository/sqlrepo"
)

const million = 1_000_000

// BenchmarkFirstByte prints how long pages take until their first byte arrives,
// among a million events. Pages are made as a whole before any of them is sent,
// so that this is the time of all of it. Run it with -benchtime 1x.
func BenchmarkFirstByte(b *testing.B) {
	for _, place := range []struct {
		name string
		open func(b *testing.B) trail
	}{
		{"sqlite", func(b *testing.B) trail { return open(b, testdb.SQLiteCgo, nil) }},
		{"postgres", func(b *testing.B) trail { return open(b, testdb.Postgres, nil) }},
		{"redis", func(b *testing.B) trail {
			return open(b, testdb.SQLitePure, nil, eventaudit.WithRepository(inRedis(b)))
		}},
	} {
		b.Run(place.name, func(b *testing.B) {
			app := place.open(b)
			middle := fill(b, app.audit.Repository(), million)
			analyse(b, app)
			server := httptest.NewServer(app.panel)
			b.Cleanup(server.Close)
			for b.Loop() {
				fmt.Printf("\n%-44s %10s %10s\n", place.name, "median ms", "p90 ms")
				for _, page := range []struct{ name, address string }{
					{"the first page", ""},
					{"a page at depth 500,000", "?after=" + string(middle.Cursor())},
					{"back from depth 500,000", "?before=" + string(middle.Cursor())},
					{"the last page", "?oldest=1"},
					{"the busiest actor, depth 500,000", "?actor=user-0&after=" + string(middle.Cursor())},
					{"a quiet actor", "?actor=user-7001"},
					{"a category of an eighth", "?category=auth"},
					{"a week in the middle", "?from=" + middle.Timestamp.AddDate(0, 0, -7).Format(time.RFC3339) + "&to=" + middle.Timestamp.Format(time.RFC3339)},
					{"an event", "event?id=" + middle.ID},
					{"a record", "record?object=" + middle.ActionObject + "&id=" + middle.ActionObjectID},
				} {
					median, p90 := timed(b, server.URL+at(page.address))
					fmt.Printf("%-44s %10.2f %10.2f\n", page.name, median, p90)
				}
			}
		})
	}
}

// inRedis returns a trail in a server of its own.
func inRedis(b *testing.B) repository.Repository {
	b.Helper()
	r, err := redisrepo.New(testredis.Start(b).Client, &redisrepo.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	return r
}

// timed returns the median and the ninetieth percentile, in milliseconds, of
// the time until the first byte of the page is there.
func timed(b *testing.B, address string) (median, p90 float64) {
	b.Helper()
	var took []float64
	for n := range 105 {
		began := time.Now()
		var first time.Time
		ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{GotFirstResponseByte: func() { first = time.Now() }})
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			b.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			b.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		if err != nil || answer.Body.Close() != nil || answer.StatusCode != http.StatusOK {
			b.Fatalf("%s: %d %v %.300s", address, answer.StatusCode, err, text)
		}
		if n >= 5 { // the first ones fill caches
			took = append(took, float64(first.Sub(began).Microseconds())/1000)
		}
	}
	slices.Sort(took)
	return took[50], took[90]
}

// fill writes so many events and returns the one in the middle: actors by
// Zipf's law over 10,000, twenty models with 20,000 records each.
func fill(t testing.TB, r repository.Repository, n int) (middle event.Event) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	actors := rand.NewZipf(random, 1.3, 8, 9_999)
	const batch = 1000
	events := make([]event.Event, 0, batch)
	for i := range n {
		e := event.New([]string{"model", "model", "model", "api", "api", "custom", "job", "auth"}[random.IntN(8)], []string{"created", "changed", "changed", "deleted"}[random.IntN(4)])
		e.Timestamp = noon.Add(time.Duration(i) * 31 * time.Second)
		e.Actor = "user-" + strconv.FormatUint(actors.Uint64(), 10)
		e.ActionObject, e.ActionObjectID = "Model"+strconv.Itoa(random.IntN(20)), strconv.Itoa(random.IntN(20_000))
		e.TransactionID, e.RequestID = "transaction-"+strconv.Itoa(i/3), "request-"+strconv.Itoa(i/5)
		e.Sequence = int64(i + 1)
		if e.Category == event.CategoryModel {
			e.Result = event.JSON(map[string]any{
				"old": map[string]any{"status": "open", "balance": i, "updated_at": e.Timestamp},
				"new": map[string]any{"status": "paid", "balance": i + 1, "updated_at": e.Timestamp.Add(time.Second)},
			})
		} else {
			e.Payload = event.JSON(map[string]any{"amount": i, "currency": "EUR"})
		}
		if i == n/2 {
			middle = e
		}
		if events = append(events, e); len(events) == batch || i == n-1 {
			if err := r.Write(context.Background(), events...); err != nil {
				t.Fatal(err)
			}
			events = events[:0]
		}
	}
	return middle
}

// analyse lets the planner know the table, as autovacuum would within minutes.
func analyse(b *testing.B, app trail) {
	b.Helper()
	verb := map[string]string{"postgres": "VACUUM ANALYZE ", "sqlite": "ANALYZE "}[app.db.Name()]
	if err := app.db.Exec(verb + sqlrepo.Table).Error; err != nil {
		b.Fatal(err)
	}
}
