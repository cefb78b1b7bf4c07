package eventaudit_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/internal/testredis"
	"github.com/eventaudit/eventaudit/outbox"
)

// An app under load does not notice that Redis goes and comes back, and every
// event arrives once it is there.
func TestRedisAwayUnderLoad(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		server := testredis.Start(t, "--appendonly", "yes", "--appendfsync", "always")
		db, audit := install(t, d, inRedis(server.URL()), func(c *eventaudit.Config) { c.Batch.Timeout = time.Millisecond })
		const writers, writes = 4, 60
		var group sync.WaitGroup
		half := make(chan struct{}, writers)
		for w := range writers {
			group.Go(func() {
				for n := range writes {
					if err := db.Create(&Product{SKU: fmt.Sprintf("%d-%d", w, n)}).Error; err != nil {
						t.Errorf("a write failed: %v", err)
					}
					if n == writes/2 {
						half <- struct{}{}
					}
				}
			})
		}
		<-half
		server.Kill(t)
		must(t, db.Create(&Product{SKU: "while Redis is away"}))
		group.Wait()
		const all = writers*writes + 1
		if n := count(t, db, "products"); n != all {
			t.Errorf("%d products, want %d", n, all)
		}
		if s := numbers(t, audit); s.Pending == 0 {
			t.Errorf("stats = %+v; want events that wait", s)
		}
		server.Restart(t)
		flushWithin(t, audit)
		if n := len(trail(t, audit, event.Filter{ActionObject: "Product", Action: event.ActionCreated})); n != all {
			t.Errorf("%d events, want %d", n, all)
		}
		for _, table := range []string{outbox.Table, outbox.DeadLetterTable} {
			if n := count(t, db, table); n != 0 {
				t.Errorf("%d rows are left in %s", n, table)
			}
		}
		if s := numbers(t, audit); s.Rejected != 0 || s.Delivered < all {
			t.Errorf("stats = %+v, want all delivered and none rejected", s)
		}
		if err := audit.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func flushWithin(t testing.TB, audit *eventaudit.Auditor) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := audit.Flush(ctx); err != nil {
		t.Fatal(err)
	}
}

// BenchmarkRedisAway compares the business writes of an app while Redis is
// there and while it is not, in turns, and then lets a backlog drain.
func BenchmarkRedisAway(b *testing.B) {
	for _, fsync := range []string{"off", "everysec", "always"} {
		b.Run(fsync, func(b *testing.B) {
			setup := []string{"--appendonly", "yes", "--appendfsync", fsync}
			if fsync == "off" {
				setup = nil
			}
			server := testredis.Start(b, setup...)
			db, audit := install(b, testdb.New(b, testdb.Postgres), inRedis(server.URL()))
			pool, err := db.DB()
			if err != nil {
				b.Fatal(err)
			}
			pool.SetMaxIdleConns(8)
			var there, away, ratio, pause, drain []float64
			for b.Loop() {
				there = append(there, writesPerSecond(db))
				server.Kill(b)
				away = append(away, writesPerSecond(db))
				ratio = append(ratio, away[len(away)-1]/there[len(there)-1])
				paused, rate := drained(b, server, db, audit)
				pause, drain = append(pause, paused.Seconds()), append(drain, rate)
			}
			b.ReportMetric(median(there), "writes/s-there")
			b.ReportMetric(median(away), "writes/s-away")
			b.ReportMetric(median(ratio), "away/there")
			b.ReportMetric(median(pause), "s-paused")
			b.ReportMetric(median(drain), "drained/s")
			s := numbers(b, audit)
			if s.Dead != 0 || s.Pending != 0 || s.Rejected != 0 {
				b.Errorf("stats = %+v, want all delivered", s)
			}
			b.ReportMetric(float64(s.Dead), "dead")
			if err := audit.Close(b.Context()); err != nil {
				b.Error(err)
			}
		})
	}
}

// writesPerSecond has an app create rows, each in a transaction, for a while.
func writesPerSecond(db *gorm.DB) float64 {
	var group sync.WaitGroup
	var writes atomic.Int64
	begun := time.Now()
	for range 4 {
		group.Go(func() {
			for time.Since(begun) < 2*time.Second {
				if db.Create(&Document{ID: event.NewID(), Body: "a row of some length, so that it is like those of an app"}).Error == nil {
					writes.Add(1)
				}
			}
		})
	}
	group.Wait()
	return float64(writes.Load()) / time.Since(begun).Seconds()
}

// drained fills the outbox and brings Redis back. It returns how long the relay
// still leaves Redis alone, and how many events per second arrive from then on
// until none is left.
func drained(b *testing.B, server *testredis.Server, db *gorm.DB, audit *eventaudit.Auditor) (paused time.Duration, rate float64) {
	b.Helper()
	documents := make([]Document, 40_000)
	for i := range documents {
		documents[i] = Document{ID: event.NewID(), Body: "a row of some length, so that it is like those of an app"}
	}
	must(b, db.CreateInBatches(documents, 1000))
	server.Restart(b)
	testredis.Eventually(b, "Redis answers", func(ctx context.Context) error { return server.Client.Ping(ctx).Err() })
	before, begun := numbers(b, audit), time.Now()
	var group sync.WaitGroup
	group.Go(func() { flushWithin(b, audit) })
	var pending int64
	testredis.Eventually(b, "the first events arrive", func(context.Context) error {
		now := numbers(b, audit)
		if pending, paused = now.Pending, time.Since(begun); now.Delivered == before.Delivered {
			return errors.New("none yet")
		}
		return nil
	})
	group.Wait()
	return paused, float64(pending) / (time.Since(begun) - paused).Seconds()
}

func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}
