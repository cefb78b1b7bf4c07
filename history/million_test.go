package history_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/history"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/repository"
	"github.com/eventaudit/eventaudit/repository/sqlrepo"
)

// BenchmarkOfAmongAMillion prints how long the first page of a record's history
// takes, of a record with 10,000 events among a million. Run it with
// -benchtime 1x.
func BenchmarkOfAmongAMillion(b *testing.B) {
	for _, kind := range testdb.Kinds() {
		b.Run(string(kind), func(b *testing.B) {
			db, audit := install(b, testdb.New(b, kind))
			fillMillion(b, audit.Repository())
			analyse(b, db)
			for b.Loop() {
				for _, page := range []struct {
					name string
					opts []history.Option
				}{
					{"newest first", []history.Option{history.NewestFirst(), history.Limit(50)}},
					{"oldest first", []history.Option{history.Limit(50)}},
				} {
					fmt.Printf("%-12s %s: %.2f ms\n", kind, page.name, medianOf(b, db, page.opts))
				}
			}
		})
	}
}

// medianOf returns the median of the times that a page takes, in milliseconds.
func medianOf(b *testing.B, db *gorm.DB, opts []history.Option) float64 {
	b.Helper()
	var took []time.Duration
	for range 101 {
		began := time.Now()
		page, err := history.Of[Person](b.Context(), db, 1, opts...)
		if err != nil || len(page) != 50 {
			b.Fatal(len(page), err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return float64(took[50].Microseconds()) / 1000
}

// fillMillion writes a million events, every hundredth of which is about person
// 1, the others about 20,000 more.
func fillMillion(b *testing.B, r repository.Repository) {
	b.Helper()
	first := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	for n := 0; n < 1_000_000; n += 5000 {
		var events []event.Event
		for i := n; i < n+5000; i++ {
			e := event.Event{
				ID: event.NewID(), Category: event.CategoryModel, Action: event.ActionChanged, Actor: fmt.Sprintf("user-%d", i%997),
				ActionObject: "Person", ActionObjectID: "1", Timestamp: first.Add(time.Duration(i) * 20 * time.Second),
				Result: []byte(fmt.Sprintf(`{"old":{"balance":%d},"new":{"balance":%d}}`, i, i+1)), TransactionID: event.NewID(),
			}
			if i%100 != 0 {
				e.ActionObject, e.ActionObjectID = []string{"Person", "Car", "Stock"}[i%3], fmt.Sprint(2+i*7919%20000)
			}
			events = append(events, e)
		}
		if err := r.Write(b.Context(), events...); err != nil {
			b.Fatal(err)
		}
	}
}

// analyse lets the database learn what is in the tables.
func analyse(b *testing.B, db *gorm.DB) {
	b.Helper()
	verb := map[string]string{"postgres": "VACUUM ANALYZE ", "sqlite": "ANALYZE ", "mysql": "ANALYZE TABLE "}[db.Name()]
	must(b, db.Exec(verb+sqlrepo.Table))
}
