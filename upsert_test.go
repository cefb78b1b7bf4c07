package eventaudit_test

import (
	"sync"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/oracle"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

// Upserts of the same new keys meet rows that were not there when they looked.
// Their values before are known all the same.
func TestConcurrentUpsertsOfTheSameKeys(t *testing.T) {
	t.Parallel()
	db, audit := install(t, testdb.New(t, testdb.Postgres))
	up := clause.OnConflict{
		Columns:   []clause.Column{{Name: "sku"}, {Name: "warehouse"}},
		DoUpdates: clause.Assignments(map[string]any{"amount": gorm.Expr("stocks.amount + 1")}),
	}
	const goroutines, keys = 8, 60
	var group sync.WaitGroup
	for range goroutines {
		group.Go(func() {
			for key := range keys {
				if err := db.Clauses(up).Create(&Stock{SKU: "a", Warehouse: 1 + key, Amount: 1}).Error; err != nil {
					t.Errorf("upsert: %v", err)
				}
			}
		})
	}
	group.Wait()
	oracle.Check(t, db, audit.Repository(), modelTables...)
	events := trail(t, audit, event.Filter{})
	if len(events) != goroutines*keys {
		t.Errorf("%d events, want %d", len(events), goroutines*keys)
	}
	for _, e := range events {
		if e.BeforeUnknown {
			t.Errorf("event %d of %s does not know the values before: %s", e.Sequence, e.ActionObjectID, e.Result)
		}
	}
}
