package eventaudit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/hooks"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

// onBypass sets the policy.
func onBypass(p eventaudit.BypassPolicy) eventaudit.Option {
	return func(c *eventaudit.Config) { c.OnBypass = p }
}

// policies are all of them.
var policies = []eventaudit.BypassPolicy{
	eventaudit.IgnoreBypass, eventaudit.WarnOnBypass, eventaudit.RecordBypass, eventaudit.RefuseBypass,
}

// rawWays are the ways that raw SQL takes through GORM. Each deletes the
// products whose price is 1 and returns the keys that it was told.
var rawWays = map[string]func(db *gorm.DB) ([]string, error){
	"Exec": func(db *gorm.DB) ([]string, error) {
		tx := db.Exec("DELETE FROM products WHERE price = ?", 1)
		return nil, tx.Error
	},
	"Scan": func(db *gorm.DB) (skus []string, err error) {
		err = db.Raw("DELETE FROM products WHERE price = ? RETURNING sku", 1).Scan(&skus).Error
		return skus, err
	},
	"Find": func(db *gorm.DB) (skus []string, err error) {
		var products []Product
		err = db.Raw("DELETE FROM products WHERE price = ? RETURNING *", 1).Find(&products).Error
		for _, p := range products {
			skus = append(skus, p.SKU)
		}
		return skus, err
	},
	"First": func(db *gorm.DB) ([]string, error) {
		var p Product
		err := db.Raw("DELETE FROM products WHERE price = ? RETURNING *", 1).First(&p).Error
		return []string{p.SKU}, err
	},
	"Rows": func(db *gorm.DB) (skus []string, err error) {
		rows, err := db.Raw("DELETE FROM products WHERE price = ? RETURNING sku", 1).Rows()
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		for rows.Next() {
			var sku string
			if err := rows.Scan(&sku); err != nil {
				return nil, err
			}
			skus = append(skus, sku)
		}
		return skus, rows.Err()
	},
	"Row": func(db *gorm.DB) ([]string, error) {
		var sku string
		err := db.Raw("DELETE FROM products WHERE price = ? RETURNING sku", 1).Row().Scan(&sku)
		return []string{sku}, err
	},
}

// bypasses returns the events about raw SQL, each as object and payload.
func bypasses(t testing.TB, audit *eventaudit.Auditor) []string {
	t.Helper()
	var found []string
	for _, e := range trail(t, audit, event.Filter{Action: event.ActionBypassed}) {
		var payload map[string]any
		if err := json.Unmarshal(e.Payload, &payload); err != nil {
			t.Fatal(err)
		}
		if e.Category != event.CategoryModel || e.TransactionID == "" || e.ActionObjectID != "" || e.Result != nil {
			t.Errorf("event: %+v", e)
		}
		found = append(found, fmt.Sprint(e.ActionObject, " ", payload))
	}
	return found
}

// left counts the rows of the products.
func left(t testing.TB, db *gorm.DB) int64 {
	t.Helper()
	var n int64
	must(t, db.Model(&Product{}).Count(&n))
	return n
}

