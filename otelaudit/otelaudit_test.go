package otelaudit_test

import (
	"errors"
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/migrate"
	"github.com/eventaudit/eventaudit/otelaudit"
	"github.com/eventaudit/eventaudit/outbox"
	"github.com/eventaudit/eventaudit/repository/memrepo"
)

// numbers collects the metrics. Of those that depend on the clock it says
// whether they are there at all.
func numbers(t *testing.T, reader sdk.Reader) (map[string]int64, error) {
	t.Helper()
	var collected metricdata.ResourceMetrics
	err := reader.Collect(t.Context(), &collected)
	found := map[string]int64{}
	for _, scope := range collected.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Gauge[int64]:
				found[m.Name] = data.DataPoints[0].Value
			case metricdata.Sum[int64]:
				found[m.Name] = data.DataPoints[0].Value
				if !data.IsMonotonic {
					t.Errorf("%s is no counter", m.Name)
				}
			case metricdata.Gauge[float64]:
				found[m.Name] = 0
				if data.DataPoints[0].Value > 0 {
					found[m.Name] = 1
				}
			}
		}
	}
	return found, err
}

func TestTheNumbersOfAnAuditor(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db := d.Open(t)
		if err := migrate.Up(db); err != nil {
			t.Fatal(err)
		}
		audit := eventaudit.Plugin(eventaudit.WithRepository(memrepo.New(nil)), func(c *eventaudit.Config) {
			c.Relay.Enabled = false
			c.Logger = slog.New(slog.DiscardHandler)
		})
		reader := sdk.NewManualReader()
		registration, err := otelaudit.Register(sdk.NewMeterProvider(sdk.WithReader(reader)).Meter("test"), audit)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := numbers(t, reader); !errors.Is(err, eventaudit.ErrNotInstalled) {
			t.Errorf("before db.Use: %v, want ErrNotInstalled", err)
		}
		if err := db.Use(audit); err != nil {
			t.Fatal(err)
		}
		if err := audit.Record(t.Context(), event.New("custom", "one"), event.New("custom", "two")); err != nil {
			t.Fatal(err)
		}
		if err := db.Exec("UPDATE " + outbox.Table + " SET created_at = created_at - 1000000").Error; err != nil {
			t.Fatal(err)
		}
		want := map[string]int64{
			"eventaudit.outbox.pending": 2, "eventaudit.outbox.oldest": 1, "eventaudit.outbox.dead": 0,
			"eventaudit.outbox.delivered": 0, "eventaudit.outbox.retried": 0, "eventaudit.outbox.rejected": 0,
			"eventaudit.outbox.failures": 0, "eventaudit.outbox.lag": 0, "eventaudit.lost": 0,
		}
		got, err := numbers(t, reader)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}

		if err := db.Migrator().DropTable(outbox.Table); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"pending", "oldest", "dead"} {
			delete(want, "eventaudit.outbox."+name)
		}
		got, err = numbers(t, reader)
		if diff := cmp.Diff(want, got); diff != "" || err == nil {
			t.Errorf("without a table: %v (-want +got):\n%s", err, diff)
		}
		if err := registration.Unregister(); err != nil {
			t.Fatal(err)
		}
		if got, err := numbers(t, reader); len(got) != 0 || err != nil {
			t.Errorf("after Unregister: %v, %v", got, err)
		}
	})
}
