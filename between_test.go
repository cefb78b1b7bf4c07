package eventaudit_test

import (
	"context"
	"database/sql"
	"strings"
	"sync"
	"testing"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/oracle"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

// meddling is a pool that lets somebody else in right behind the first query
// about the products.
type meddling struct {
	*sql.DB
	once    sync.Once
	between func()
}

func (m *meddling) BeginTx(ctx context.Context, opts *sql.TxOptions) (gorm.ConnPool, error) {
	tx, err := m.DB.BeginTx(ctx, opts)
	return &meddlingTx{tx, m}, err
}

type meddlingTx struct {
	*sql.Tx
	meddling *meddling
}

func (m *meddlingTx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	rows, err := m.Tx.QueryContext(ctx, query, args...)
	if strings.Contains(query, `FROM "products"`) || strings.Contains(query, `FROM ONLY "products"`) {
		m.meddling.once.Do(m.meddling.between)
	}
	return rows, err
}

// A row that begins to match between the look at the rows and the update is
// not updated, or it would be without an event.
func TestRowsBetweenLookAndUpdate(t *testing.T) {
	t.Parallel()
	from := clause.From{Tables: []clause.Table{{Name: "(SELECT 5 AS more) AS d", Raw: true}}}
	for name, update := range map[string]func(db *gorm.DB) error{
		"joined": func(db *gorm.DB) error {
			return db.Model(&Product{}).Clauses(from).Where("price < d.more").Update("price", gorm.Expr("price + d.more")).Error
		},
		"joined and returned": func(db *gorm.DB) error {
			var rows []Product
			return db.Model(&rows).Clauses(from, clause.Returning{}).Where("price < d.more").Update("price", gorm.Expr("price + d.more")).Error
		},
		"joined and moved": func(db *gorm.DB) error {
			return db.Model(&Product{}).Clauses(from).Where("price < d.more").Update("sku", gorm.Expr("sku || d.more")).Error
		},
		"plain": func(db *gorm.DB) error {
			return db.Model(&Product{}).Where("price < 5").Update("price", gorm.Expr("price + 5")).Error
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := testdb.New(t, testdb.Postgres)
			other, audit := install(t, d)
			must(t, other.Create(&[]Product{{SKU: "a", Price: 1}, {SKU: "b", Price: 2}}))
			pool, err := d.Open(t).DB()
			if err != nil {
				t.Fatal(err)
			}
			met := false
			between := func() {
				met = true
				must(t, other.Create(&Product{SKU: "c", Price: 3}))
			}
			db, err := gorm.Open(postgres.New(postgres.Config{Conn: &meddling{DB: pool, between: between}}), &gorm.Config{Logger: logger.Discard})
			if err != nil {
				t.Fatal(err)
			}
			use(t, db)
			if err := update(db); err != nil || !met {
				t.Fatalf("err = %v; somebody came between: %v", err, met)
			}
			oracle.Check(t, other, audit.Repository(), modelTables...)
			if n := len(trail(t, audit, event.Filter{Action: event.ActionChanged})); n != 2 {
				t.Errorf("%d changes, want 2", n)
			}
		})
	}
}

// A row that comes in between and is in the way of an upsert is not recorded
// without its values before, though the look found one that is not in the way.
func TestUpsertOverAnIndexOfSomeRows(t *testing.T) {
	t.Parallel()
	d := testdb.New(t, testdb.Postgres)
	other, audit := install(t, d)
	must(t, other.Exec("CREATE UNIQUE INDEX cheap ON products (title) WHERE price < 5"))
	must(t, other.Create(&Product{SKU: "dear", Title: "same", Price: 9}))
	pool, err := d.Open(t).DB()
	if err != nil {
		t.Fatal(err)
	}
	between := func() { must(t, other.Create(&Product{SKU: "a", Title: "same", Price: 1})) }
	db, err := gorm.Open(postgres.New(postgres.Config{Conn: &meddling{DB: pool, between: between}}), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		t.Fatal(err)
	}
	use(t, db)
	cheap := clause.OnConflict{
		Columns:     conflicts("title"),
		TargetWhere: clause.Where{Exprs: []clause.Expression{gorm.Expr("price < 5")}},
		DoUpdates:   assign("sku", gorm.Expr("products.sku || 'x'")),
	}
	must(t, db.Clauses(cheap).Create(&Product{SKU: "new", Title: "same", Price: 2}))
	oracle.Check(t, other, audit.Repository(), modelTables...)
	if events := trail(t, audit, event.Filter{Action: event.ActionChanged}); len(events) != 1 || events[0].BeforeUnknown || events[0].TargetID != "ax" {
		t.Errorf("changes: %+v", events)
	}
}
