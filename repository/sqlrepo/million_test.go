package sqlrepo_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/repository/sqlrepo"
)

// million is how many events BenchmarkMillion reads among: actors by Zipf's
// law over 10,000, five categories, four actions, twenty objects.
const million = 1_000_000

// BenchmarkMillion prints how long the first page of each kind of list takes,
// newest first, 100 events, among a million. The figures are medians; run it
// with -benchtime 1x.
func BenchmarkMillion(b *testing.B) {
	for _, kind := range testdb.Kinds() {
		b.Run(string(kind), func(b *testing.B) {
			r, db := migrated(b, testdb.New(b, kind))
			fill(b, r)
			analyse(b, db)
			middle := middleOf(b, r)
			queries := []struct {
				name string
				f    event.Filter
			}{
				{"no filter", event.Filter{}},
				{"category, 12 %", event.Filter{Category: "auth"}},
				{"category, rare", event.Filter{Category: "rare"}},
				{"action, 12 %", event.Filter{Action: "deleted"}},
				{"action, rare", event.Filter{Action: "exported"}},
				{"actor, busiest", event.Filter{Actor: "user-0"}},
				{"actor, quiet", event.Filter{Actor: "user-7001"}},
				{"object, 5 %", event.Filter{ActionObject: "Model3"}},
				{"object, 0.5 %", event.Filter{ActionObject: "Seldom"}},
				{"object, 20 events", event.Filter{ActionObject: "Rare"}},
				{"object and id", event.Filter{ActionObject: "Model3", ActionObjectID: "777"}},
				{"object id, 50 events", event.Filter{ActionObjectID: "777"}},
				{"object id, 0.5 %", event.Filter{ActionObjectID: "1"}},
				{"target type, 25 %", event.Filter{TargetType: "Group"}},
				{"target type, 20 events", event.Filter{TargetType: "Rare"}},
				{"target id", event.Filter{TargetID: "42"}},
				{"outcome denied, 10 %", event.Filter{Outcome: event.OutcomeDenied}},
				{"outcome failure, 1 %", event.Filter{Outcome: event.OutcomeFailure}},
				{"outcome success", event.Filter{Outcome: event.OutcomeSuccess}},
				{"error, 0.1 %", event.Filter{Error: longText(7)}},
				{"transaction", event.Filter{TransactionID: "transaction-1000"}},
				{"request", event.Filter{RequestID: "request-1000"}},
				{"trace", event.Filter{TraceID: "trace-1000"}},
				{"tenant, 10 %", event.Filter{Tenant: "tenant-3"}},
				{"tenant, 20 events", event.Filter{Tenant: "rare"}},
				{"reason", event.Filter{Reason: longText(4321)}},
				{"on behalf of", event.Filter{OnBehalfOf: "user-77"}},
				{"address, busiest", event.Filter{IPAddress: "10.0.0.0"}},
				{"address, quiet", event.Filter{IPAddress: "10.0.17.5"}},
				{"user agent", event.Filter{UserAgent: longText(3)}},
				{"id", event.Filter{ID: middle.ID}},
				{"one day in the middle", event.Filter{From: middle.Timestamp.Add(-24 * time.Hour), To: middle.Timestamp}},
				{"keyset page, depth 500,000", event.Filter{After: middle.Cursor()}},
				{"keyset page of the busiest actor", event.Filter{After: middle.Cursor(), Actor: "user-0"}},
				{"keyset page of an action", event.Filter{After: middle.Cursor(), Action: "changed"}},
			}
			for b.Loop() {
				fmt.Printf("\n%-36s %10s %10s %6s\n", string(kind), "median ms", "p90 ms", "rows")
				for _, q := range queries {
					q.f.Order, q.f.Limit = event.NewestFirst, 100
					median, p90, rows := timed(b, r, q.f)
					fmt.Printf("%-36s %10.2f %10.2f %6d\n", q.name, median, p90, rows)
				}
			}
		})
	}
}

