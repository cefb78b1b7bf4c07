package eventaudit_test

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/oracle"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

// eachSQLite runs the test on both of SQLite's drivers.
func eachSQLite(t *testing.T, test func(t *testing.T, d *testdb.Database)) {
	t.Helper()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		if strings.HasPrefix(string(d.Kind()), "sqlite") {
			test(t, d)
		}
	})
}

// An update on SQLite is captured by the columns that it can change. What those
// are may be other by the next one, from whichever connection.
func TestUpdatesOfSomeColumnsOnSQLite(t *testing.T) {
	t.Parallel()
	eachSQLite(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d)
		must(t, db.Create(&Product{SKU: "a", Title: "one", Price: 1}))
		must(t, db.Model(&Product{SKU: "a"}).Update("price", 2))
		beside := d.Open(t)
		ddl(t, beside, "CREATE TRIGGER titles AFTER UPDATE OF price ON products BEGIN UPDATE products SET title = 'of ' || NEW.price WHERE sku = NEW.sku; END")
		must(t, db.Model(&Product{SKU: "a"}).Update("price", 3))
		ddl(t, beside, "DROP TRIGGER titles")
		ddl(t, beside, "ALTER TABLE products ADD COLUMN twice integer GENERATED ALWAYS AS (price * 2) VIRTUAL")
		must(t, db.Model(&Product{SKU: "a"}).Update("price", 4))
		must(t, db.Model(&Product{SKU: "a"}).UpdateColumn("PRICE", gorm.Expr("price + 1")))
		var got []string
		for _, e := range trail(t, audit, event.Filter{Action: event.ActionChanged}) {
			got = append(got, string(e.Result))
		}
		want := []string{
			`{"old":{"price":1},"new":{"price":2}}`,
			`{"old":{"title":"one","price":2},"new":{"title":"of 3","price":3}}`,
			`{"old":{"price":3,"twice":6},"new":{"price":4,"twice":8}}`,
			`{"old":{"price":4,"twice":8},"new":{"price":5,"twice":10}}`,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

// kept is a row that is soft-deleted.
type kept struct {
	ID        int `gorm:"primaryKey;autoIncrement:false"`
	Note      string
	DeletedAt gorm.DeletedAt
}

// A soft delete needs the whole row, a key that moves both keys.
func TestUpdatesOfWholeRowsOnSQLite(t *testing.T) {
	t.Parallel()
	eachSQLite(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d)
		if err := db.AutoMigrate(&kept{}); err != nil {
			t.Fatal(err)
		}
		must(t, db.Create(&kept{ID: 1, Note: "x"}))
		must(t, db.Model(&kept{}).Where("id = 1").Update("id", 2))
		must(t, db.Model(&kept{ID: 2}).Update("deleted_at", time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)))
		must(t, db.Unscoped().Model(&kept{ID: 2}).Updates(map[string]any{"deleted_at": nil, "note": "y"}))
		var got []string
		for _, e := range trail(t, audit, event.Filter{})[1:] {
			got = append(got, strings.TrimSpace(e.Action+" "+e.ActionObjectID+" "+e.TargetID+" "+string(e.Result)))
		}
		want := []string{
			`changed 1 2 {"old":{"id":1},"new":{"id":2}}`,
			`deleted 2  {"old":{"id":2,"note":"x","deleted_at":null},"new":{"deleted_at":"2026-02-03T04:05:06Z"}}`,
			`restored 2  {"old":{"note":"x","deleted_at":"2026-02-03T04:05:06Z"},"new":{"note":"y","deleted_at":null}}`,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		oracle.Check(t, db, audit.Repository(), oracle.Table{Object: "kept", Name: "kepts", Keys: []string{"id"}})
	})
}

// asked is a connection pool that remembers the queries that were sent.
type asked struct {
	*sql.DB
	queries *[]string
}

func (a *asked) BeginTx(ctx context.Context, opts *sql.TxOptions) (gorm.ConnPool, error) {
	tx, err := a.DB.BeginTx(ctx, opts)
	return &askedTx{tx, a.queries}, err
}

type askedTx struct {
	*sql.Tx
	queries *[]string
}

func (a *askedTx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	*a.queries = append(*a.queries, query)
	return a.Tx.QueryContext(ctx, query, args...)
}

// A large table's other columns are not read at all.
func TestUpdatesReadNoOtherColumn(t *testing.T) {
	t.Parallel()
	eachSQLite(t, func(t *testing.T, d *testdb.Database) {
		db, _ := install(t, d)
		must(t, db.Create(&Product{SKU: "a", Title: "one", Price: 1}))
		pool, err := db.DB()
		if err != nil {
			t.Fatal(err)
		}
		var queries []string
		db = db.WithContext(t.Context())
		db.Statement.ConnPool = &asked{pool, &queries}
		must(t, db.Model(&Product{SKU: "a"}).Update("price", 2))
		if len(queries) == 0 {
			t.Error("no query was seen")
		}
		for _, query := range queries {
			if strings.Contains(query, "title") {
				t.Errorf("the title was read by %s", query)
			}
		}
	})
}
