package sqlrepo_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"testing"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/repository"
	"github.com/eventaudit/eventaudit/repository/repositorytest"
)

// null is a connection pool that does nothing.
type null struct{ gorm.ConnPool }

func (null) ExecContext(context.Context, string, ...any) (sql.Result, error) { return nil, nil }

// BenchmarkInsert measures our part of an INSERT, without a database.
func BenchmarkInsert(b *testing.B) {
	r := newMigrated(b, testdb.New(b, testdb.SQLitePure).Open(b))
	for _, n := range []int{1, 50} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			events := series(n)
			for i := range events {
				e := &events[i]
				e.Category, e.Action = event.CategoryModel, event.ActionChanged
				e.Actor, e.ActionObject, e.ActionObjectID, e.TransactionID = "user-123", "Order", "4711", event.NewID()
				e.Result = json.RawMessage(`{"old":{"status":"open"},"new":{"status":"paid"}}`)
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := r.Insert(b.Context(), null{}, events); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Benchmark measures what applications do, on each database.
func Benchmark(b *testing.B) {
	for _, kind := range testdb.Kinds() {
		b.Run(string(kind), func(b *testing.B) {
			repositorytest.Benchmark(b, func(b *testing.B) repository.Repository {
				r, _ := migrated(b, testdb.New(b, kind))
				return r
			})
		})
	}
}
