package eventaudit_test

import (
	"context"
	"log/slog"
	"testing"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/oracle"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/migrate"
)

// modelTables are the tables of the test models.
var modelTables = []oracle.Table{
	{Object: "Customer", Name: "customers", Keys: []string{"id"}},
	{Object: "Product", Name: "products", Keys: []string{"sku"}},
	{Object: "Stock", Name: "stocks", Keys: []string{"sku", "warehouse"}},
	{Object: "Document", Name: "documents", Keys: []string{"id"}},
}

// install migrates an empty database, creates the tables of the test models
// and installs an Auditor.
func install(t testing.TB, d *testdb.Database, opts ...eventaudit.Option) (*gorm.DB, *eventaudit.Auditor) {
	t.Helper()
	return use(t, prepare(t, d), opts...)
}

// prepare migrates an empty database and creates the tables of the models.
func prepare(t testing.TB, d *testdb.Database, cfg ...*gorm.Config) *gorm.DB {
	t.Helper()
	db := d.Open(t, cfg...)
	if err := migrate.Up(db); err != nil {
		t.Fatal(err)
	}
	if err := db.AutoMigrate(&Customer{}, &Product{}, &Stock{}, &Document{}); err != nil {
		t.Fatal(err)
	}
	return db
}

// everyWay runs a test on every database, and on MariaDB as MySQL is.
func everyWay(t *testing.T, test func(t *testing.T, d *testdb.Database, db *gorm.DB, audit *eventaudit.Auditor)) {
	t.Helper()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d)
		test(t, d, db, audit)
	})
	t.Run("mariadb without returning", func(t *testing.T) {
		t.Parallel()
		d := testdb.New(t, testdb.MariaDB)
		db, audit := use(t, withoutReturning(t, d))
		test(t, d, db, audit)
	})
}

// use installs an Auditor that logs nothing, unless the options say where.
func use(t testing.TB, db *gorm.DB, opts ...eventaudit.Option) (*gorm.DB, *eventaudit.Auditor) {
	t.Helper()
	quiet := eventaudit.WithLogger(slog.New(slog.DiscardHandler))
	audit := eventaudit.Plugin(append([]eventaudit.Option{quiet}, opts...)...)
	if err := db.Use(audit); err != nil {
		t.Fatal(err)
	}
	return db, audit
}

// must fails the test when the operation failed.
func must(t testing.TB, tx *gorm.DB) {
	t.Helper()
	if tx.Error != nil {
		t.Fatal(tx.Error)
	}
}

// numbers returns the Auditor's stats.
func numbers(t testing.TB, audit *eventaudit.Auditor) eventaudit.Stats {
	t.Helper()
	s, err := audit.Stats(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// trail returns the events that match, oldest first.
func trail(t testing.TB, audit *eventaudit.Auditor, f event.Filter) []event.Event {
	t.Helper()
	events, err := audit.Events(context.Background(), f)
	if err != nil {
		t.Fatal(err)
	}
	return events
}
