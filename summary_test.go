package eventaudit_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/repository"
)

// summaryPayload is what a summary says.
type summaryPayload struct {
	Verb         string         `json:"verb"`
	RowsAffected int            `json:"rows_affected"`
	RowsRecorded int            `json:"rows_recorded"`
	Actions      map[string]int `json:"actions"`
	Condition    string         `json:"condition"`
}

func limitedTo(rows int) eventaudit.Option {
	return func(c *eventaudit.Config) { c.Track.MaxRowsPerStatement = rows }
}

// A statement that changes more rows than the limit has one event, which
// counts them; one that does not has an event for each.
func TestMaxRowsPerStatement(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) { summarize(t, d, openPlainly) })
}

func TestMaxRowsPerStatementWithoutReturning(t *testing.T) {
	t.Parallel()
	summarize(t, testdb.New(t, testdb.MariaDB), openWithoutReturning)
}

func summarize(t *testing.T, d *testdb.Database, open opener) {
	t.Helper()
	beside := prepare(t, d)
	db, audit := use(t, open(t, d, &gorm.Config{}), limitedTo(5))
	products := func(n, price int) (list []Product) {
		for i := range n {
			list = append(list, Product{SKU: fmt.Sprintf("p%02d", i), Price: int64(price), State: "new"})
		}
		return list
	}
	ten := products(10, 1)
	must(t, beside.Create(&ten))
	must(t, beside.Create(&[]Customer{{Name: "a"}, {Name: "b"}, {Name: "c"}, {Name: "d"}, {Name: "e"}, {Name: "f"}}))
	twelve := products(12, 7)
	everyPrice := clause.OnConflict{Columns: []clause.Column{{Name: "sku"}}, DoUpdates: clause.AssignmentColumns([]string{"price"})}

	for _, step := range []struct {
		name string
		do   func(tx *gorm.DB) *gorm.DB
		// events has the actions of the events, want the payload of a summary.
		events []string
		want   summaryPayload
	}{
		{"an update of as many rows", func(tx *gorm.DB) *gorm.DB {
			return tx.Model(&Product{}).Where("sku < ?", "p05").Update("price", 2)
		}, []string{"changed", "changed", "changed", "changed", "changed"}, summaryPayload{}},
		{"an update that changes half of its rows", func(tx *gorm.DB) *gorm.DB {
			return tx.Model(&Product{}).Where("1 = 1").Update("price", 2)
		}, []string{"changed", "changed", "changed", "changed", "changed"}, summaryPayload{}},
		{"an update that changes nothing", func(tx *gorm.DB) *gorm.DB {
			return tx.Model(&Product{}).Where("1 = 1").Update("price", 2)
		}, nil, summaryPayload{}},
		{"an update", func(tx *gorm.DB) *gorm.DB {
			return tx.Model(&Product{}).Where("title <> 'hunter2' AND price < 1234567 AND sku IN ?", []string{"p01", "p02", "p03", "p04", "p05", "p06"}).Update("price", 3)
		}, []string{"summarized"}, summaryPayload{
			"UPDATE", 6, 0,
			map[string]int{"changed": 6},
			"title <> ? AND price < ? AND sku IN (?, …)",
		}},
		{
			"an update by another table", func(tx *gorm.DB) *gorm.DB {
				return tx.Model(&Product{}).Where("sku < ? AND NOT EXISTS (SELECT 1 FROM documents)", "p07").Update("price", 4)
			},
			[]string{"summarized"},
			summaryPayload{"UPDATE", 7, 0, map[string]int{"changed": 7}, "sku < ? AND NOT EXISTS (SELECT ? FROM documents)"},
		},
		{
			"an upsert", func(tx *gorm.DB) *gorm.DB { return tx.Clauses(everyPrice).Create(&twelve) },
			[]string{"summarized"},
			summaryPayload{"INSERT", 12, 0, map[string]int{"changed": 10, "created": 2}, ""},
		},
		{
			"a delete", func(tx *gorm.DB) *gorm.DB { return tx.Where("price = ?", 7).Delete(&Product{}) },
			[]string{"summarized"},
			summaryPayload{"DELETE", 12, 0, map[string]int{"deleted": 12}, "price = ?"},
		},
		{
			"a create", func(tx *gorm.DB) *gorm.DB { return tx.Create(&ten) },
			[]string{"summarized"},
			summaryPayload{"INSERT", 10, 0, map[string]int{"created": 10}, ""},
		},
		{
			"a soft delete", func(tx *gorm.DB) *gorm.DB { return tx.Where("vip = ?", false).Delete(&Customer{}) },
			[]string{"summarized"},
			summaryPayload{
				"UPDATE", 6, 0,
				map[string]int{"deleted": 6},
				strings.ReplaceAll("vip = ? AND 'customers'.'deleted_at' IS NULL", "'", db.Statement.Quote("x")[:1]),
			},
		},
	} {
		before := len(trail(t, audit, event.Filter{}))
		must(t, step.do(db))
		events := trail(t, audit, event.Filter{})[before:]
		var actions []string
		for _, e := range events {
			actions = append(actions, e.Action)
		}
		if diff := cmp.Diff(step.events, actions); diff != "" {
			t.Errorf("%s: events: %s", step.name, diff)
			continue
		}
		if step.want.Verb == "" {
			continue
		}
		var got summaryPayload
		if err := json.Unmarshal(events[0].Payload, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("%s: %s", step.name, diff)
		}
		if e := events[0]; e.TransactionID == "" || e.ActionObjectID != "" || len(e.Result) > 0 || e.ActionObject == "" {
			t.Errorf("%s: %+v", step.name, e)
		}
	}
	seen := len(trail(t, audit, event.Filter{}))
	if err := db.Transaction(func(tx *gorm.DB) error {
		must(t, tx.Where("1 = 1").Delete(&Product{}))
		return errUndo
	}); err != errUndo { //nolint:errorlint // the very error
		t.Fatal(err)
	}
	if n := len(trail(t, audit, event.Filter{})); n != seen {
		t.Errorf("%d events of a transaction that was rolled back", n-seen)
	}
}

// The count is exact beyond what fits into memory.
func TestSummaryOfALargeStatement(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		const rows = 5000
		db := prepare(t, d)
		rowsThere(t, db, rows)
		db, audit := use(t, db, limitedTo(rows-1))
		tx := db.Model(&Document{}).Where("id <> ?", "17").Update("body", "changed")
		if tx.Error != nil || tx.RowsAffected != rows-1 {
			t.Fatalf("%v, %d rows", tx.Error, tx.RowsAffected)
		}
		if n, err := repository.Count(t.Context(), audit.Repository(), event.Filter{Action: event.ActionChanged}); err != nil || n != rows-1 {
			t.Errorf("%d events, %v; want %d", n, err, rows-1)
		}
		must(t, db.Model(&Document{}).Where("1 = 1").Update("body", "changed again"))
		events := trail(t, audit, event.Filter{Action: event.ActionSummarized})
		if len(events) != 1 {
			t.Fatalf("%d summaries", len(events))
		}
		var got summaryPayload
		if err := json.Unmarshal(events[0].Payload, &got); err != nil || got.RowsAffected != rows || got.Condition != "? = ?" {
			t.Errorf("%s, %v", events[0].Payload, err)
		}
	})
}