func TestOnBypass(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		prepare(t, d)
		for _, policy := range policies {
			for _, prepared := range []bool{false, true} {
				var log bytes.Buffer
				db, audit := use(t, d.Open(t, &gorm.Config{PrepareStmt: prepared}), onBypass(policy),
					eventaudit.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
				for name, run := range rawWays {
					t.Run(fmt.Sprintf("%s/%s/prepared=%v", policy, name, prepared), func(t *testing.T) {
						ctx := event.WithActor(t.Context(), t.Name())
						db := db.WithContext(ctx)
						must(t, db.Exec("DELETE FROM event_audit_event"))
						must(t, db.Where("1 = 1").Delete(&Product{}))
						must(t, db.Create(&[]Product{{SKU: "a", Price: 1}, {SKU: "b", Price: 1}, {SKU: "c", Price: 2}}))
						log.Reset()

						skus, err := run(db)
						again, errAgain := run(db)

						refused := policy == eventaudit.RefuseBypass
						if errors.Is(err, hooks.ErrRefused) != refused || errors.Is(errAgain, hooks.ErrRefused) != refused {
							t.Fatalf("err = %v, then %v", err, errAgain)
						}
						if refused {
							if n := left(t, db); n != 3 {
								t.Errorf("%d rows are left, want all 3", n)
							}
							if !strings.Contains(err.Error(), "DELETE of audited table products") {
								t.Errorf("err = %v", err)
							}
							return
						}
						if err != nil || left(t, db) != 1 {
							t.Fatalf("err = %v, %d rows are left, want 1", err, left(t, db))
						}
						if slices.Sort(skus); name != "Exec" && (skus[0] != "a" || len(skus) == 2 && skus[1] != "b") || len(again) == 2 {
							t.Errorf("returned %q, then %q", skus, again)
						}
						var want []string
						if policy == eventaudit.RecordBypass { // once: the second run finds no row
							want = []string{"Product map[rows_affected:2 tables:[products] verb:DELETE]"}
						}
						if diff := cmp.Diff(want, bypasses(t, audit)); diff != "" {
							t.Error(diff)
						}
						for _, e := range trail(t, audit, event.Filter{Action: event.ActionBypassed}) {
							if e.Actor != t.Name() {
								t.Errorf("actor %q", e.Actor)
							}
						}
						warnings := 0
						if policy == eventaudit.WarnOnBypass {
							warnings = 1
						}
						warned := strings.Count(log.String(), "verb=DELETE tables=products source=")
						if warned != warnings || strings.Contains(log.String(), "DELETE FROM") {
							t.Errorf("%d warnings, want %d:\n%s", warned, warnings, &log)
						}
						if warned > 0 && !strings.Contains(log.String(), "bypass_test.go:") {
							t.Errorf("the warning does not say where:\n%s", &log)
						}
					})
				}
			}
		}
	})
}

// What is recorded belongs to the transaction of the statement, and what is
// refused leaves the transaction usable.
func TestBypassInTransactions(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d, onBypass(eventaudit.RecordBypass))
		must(t, db.Create(&[]Product{{SKU: "a", Price: 1}, {SKU: "b", Price: 1}}))
		undo := errors.New("undo")
		for name, run := range rawWays {
			err := db.Transaction(func(tx *gorm.DB) error {
				if _, err := run(tx); err != nil || left(t, tx) != 0 {
					t.Errorf("%s: err = %v, %d rows are left, want none", name, err, left(t, tx))
				}
				return undo
			})
			if !errors.Is(err, undo) || left(t, db) != 2 || bypasses(t, audit) != nil {
				t.Errorf("%s: err = %v; %d rows and %v are left of what was rolled back", name, err, left(t, db), bypasses(t, audit))
			}
		}
		err := db.Transaction(func(tx *gorm.DB) error {
			must(t, tx.Model(&Product{SKU: "a"}).Update("price", 3))
			return tx.Exec("UPDATE products SET price = 4").Error
		})
		if err != nil {
			t.Fatal(err)
		}
		events := trail(t, audit, event.Filter{})
		if n := len(events); events[n-1].TransactionID != events[n-2].TransactionID || events[n-1].Action != event.ActionBypassed {
			t.Errorf("events: %+v", events)
		}
	})
}

func TestRefusedInTransactions(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, _ := install(t, d, onBypass(eventaudit.RefuseBypass))
		must(t, db.Create(&Product{SKU: "a", Price: 1}))
		for name, run := range rawWays {
			err := db.Transaction(func(tx *gorm.DB) error {
				if _, err := run(tx); !errors.Is(err, hooks.ErrRefused) {
					t.Errorf("%s: err = %v, want ErrRefused", name, err)
				}
				return tx.Create(&Document{ID: name}).Error
			})
			if err != nil || left(t, db) != 1 {
				t.Errorf("%s: err = %v, %d rows", name, err, left(t, db))
			}
		}
		if n := count(t, db, "documents"); n != int64(len(rawWays)) {
			t.Errorf("%d documents, want one for each way", n)
		}
	})
}

