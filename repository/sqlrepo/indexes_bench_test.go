package sqlrepo_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/fieldindex"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/migrate"
	"github.com/eventaudit/eventaudit/repository/sqlrepo"
)

// BenchmarkFieldIndexes prints what the indexes on fields cost a write: the
// time with those that are there from the start, and without any, in turns.
// Model events are those of an app without requests and tenants, full ones
// have a value in every field. Run it with -benchtime 1x.
func BenchmarkFieldIndexes(b *testing.B) {
	const prefilled, rounds = 100_000, 200
	for _, kind := range testdb.Kinds() {
		b.Run(string(kind), func(b *testing.B) {
			with, db := migrated(b, testdb.New(b, kind))
			without, lean := migrated(b, testdb.New(b, kind))
			if err := migrate.DropIndexes(lean, fieldindex.Default(lean.Name())...); err != nil {
				b.Fatal(err)
			}
			for _, r := range []*sqlrepo.Repository{with, without} {
				for range prefilled / 1000 {
					write(b, r, modelEvents(1000))
				}
			}
			analyse(b, db)
			analyse(b, lean)
			for b.Loop() {
				fmt.Printf("\n%-28s %10s %10s %8s\n", kind, "with ms", "without ms", "ratio")
				for _, size := range []int{1, 100} {
					for name, events := range map[string]func(int) []event.Event{"model": modelEvents, "full": fullEvents} {
						var took [2][]float64
						for range rounds {
							took[0] = append(took[0], write(b, with, events(size)))
							took[1] = append(took[1], write(b, without, events(size)))
						}
						a, z := median(took[0]), median(took[1])
						fmt.Printf("%-28s %10.3f %10.3f %8.2f\n", fmt.Sprintf("%d %s events", size, name), a, z, a/z)
					}
				}
			}
		})
	}
}

func modelEvents(n int) []event.Event {
	events := series(n)
	transaction := event.NewID()
	for i := range events {
		e := &events[i]
		*e = event.New(event.CategoryModel, event.ActionChanged)
		e.Actor, e.ActionObject, e.ActionObjectID, e.TransactionID = fmt.Sprintf("user-%d", i%20), fmt.Sprintf("Model%d", i%7), event.NewID()[24:], transaction
		e.Result = event.JSON(map[string]any{"old": map[string]any{"status": "open"}, "new": map[string]any{"status": "paid"}})
	}
	return events
}

func fullEvents(n int) []event.Event {
	events := modelEvents(n)
	for i := range events {
		e := &events[i]
		e.RequestID, e.TraceID, e.Tenant, e.IPAddress, e.UserAgent = e.TransactionID, e.TransactionID, "tenant", "10.1.2.3", longText(i%5)
		e.TargetType, e.TargetID, e.OnBehalfOf, e.Reason = "Group", "7", "user-1", longText(1)
		e.Outcome, e.Error = event.OutcomeFailure, longText(2)
	}
	return events
}

// write returns how long it took, in milliseconds.
func write(b *testing.B, r *sqlrepo.Repository, events []event.Event) float64 {
	b.Helper()
	start := time.Now()
	if err := r.Write(context.Background(), events...); err != nil {
		b.Fatal(err)
	}
	return float64(time.Since(start).Microseconds()) / 1000
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}
