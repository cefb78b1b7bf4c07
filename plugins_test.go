package eventaudit_test

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"gorm.io/gorm"
	"gorm.io/plugin/opentelemetry/tracing"
	"gorm.io/plugin/prometheus"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/oracle"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

// inBothOrders runs the test with the other plugins registered before
// eventaudit, and with them registered after it.
func inBothOrders(t *testing.T, test func(t *testing.T, d *testdb.Database, register func(others ...gorm.Plugin) (*gorm.DB, *eventaudit.Auditor))) {
	t.Helper()
	for _, order := range []string{"before", "after"} {
		t.Run(order, func(t *testing.T) {
			t.Parallel()
			testdb.Each(t, func(t *testing.T, d *testdb.Database) {
				test(t, d, func(others ...gorm.Plugin) (*gorm.DB, *eventaudit.Auditor) {
					db := prepare(t, d)
					audit := eventaudit.Plugin(eventaudit.WithLogger(slog.New(slog.DiscardHandler)))
					plugins := append([]gorm.Plugin{audit}, others...)
					if order == "before" {
						slices.Reverse(plugins)
					}
					for _, p := range plugins {
						if err := db.Use(p); err != nil {
							t.Fatal(err)
						}
					}
					return db, audit
				})
			})
		})
	}
}

// Plugins that trace and measure see what they would see alone, and the trail
// is what it would be without them.
func TestBesideTracingAndMetrics(t *testing.T) {
	t.Parallel()
	inBothOrders(t, func(t *testing.T, d *testdb.Database, register func(...gorm.Plugin) (*gorm.DB, *eventaudit.Auditor)) {
		recorder := tracetest.NewSpanRecorder()
		tracer := tracing.NewPlugin(tracing.WithoutMetrics(),
			tracing.WithTracerProvider(sdk.NewTracerProvider(sdk.WithSpanProcessor(recorder))))
		metrics := prometheus.New(prometheus.Config{DBName: t.Name(), RefreshInterval: 3600})
		db, audit := register(tracer, metrics)
		err := db.Transaction(func(tx *gorm.DB) error {
			return errors.Join(
				tx.Create(&[]Product{{SKU: "a", Price: 1}, {SKU: "b", Price: 1}}).Error,
				tx.Model(&Product{}).Where("price = ?", 1).Update("price", 2).Error,
				tx.Delete(&Product{SKU: "a"}).Error)
		})
		if err != nil {
			t.Fatal(err)
		}
		var spans []string
		for _, span := range recorder.Ended() {
			text := span.Name()
			for _, a := range span.Attributes() {
				if a.Key == "db.rows_affected" {
					text += fmt.Sprintf(" %d", a.Value.AsInt64())
				}
			}
			spans = append(spans, text)
		}
		if diff := cmp.Diff([]string{"gorm.Create 2", "gorm.Update 2", "gorm.Delete 1"}, spans); diff != "" {
			t.Errorf("spans: %s", diff)
		}
		pool, err := db.DB()
		if err != nil {
			t.Fatal(err)
		}
		metrics.DBStats.Set(pool.Stats())
		if n := testutil.ToFloat64(metrics.DBStats.OpenConnections); n < 1 {
			t.Errorf("%v open connections measured", n)
		}
		oracle.Check(t, db, audit.Repository(), modelTables...)
		if n := len(trail(t, audit, event.Filter{})); n != 5 {
			t.Errorf("%d events, want 5", n)
		}
	})
}

// interfering is a plugin of an app: it alters rows before they are written,
// and writes rows of its own behind them.
type interfering struct{ seen *[]string }

func (interfering) Name() string { return "interfering" }

func (p interfering) Initialize(db *gorm.DB) error {
	saw := func(what string) { *p.seen = append(*p.seen, what) }
	before := func(tx *gorm.DB) {
		if tx.Statement.Table == "products" {
			saw("before")
			tx.Statement.SetColumn("Title", "altered", true)
		}
	}
	after := func(tx *gorm.DB) {
		if tx.Statement.Table == "products" && tx.Error == nil {
			saw(fmt.Sprintf("after %d", tx.RowsAffected))
			id := fmt.Sprintf("log %d", len(*p.seen))
			if err := tx.Session(&gorm.Session{NewDB: true}).Create(&Document{ID: id}).Error; err != nil {
				_ = tx.AddError(err) //nolint:errcheck // AddError returns what it stores
			}
		}
	}
	return errors.Join(
		db.Callback().Create().Before("gorm:create").Register("app:before", before),
		db.Callback().Create().After("gorm:create").Register("app:after", after),
		db.Callback().Update().Before("gorm:update").Register("app:before", before),
		db.Callback().Update().After("gorm:update").Register("app:after", after),
		db.Callback().Delete().After("gorm:delete").Register("app:after", after))
}

// Callbacks of the app run as ever, before and behind ours, and what they
// change is in the trail.
func TestBesideCallbacksOfTheApp(t *testing.T) {
	t.Parallel()
	inBothOrders(t, func(t *testing.T, d *testdb.Database, register func(...gorm.Plugin) (*gorm.DB, *eventaudit.Auditor)) {
		var seen []string
		db, audit := register(interfering{&seen})
		must(t, db.Create(&Product{SKU: "a"}))
		must(t, db.Model(&Product{SKU: "a"}).Updates(Product{Title: "mine", Price: 4}))
		must(t, db.Delete(&Product{SKU: "a"}))
		if diff := cmp.Diff([]string{"before", "after 1", "before", "after 1", "after 1"}, seen); diff != "" {
			t.Error(diff)
		}
		oracle.Check(t, db, audit.Repository(), modelTables...)
		var got []string
		for _, e := range trail(t, audit, event.Filter{}) {
			got = append(got, e.Action+" "+e.ActionObject)
		}
		if diff := cmp.Diff([]string{
			"created Product", "created Document", "changed Product", "created Document", "deleted Product", "created Document",
		}, got); diff != "" {
			t.Error(diff)
		}
		if p := trail(t, audit, event.Filter{ActionObject: "Product", Action: event.ActionDeleted}); string(p[0].Result) !=
			`{"old":{"sku":"a","title":"altered","price":4,"state":"draft"}}` {
			t.Errorf("the row was %s", p[0].Result)
		}
	})
}