// The event of a bypass is as binding as any other.
func TestBypassFailsClosed(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d, onBypass(eventaudit.RecordBypass))
		must(t, db.Create(&[]Product{{SKU: "a", Price: 1}, {SKU: "b", Price: 2}}))
		show := hide(t, db)
		for name, run := range rawWays {
			if _, err := run(db); !errors.Is(err, hooks.ErrCapture) {
				t.Errorf("%s: err = %v, want ErrCapture", name, err)
			}
			err := db.Transaction(func(tx *gorm.DB) error {
				if _, err := run(tx); !errors.Is(err, hooks.ErrCapture) {
					t.Errorf("%s in a transaction: err = %v, want ErrCapture", name, err)
				}
				return nil // an app that does not care
			})
			if err == nil {
				t.Errorf("%s: the transaction committed", name)
			}
		}
		show()
		if n := left(t, db); n != 2 || bypasses(t, audit) != nil {
			t.Errorf("%d rows are left, want 2; events %v", n, bypasses(t, audit))
		}
	})
}

func TestBypassIsKeptOnError(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		var lost []error
		db, _ := install(t, d, onBypass(eventaudit.RecordBypass),
			eventaudit.WithOnError(func(err error) { lost = append(lost, err) }),
			func(c *eventaudit.Config) { c.OnAuditError = eventaudit.ContinueOnError })
		must(t, db.Create(&[]Product{{SKU: "a", Price: 1}, {SKU: "b", Price: 2}}))
		show := hide(t, db)
		defer show()
		err := db.Transaction(func(tx *gorm.DB) error {
			_, err := rawWays["Scan"](tx)
			return err
		})
		if err != nil || left(t, db) != 1 || len(lost) != 1 {
			t.Errorf("err = %v, %d rows are left, want 1; lost: %v", err, left(t, db), lost)
		}
	})
}

