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
	"github.com/eventaudit/eventaudit/repository"
	"github.com/eventaudit/eventaudit/repository/memrepo"
	"github.com/eventaudit/eventaudit/repository/redisrepo"
	"github.com/eventaudit/eventaudit/repository/sqlrepo"
)

// A Redis URL is all that it takes to have the trail there.
func TestTheTrailInRedis(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		server := testredis.Start(t)
		db, audit := install(t, d, func(c *eventaudit.Config) { c.Redis.URL = server.URL() })
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
		elsewhere, err := redisrepo.New(server.Client, &redisrepo.Options{Logger: slog.New(slog.DiscardHandler)})
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

// While Redis cannot take events they wait in the outbox, where no failure is
// held against them, and the app goes on.
func TestFaultsOfRedis(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		server := testredis.Start(t, "--appendonly", "yes", "--appendfsync", "always")
		db, audit := install(t, d, func(c *eventaudit.Config) { c.Redis.URL, c.Relay.Enabled = server.URL(), false })
		box := relay(t, db, audit)
		for n, fault := range []struct{ name, breaks, mends string }{
			{"full memory", "CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0"},
			{"a replica", "REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE"},
			{"too few replicas", "CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0"},
			{"a crash", "", ""},
		} {
			if fault.breaks == "" {
				server.Kill(t)
			} else {
				server.Do(t, words(fault.breaks)...)
			}
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
				t.Errorf("%s: %+v, %v, want one event pending, none rejected", fault.name, s, err)
			}
			var attempts int64
			must(t, db.Table(outbox.Table).Select("sum(attempts)").Scan(&attempts))
			if attempts != 0 {
				t.Errorf("%s: %d attempts are held against the event", fault.name, attempts)
			}
			if fault.mends == "" {
				server.Restart(t)
			} else {
				server.Do(t, words(fault.mends)...)
			}
			if err := box.Flush(t.Context()); err != nil {
				t.Fatalf("%s: %v", fault.name, err)
			}
			if got := trail(t, audit, event.Filter{ActionObjectID: sku}); len(got) != 1 {
				t.Errorf("%s: %d events have arrived, want 1", fault.name, len(got))
			}
		}
		if err := audit.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A trail moves from the app's database to Redis and back without a change,
// also the part of it that an ancestor wrote.
func TestCopyToRedisAndBack(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d)
		products := make([]Product, 700)
		for i := range products {
			products[i].SKU = fmt.Sprint("product-", i)
		}
		must(t, db.Create(&products))
		own := audit.Repository()
		ancestor := event.Event{ID: "ancestor", Category: "model", Action: "created", Timestamp: time.Unix(1, 0), Outcome: event.OutcomeSuccess}
		if err := own.Write(t.Context(), ancestor); err != nil {
			t.Fatal(err)
		}
		there, err := redisrepo.New(testredis.Start(t).Client, &redisrepo.Options{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		back := memrepo.New(nil)
		for _, step := range []struct{ to, from repository.Repository }{{there, own}, {back, there}} {
			if done, err := repository.Copy(t.Context(), step.to, step.from, event.Filter{}); err != nil || done.Events != 701 {
				t.Fatalf("Copy = %+v, %v, want 701 events", done, err)
			}
		}
		want := trail(t, audit, event.Filter{})
		var got []event.Event
		for e, err := range back.Find(t.Context(), event.Filter{}) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, e)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if got[0].ID != "ancestor" || got[0].SchemaVersion != 0 {
			t.Errorf("the ancestor's event is %+v", got[0])
		}
	})
}

// relay runs the relay of an app that leaves it to another process.
func relay(t *testing.T, db *gorm.DB, audit *eventaudit.Auditor) *outbox.Outbox {
	t.Helper()
	box, err := outbox.New(db, audit.Repository(), &outbox.Options{
		BatchTimeout: time.Millisecond, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	box.Start()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := box.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return box
}

// words are the words of a command.
func words(command string) []any {
	var words []any
	for _, word := range strings.Fields(command) {
		words = append(words, word)
	}
	return words
}
