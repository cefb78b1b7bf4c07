package eventaudit_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/oracle"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/repository"
)

// rowsThere puts n documents into the table, behind the back of the trail.
func rowsThere(t *testing.T, db *gorm.DB, n int) {
	t.Helper()
	body := "'a row of some length, so that ' || 'it is like those of an app'"
	series := "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < %d) "
	switch db.Name() {
	case "mysql":
		must(t, db.Exec(fmt.Sprintf("INSERT INTO documents SELECT seq, 'a row of some length, so that it is like those of an app' FROM seq_1_to_%d", n)))
	default:
		must(t, db.Exec(fmt.Sprintf(series+"INSERT INTO documents (id, body) SELECT CAST(n AS text), "+body+" FROM s", n)))
	}
}

// An update and a delete of many rows have one event for each of them, and are
// paired right beyond what fits into memory.
func TestLargeStatements(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		const n = 6000
		db := prepare(t, d)
		rowsThere(t, db, n)
		db, audit := use(t, db)
		tx := db.Model(&Document{}).Where("1 = 1").Update("body", gorm.Expr("id"))
		if tx.Error != nil || tx.RowsAffected != n {
			t.Fatalf("update: %v, %d rows", tx.Error, tx.RowsAffected)
		}
		tx = db.Model(&Document{}).Where("body <> ?", "17").UpdateColumn("body", "same")
		if tx.Error != nil || tx.RowsAffected != n-1 {
			t.Fatalf("second update: %v, %d rows", tx.Error, tx.RowsAffected)
		}
		tx = db.Where("body = ?", "same").Delete(&Document{})
		if tx.Error != nil || tx.RowsAffected != n-1 {
			t.Fatalf("delete: %v, %d rows", tx.Error, tx.RowsAffected)
		}
		state := oracle.State{"Document": {}}
		for id := range n {
			state["Document"][fmt.Sprint(id+1)] = oracle.Row{
				"id": fmt.Sprint(id + 1), "body": "a row of some length, so that it is like those of an app",
			}
		}
		for e, err := range audit.All(t.Context(), event.Filter{}) {
			if err == nil {
				err = state.Apply(e)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if len(state["Document"]) != 1 || state["Document"]["17"]["body"] != "17" {
			t.Errorf("the trail leaves %v", state["Document"])
		}
		if left, err := os.ReadDir(os.TempDir()); err == nil {
			for _, file := range left {
				if strings.HasPrefix(file.Name(), "eventaudit-") && !strings.Contains(file.Name(), "quickstart") && !file.IsDir() {
					t.Errorf("a file is left: %s", file.Name())
				}
			}
		}
	})
}

// Every row changes, wherever the number of rows lies between what is kept in
// memory, named in a statement, or put into a temporary table.
func TestStatementsOfEverySizeChangeAllRows(t *testing.T) {
	t.Parallel()
	for _, server := range servers[1:] {
		t.Run(server.name, func(t *testing.T) {
			t.Parallel()
			d := testdb.New(t, server.kind)
			beside := prepare(t, d)
			db, audit := use(t, server.open(t, d, &gorm.Config{}))
			for _, n := range []int{500, 501, 2000, 2001, 3500, 5000, 5001} {
				must(t, beside.Exec("DELETE FROM documents"))
				rowsThere(t, beside, n)
				seen, err := repository.Count(t.Context(), audit.Repository(), event.Filter{})
				if err != nil {
					t.Fatal(err)
				}
				for _, tx := range []*gorm.DB{
					db.Model(&Document{}).Where("body <> ''").Update("body", "changed"),
					db.Where("body = 'changed'").Delete(&Document{}),
				} {
					if tx.Error != nil || tx.RowsAffected != int64(n) {
						t.Errorf("%d of %d rows, %v: %s", tx.RowsAffected, n, tx.Error, tx.Statement.SQL.String())
					}
				}
				events, err := repository.Count(t.Context(), audit.Repository(), event.Filter{})
				if left := count(t, beside, "documents"); err != nil || left != 0 || events-seen != int64(2*n) {
					t.Errorf("%d rows: %d left, %d events, %v", n, left, events-seen, err)
				}
			}
		})
	}
}

// Memory does not grow with the rows of a statement.
func TestALargeUpdateInBoundedMemory(t *testing.T) {
	const rows, limit = 30_000, 1 << 20
	for _, kind := range testdb.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			db := prepare(t, testdb.New(t, kind))
			rowsThere(t, db, rows)
			heap := func() uint64 {
				runtime.GC()
				var stats runtime.MemStats
				runtime.ReadMemStats(&stats)
				return stats.HeapAlloc
			}
			// Skip is asked for every event: a place to look from within.
			var events int
			var first, last uint64
			db, audit := use(t, db, eventaudit.WithSkip(func(context.Context, event.Event) bool {
				switch events++; events {
				case rows / 3:
					first = heap()
				case rows - 100: // in the midst of a piece, as the first one
					last = heap()
				}
				return false
			}))
			if tx := db.Model(&Document{}).Where("1 = 1").Update("body", "changed"); tx.Error != nil || tx.RowsAffected != rows {
				t.Fatalf("%v, %d rows", tx.Error, tx.RowsAffected)
			}
			if n, err := repository.Count(t.Context(), audit.Repository(), event.Filter{Action: event.ActionChanged}); err != nil || n != rows {
				t.Errorf("%d events, %v", n, err)
			}
			grown := int64(last) - int64(first)
			t.Logf("%d rows, the heap grew by %d KiB from the first third to the end", rows, grown>>10)
			if grown > limit {
				t.Errorf("the heap grew by %d KiB", grown>>10)
			}
		})
	}
}

// Every row of a large upsert has its event, those that it creates as those that
// it meets.
func TestLargeUpserts(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, d *testdb.Database, open func() *gorm.DB) {
		if d.Kind() == testdb.SQLitePure {
			return // what cgo's takes three seconds for takes it a minute, and nothing else differs
		}
		const n = 2100 // more than is kept in memory of other statements
		db, audit := use(t, open())
		rows := make([]Document, n)
		for i := range rows {
			rows[i] = Document{ID: fmt.Sprint(i + 1), Body: "a"}
		}
		whole := db.Session(&gorm.Session{CreateBatchSize: 2 * n})
		must(t, whole.Clauses(clause.OnConflict{UpdateAll: true}).Create(append([]Document{}, rows...)))
		for i := range rows {
			rows[i].Body = "b"
		}
		must(t, whole.Clauses(clause.OnConflict{UpdateAll: true}).Create(append([]Document{}, rows...)))
		must(t, whole.Clauses(clause.OnConflict{DoNothing: true}).Create(append([]Document{}, rows...)))
		events := 2 * n
		if slices.Contains(onSQLite, d.Kind()) {
			for i := range rows {
				rows[i].Body = "c"
			}
			must(t, whole.Clauses(clause.Insert{Modifier: "OR REPLACE"}).Create(append([]Document{}, rows...)))
			events += n
		}
		if got := len(trail(t, audit, event.Filter{})); got != events {
			t.Errorf("%d events, want %d", got, events)
		}
		oracle.Check(t, db, audit.Repository(), modelTables...)
	})
}