// Which statements count as a bypass, and as one of what.
func TestBypassOfWhat(t *testing.T) {
	t.Parallel()
	sqlite := []testdb.Kind{testdb.SQLiteCgo, testdb.SQLitePure}
	postgres, mariadb := []testdb.Kind{testdb.Postgres}, []testdb.Kind{testdb.MariaDB}
	for _, c := range []struct {
		kinds []testdb.Kind // nil is every kind
		sql   string
		want  []string
	}{
		{nil, "INSERT INTO products (sku, price) VALUES ('x', 1), ('y', 1)", []string{"Product map[rows_affected:2 tables:[products] verb:INSERT]"}},
		{nil, "UPDATE products SET price = price + 1", []string{"Product map[rows_affected:2 tables:[products] verb:UPDATE]"}},
		{nil, "DELETE FROM products WHERE price = 77", nil},
		// No model of it was seen.
		{nil, "DELETE FROM stocks", []string{"stocks map[rows_affected:1 tables:[stocks] verb:DELETE]"}},
		// This one is not audited.
		{nil, "DELETE FROM documents", nil},
		{nil, "SELECT * FROM products", nil},
		{sqlite, "INSERT OR REPLACE INTO products (sku) VALUES ('a')", []string{"Product map[rows_affected:1 tables:[products] verb:INSERT]"}},
		{sqlite, "DELETE FROM PRODUCTS", []string{"Product map[rows_affected:2 tables:[PRODUCTS] verb:DELETE]"}},
		{append(sqlite, postgres...), "UPDATE products SET price = 5; DELETE FROM stocks", []string{
			"Product map[tables:[products] verb:UPDATE]", "stocks map[tables:[stocks] verb:DELETE]",
		}},
		{append(sqlite, postgres...), "DELETE FROM products; DELETE FROM products", []string{"Product map[tables:[products] verb:DELETE]"}},
		{append(sqlite, postgres...), "BEGIN; UPDATE products SET price = 5; COMMIT", []string{"Product map[tables:[products] verb:UPDATE]"}},
		{postgres, "TRUNCATE products, documents, stocks", []string{
			"Product map[tables:[products stocks] verb:TRUNCATE]", "stocks map[tables:[products stocks] verb:TRUNCATE]",
		}},
		{postgres, "WITH gone AS (DELETE FROM products RETURNING sku) INSERT INTO documents (id) SELECT sku || '!' FROM gone", []string{"Product map[tables:[products] verb:DELETE]"}},
		{postgres, "EXPLAIN ANALYZE DELETE FROM products", []string{"Product map[tables:[products] verb:DELETE]"}},
		{postgres, "EXPLAIN DELETE FROM products", nil},
		{mariadb, "TRUNCATE products", []string{"Product map[tables:[products] verb:TRUNCATE]"}},
		{mariadb, "UPDATE documents d JOIN products p ON 1 = 1 SET d.body = p.sku", nil},
		{mariadb, "DELETE p FROM documents d JOIN products AS p ON 1 = 1", []string{"Product map[rows_affected:2 tables:[products] verb:DELETE]"}},
	} {
		t.Run(c.sql, func(t *testing.T) {
			t.Parallel()
			testdb.Each(t, func(t *testing.T, d *testdb.Database) {
				if c.kinds != nil && !slices.Contains(c.kinds, d.Kind()) {
					return
				}
				plain := prepare(t, d)
				must(t, plain.Create(&Product{SKU: "a", Price: 1}))
				must(t, plain.Create(&Stock{SKU: "a"}))
				must(t, plain.Create(&Document{ID: "a"}))
				db, audit := use(t, d.Open(t), onBypass(eventaudit.RecordBypass), func(c *eventaudit.Config) { c.Ignore.Models = []string{"documents"} })
				must(t, db.Create(&Product{SKU: "b", Price: 2}))
				must(t, db.Exec(c.sql))
				if diff := cmp.Diff(c.want, bypasses(t, audit)); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// A table is audited if its model is, by whichever name the rules know it.
func TestBypassFollowsTheRules(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		edit    eventaudit.Option
		refused bool
	}{
		"all":                   {func(*eventaudit.Config) {}, true},
		"ignored type":          {func(c *eventaudit.Config) { c.Ignore.Models = []string{"Product"} }, false},
		"ignored table":         {func(c *eventaudit.Config) { c.Ignore.Models = []string{"products"} }, false},
		"tracked type":          {func(c *eventaudit.Config) { c.Track.Models = []string{"Product"} }, true},
		"tracked table":         {func(c *eventaudit.Config) { c.Track.Models = []string{"products"} }, true},
		"not among the tracked": {func(c *eventaudit.Config) { c.Track.Models = []string{"Stock"} }, false},
		"no models":             {func(c *eventaudit.Config) { c.TrackModels = false }, false},
		"no model events":       {func(c *eventaudit.Config) { c.Ignore.Categories = []string{"model"} }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, _ := install(t, testdb.New(t, testdb.SQLitePure), onBypass(eventaudit.RefuseBypass), c.edit)
			must(t, db.Create(&Product{SKU: "a"}))
			must(t, db.Exec("CREATE TABLE other (id INTEGER)")) // forgets the catalog, not the models
			if err := db.Exec("DELETE FROM products").Error; errors.Is(err, hooks.ErrRefused) != c.refused {
				t.Errorf("err = %v, want refused: %v", err, c.refused)
			}
		})
	}
}

// Ware is another model of the products.
type Ware struct {
	SKU string `gorm:"primaryKey;size:64"`
}

// TableName names the table of Product.
func (Ware) TableName() string { return "products" }

// Crate has a table with a name in capitals.
type Crate struct{ ID uint }

// TableName names the table.
func (Crate) TableName() string { return "Crates" }

// A table is audited if one of its models is.
func TestBypassOfTablesWithSeveralModels(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, _ := install(t, d, onBypass(eventaudit.RefuseBypass), func(c *eventaudit.Config) { c.Ignore.Models = []string{"Ware", "Crate"} })
		must(t, db.Create(&Ware{SKU: "a"}))
		must(t, db.Exec("UPDATE products SET price = 2"))
		must(t, db.Create(&Product{SKU: "b"}))
		must(t, db.Exec("CREATE TABLE other (id INTEGER)")) // the models are looked at anew
		must(t, db.Create(&Ware{SKU: "c"}))
		if err := db.Exec("DELETE FROM products").Error; !errors.Is(err, hooks.ErrRefused) {
			t.Errorf("err = %v, want ErrRefused", err)
		}
		if err := db.AutoMigrate(&Crate{}); err != nil {
			t.Fatal(err)
		}
		must(t, db.Create(&Crate{}))
		must(t, db.Exec("DELETE FROM "+quoted(db, "Crates")))
	})
}

func quoted(db *gorm.DB, name string) string {
	var text strings.Builder
	db.QuoteTo(&text, name)
	return text.String()
}

// A number of rows is only given where it is one of changed rows.
func TestBypassCountsNoOtherRows(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d, onBypass(eventaudit.RecordBypass))
		must(t, db.Create(&[]Product{{SKU: "a"}, {SKU: "b"}}))
		var none []string
		tx := db.Raw("UPDATE products SET price = 5").Scan(&none)
		must(t, tx)
		if tx.Statement.ConnPool != db.Statement.ConnPool {
			t.Errorf("the statement is left with a %T", tx.Statement.ConnPool)
		}
		want := []string{"Product map[tables:[products] verb:UPDATE]"}
		if d.Kind() == testdb.Postgres {
			var gone int
			must(t, db.Raw("WITH gone AS (DELETE FROM products RETURNING sku) SELECT count(*) FROM gone").Scan(&gone))
			if gone != 2 {
				t.Errorf("%d rows are gone, want 2", gone)
			}
			want = append(want, "Product map[tables:[products] verb:DELETE]")
		}
		if diff := cmp.Diff(want, bypasses(t, audit)); diff != "" {
			t.Error(diff)
		}
	})
}