func fill(b *testing.B, r *sqlrepo.Repository) {
	b.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	actors := rand.NewZipf(random, 1.3, 8, 9_999)
	start := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	const batch = 5_000
	events := make([]event.Event, batch)
	for n := range million {
		e := event.New(pick(random, "model", "model", "model", "api", "api", "custom", "job", "auth"), pick(random, "created", "changed", "changed", "changed", "changed", "changed", "changed", "deleted"))
		if n%50_000 == 7 {
			e.Category = "rare"
		}
		if n%50_000 == 8 {
			e.Action = "exported"
		}
		e.Timestamp = start.Add(time.Duration(n) * 31 * time.Second)
		e.Actor = fmt.Sprintf("user-%d", actors.Uint64())
		e.ActionObject = fmt.Sprintf("Model%d", random.IntN(20))
		e.ActionObjectID = fmt.Sprint(random.IntN(20_000))
		e.TargetType = pick(random, "", "", "", "Group")
		e.Tenant = fmt.Sprintf("tenant-%d", random.IntN(10))
		e.RequestID = fmt.Sprintf("request-%d", n/5)
		e.TransactionID = fmt.Sprintf("transaction-%d", n/3)
		e.TraceID = fmt.Sprintf("trace-%d", n/5)
		e.IPAddress = fmt.Sprintf("10.0.%d.%d", actors.Uint64()/256, actors.Uint64()%256)
		e.UserAgent = longText(random.IntN(20))
		switch {
		case n%10 == 0:
			e.Outcome = event.OutcomeDenied
		case n%100 == 1:
			e.Outcome, e.Error = event.OutcomeFailure, longText(n/100%10)
		}
		switch {
		case n%200 == 3:
			e.ActionObject = "Seldom"
		case n%200 == 4:
			e.ActionObjectID = "1"
		case n%50 == 5:
			e.TargetID, e.Reason, e.OnBehalfOf = fmt.Sprint(random.IntN(1000)), longText(n/50), fmt.Sprintf("user-%d", random.IntN(100))
		case n%50_000 == 6:
			e.ActionObject, e.TargetType, e.Tenant = "Rare", "Rare", "rare"
		}
		e.Result = event.JSON(map[string]any{
			"old": map[string]any{"status": "open", "balance": n, "updated_at": e.Timestamp},
			"new": map[string]any{"status": "paid", "balance": n + 1, "updated_at": e.Timestamp.Add(time.Second)},
		})
		events[n%batch] = e
		if n%batch == batch-1 {
			if err := r.Write(context.Background(), events...); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// longText returns one of many texts whose first hundred characters are alike.
func longText(n int) string {
	return strings.Repeat("All of these begin alike. ", 4) + fmt.Sprint(n)
}

func pick(random *rand.Rand, values ...string) string { return values[random.IntN(len(values))] }

// analyse lets the planner know the table, as autovacuum would within minutes.
func analyse(b *testing.B, db *gorm.DB) {
	b.Helper()
	verb := map[string]string{"postgres": "VACUUM ANALYZE ", "mysql": "ANALYZE TABLE ", "sqlite": "ANALYZE "}[db.Name()]
	if err := db.Exec(verb + sqlrepo.Table).Error; err != nil {
		b.Fatal(err)
	}
}

// middleOf returns the event at depth 500,000.
func middleOf(b *testing.B, r *sqlrepo.Repository) event.Event {
	b.Helper()
	for e, err := range r.Find(context.Background(), event.Filter{Order: event.NewestFirst, Offset: million / 2, Limit: 1}) {
		if err != nil {
			b.Fatal(err)
		}
		return e
	}
	b.Fatal("there is no middle")
	return event.Event{}
}

// timed returns the median and the 90th percentile of a list's time, in
// milliseconds, and its length.
func timed(b *testing.B, r *sqlrepo.Repository, f event.Filter) (median, p90 float64, rows int) {
	b.Helper()
	var took []float64
	for began := time.Now(); len(took) < 31 && time.Since(began) < 3*time.Second; {
		rows = 0
		start := time.Now()
		for _, err := range r.Find(context.Background(), f) {
			if err != nil {
				b.Fatal(err)
			}
			rows++
		}
		took = append(took, float64(time.Since(start).Microseconds())/1000)
	}
	slices.Sort(took)
	return took[len(took)/2], took[len(took)*9/10], rows
}
