package eventaudit_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/oracle"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/internal/testredis"
	"github.com/eventaudit/eventaudit/outbox"
	"github.com/eventaudit/eventaudit/repository/cloudwatchrepo"
	"github.com/eventaudit/eventaudit/repository/cloudwatchrepo/cloudwatchtest"
	"github.com/eventaudit/eventaudit/repository/sqlrepo"
)

// cloudWatch starts a server, and returns what sends the trail there.
func cloudWatch(t *testing.T) (*cloudwatchtest.Server, eventaudit.Option) {
	t.Helper()
	server, err := cloudwatchtest.Start(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server, func(c *eventaudit.Config) {
		c.ActiveRepo = "cloudwatch"
		c.CloudWatch.AccessKey, c.CloudWatch.SecretKey = cloudwatchtest.AccessKey, cloudwatchtest.SecretKey
		c.CloudWatch.Region, c.CloudWatch.Endpoint = "eu-north-1", server.URL
	}
}

// A few settings are all that it takes to have the trail there.
func TestTheTrailInCloudWatch(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		server, there := cloudWatch(t)
		db, audit := install(t, d, there)
		ctx := event.WithActor(context.Background(), "ann")
		must(t, db.WithContext(ctx).Create(&[]Product{{SKU: "a"}, {SKU: "b"}}))
		err := db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
			return errors.Join(tx.Delete(&Product{SKU: "a"}).Error, errUndo)
		})
		if !errors.Is(err, errUndo) {
			t.Fatal(err)
		}
		must(t, db.WithContext(ctx).Model(&Product{SKU: "b"}).Update("price", 3))
		if err := audit.Record(ctx, event.New("custom", "alone")); err != nil {
			t.Fatal(err)
		}
		if err := audit.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range trail(t, audit, event.Filter{Actor: "ann"}) {
			got = append(got, e.Action+" "+e.ActionObjectID)
		}
		if diff := cmp.Diff([]string{"created a", "created b", "changed b", "alone "}, got); diff != "" {
			t.Error(diff)
		}
		elsewhere, err := cloudwatchrepo.New(server.Client(), nil)
		if err != nil {
			t.Fatal(err)
		}
		oracle.Check(t, db, elsewhere, modelTables...)
		for _, table := range []string{outbox.Table, outbox.DeadLetterTable, sqlrepo.Table} {
			if n := count(t, db, table); n != 0 {
				t.Errorf("%d rows are left in %s", n, table)
			}
		}
		if err := audit.Close(ctx); err != nil {
			t.Error(err)
		}
	})
}

// While CloudWatch takes no events they wait in the outbox, where no failure
// is held against them.
func TestFaultsOfCloudWatch(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		server, there := cloudWatch(t)
		db, audit := install(t, d, there, func(c *eventaudit.Config) { c.Relay.Enabled = false })
		box := relay(t, db, audit)
		for n, kind := range []cloudwatchtest.Kind{cloudwatchtest.DenyAccess, cloudwatchtest.ExpireCredentials, cloudwatchtest.BreakSignature} {
			server.Inject(cloudwatchtest.Fault{Kind: kind})
			sku := fmt.Sprint("product-", n)
			must(t, db.Create(&Product{SKU: sku}))
			testredis.Eventually(t, "the relay has tried in vain", func(ctx context.Context) error {
				s, err := box.Stats(ctx)
				if err == nil && s.Failures == 0 {
					err = errors.New("not yet")
				}
				return err
			})
			s, err := box.Stats(t.Context())
			if err != nil || s.Pending != 1 || s.Dead != 0 || s.Rejected != 0 {
				t.Errorf("fault %d: %+v, %v, want one event pending, none rejected", kind, s, err)
			}
			var attempts int64
			must(t, db.Table(outbox.Table).Select("sum(attempts)").Scan(&attempts))
			if attempts != 0 {
				t.Errorf("fault %d: %d attempts are held against the event", kind, attempts)
			}
			server.Heal()
			if err := box.Flush(t.Context()); err != nil {
				t.Fatalf("fault %d: %v", kind, err)
			}
			if got := trail(t, audit, event.Filter{ActionObjectID: sku}); len(got) != 1 {
				t.Errorf("fault %d: %d events have arrived, want 1", kind, len(got))
			}
		}
	})
}

// What CloudWatch refuses among events that it takes becomes a dead letter with
// the reason; what it has stored is done.
func TestRefusedByCloudWatch(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		server, there := cloudWatch(t)
		db, audit := install(t, d, there, func(c *eventaudit.Config) { c.Relay.Enabled = false })
		events := make([]event.Event, 5)
		for i := range events {
			events[i] = event.New("custom", "tested")
		}
		events[2].Error = strings.Repeat("x", 1<<20)
		if err := audit.Record(t.Context(), events...); err != nil {
			t.Fatal(err)
		}
		box, err := outbox.New(db, audit.Repository(), &outbox.Options{
			BatchTimeout: time.Millisecond, MaxAttempts: 1, Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		box.Start()
		if err := box.Flush(t.Context()); err != nil {
			t.Error(err)
		}
		if err := box.Close(t.Context()); err != nil {
			t.Error(err)
		}
		var refused []string
		for letter, err := range box.Dead(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			refused = append(refused, letter.Event.ID)
			if !strings.Contains(letter.Reason, "larger than CloudWatch takes") {
				t.Errorf("the reason is %q", letter.Reason)
			}
		}
		if diff := cmp.Diff([]string{events[2].ID}, refused); diff != "" {
			t.Error(diff)
		}
		if n := len(server.Messages(cloudwatchrepo.DefaultGroup)); n != 4 {
			t.Errorf("%d events are stored, want the 4 others, once", n)
		}
	})
}