// Where nothing is to be recorded, nothing is said or refused.
func TestBypassIsSilent(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		for _, policy := range policies {
			var log bytes.Buffer
			db, audit := use(t, prepare(t, d), onBypass(policy), eventaudit.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
			log.Reset()
			off := db.WithContext(event.WithoutAudit(context.Background()))
			must(t, off.Exec("UPDATE products SET price = 1"))
			must(t, off.Exec("UPDATE event_audit_event SET actor = 'x'"))
			must(t, db.Exec("UPDATE event_audit_event SET actor = actor"))
			must(t, db.Session(&gorm.Session{DryRun: true}).Exec("UPDATE products SET price = 1"))
			if sql := db.ToSQL(func(tx *gorm.DB) *gorm.DB { return tx.Exec("UPDATE products SET price = 1") }); sql == "" {
				t.Error("ToSQL is empty")
			}
			must(t, db.Exec("SELECT 1"))
			if log.Len() > 0 || bypasses(t, audit) != nil {
				t.Errorf("%s: %v\n%s", policy, bypasses(t, audit), &log)
			}
		}
	})
}

// GORM's migrator writes raw SQL of its own: on SQLite it even copies whole
// tables. No row changes by it.
func TestBypassLetsMigrationsPass(t *testing.T) {
	t.Parallel()
	type before struct {
		ID   uint
		Name string `gorm:"size:10"`
		Age  string `gorm:"size:10"`
	}
	type after struct {
		ID   uint
		Name string `gorm:"size:20;not null;index"`
		Age  string `gorm:"type:varchar(30);default:'1'"`
		More int    `gorm:"default:7"`
	}
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		prepare(t, d)
		for _, policy := range policies {
			table := "things_" + string(policy)
			var log bytes.Buffer
			db, audit := use(t, d.Open(t), onBypass(policy), eventaudit.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
			log.Reset()
			rebuilt := false
			err := db.Callback().Raw().Before("gorm:raw").Register("test:rebuilt", func(db *gorm.DB) {
				rebuilt = rebuilt || strings.Contains(db.Statement.SQL.String(), "INSERT INTO `"+table+"__temp`")
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, err := range []error{
				db.Table(table).AutoMigrate(&before{}),
				db.Table(table).Create(&before{Name: "Ann"}).Error,
				db.Table(table).AutoMigrate(&after{}),
				db.Table(table).Migrator().DropColumn(&after{}, "more"),
			} {
				if err != nil {
					t.Fatalf("%s: %v", policy, err)
				}
			}
			if strings.HasPrefix(string(d.Kind()), "sqlite") && !rebuilt {
				t.Error("SQLite's table was not rebuilt")
			}
			if n := count(t, db, table); n != 1 || log.Len() > 0 || bypasses(t, audit) != nil {
				t.Errorf("%s: %d rows, events %v\n%s", policy, n, bypasses(t, audit), &log)
			}
		}
	})
}

// Code of the database is nobody's to look into: it runs, and a warning says
// so once.
func TestOpaqueStatements(t *testing.T) {
	t.Parallel()
	for _, policy := range policies {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			db, audit := install(t, testdb.New(t, testdb.Postgres), onBypass(policy),
				eventaudit.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
			must(t, db.Create(&Product{SKU: "a"}))
			for range 2 {
				must(t, db.Exec("DO $$ BEGIN DELETE FROM products; END $$"))
			}
			want := 1
			if policy == eventaudit.IgnoreBypass {
				want = 0
			}
			if n := strings.Count(log.String(), "verb=DO"); n != want || left(t, db) != 0 || bypasses(t, audit) != nil {
				t.Errorf("%d warnings, want %d; %d rows, events %v\n%s", n, want, left(t, db), bypasses(t, audit), &log)
			}
		})
	}
}

// Where no model is audited there is nothing to warn of.
func TestOpaqueStatementsWithoutModels(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	db, _ := install(t, testdb.New(t, testdb.Postgres), func(c *eventaudit.Config) { c.TrackModels = false },
		eventaudit.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	must(t, db.Exec("DO $$ BEGIN DELETE FROM products; END $$"))
	if strings.Contains(log.String(), "verb=DO") {
		t.Errorf("log: %s", &log)
	}
}

// Whatever way a change of the schema takes, the next image has the new column.
func TestSchemaChangesAreSeen(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		for _, policy := range policies {
			db, audit := use(t, prepare(t, d), onBypass(policy))
			must(t, db.Exec("DELETE FROM event_audit_event"))
			must(t, db.Create(&Product{SKU: "a"}))
			column := "added_" + string(policy)
			var none []string
			must(t, db.Raw("/* grow */ ALTER TABLE products ADD COLUMN "+column+" INTEGER DEFAULT 5").Scan(&none))
			must(t, db.Delete(&Product{SKU: "a"}))
			events := trail(t, audit, event.Filter{})
			if last := events[len(events)-1]; !strings.Contains(string(last.Result), `"`+column+`":5`) {
				t.Errorf("%s: %s", policy, last.Result)
			}
		}
	})
}

// A query that GORM builds pays nothing for the watch.
func TestBuiltQueriesPayNothing(t *testing.T) {
	allocations := func(policy eventaudit.BypassPolicy) float64 {
		db := prepare(t, testdb.New(t, testdb.SQLitePure))
		if policy != "" {
			db, _ = use(t, db, onBypass(policy))
		}
		return testing.AllocsPerRun(200, func() {
			var products []Product
			if err := db.Where("sku = ?", "none").Find(&products).Error; err != nil {
				t.Fatal(err)
			}
		})
	}
	plain := allocations("")
	for _, policy := range policies {
		if watched := allocations(policy); watched > plain {
			t.Errorf("%s: a query costs %v allocations, plain GORM %v", policy, watched, plain)
		}
	}
}
