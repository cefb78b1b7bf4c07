package eventaudit_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/oracle"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/internal/testredis"
	"github.com/eventaudit/eventaudit/pgpipe"
)

// soakVariable says how long writers are disturbed, as "1h".
const soakVariable = "EVENT_AUDIT_TEST_SOAK"

// Writers whose contexts end, whose connections die and whose server falls at
// any moment leave a true trail, and nothing behind. Other tests would disturb the count of
// goroutines, so this one runs alone.
func TestSoak(t *testing.T) {
	long := 3 * time.Second
	if text := os.Getenv(soakVariable); text != "" {
		var err error
		if long, err = time.ParseDuration(text); err != nil {
			t.Fatalf("%s: %v; write a duration such as 1h", soakVariable, err)
		}
	}
	for name, dial := range map[string]func(dsn string) gorm.Dialector{"plain": postgres.Open, "pgpipe": pgpipe.Open} {
		t.Run(name, func(t *testing.T) {
			server := startPostgres(t)
			d := testdb.New(t, testdb.Postgres)
			beside := prepare(t, d)
			idle, err := beside.DB()
			if err != nil {
				t.Fatal(err)
			}
			idle.SetMaxIdleConns(0) // a connection would not outlive the server
			db, err := gorm.Open(dial(called(d.DSN(), "soaked")), &gorm.Config{Logger: logger.Discard})
			if err != nil {
				t.Fatal(err)
			}
			pool, err := db.DB()
			if err != nil {
				t.Fatal(err)
			}
			pool.SetMaxOpenConns(6)
			pool.SetMaxIdleConns(6)
			_, audit := use(t, db)
			var goroutines int
			var memory int64
			rounds := max(2, int(long/time.Minute)) // what is checked at once fits into memory
			for round := range rounds {
				soak(t, db, beside, server, long/time.Duration(rounds))
				testredis.Eventually(t, "no connection is in use", func(context.Context) error {
					if open := pool.Stats().InUse; open > 0 {
						return fmt.Errorf("%d are", open)
					}
					return nil
				})
				testredis.Eventually(t, "no connection is in a transaction", func(ctx context.Context) error {
					return none(beside.WithContext(ctx), "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'soaked'"+
						" AND datname = current_database() AND state <> 'idle'")
				})
				pool.SetMaxIdleConns(0) // those that were killed while nobody used them
				pool.SetMaxIdleConns(6)
				oracle.Check(t, beside, audit.Repository(), modelTables[:3]...)
				empty(t, beside)
				if round == 0 {
					memory, goroutines = inUse(), runtime.NumGoroutine()
					continue
				}
				if grown := inUse() - memory; grown > 8<<20 {
					t.Errorf("%d bytes more are in use than after the first round", grown)
				}
				testredis.Eventually(t, "no goroutine is left", func(context.Context) error {
					if now := runtime.NumGoroutine(); now > goroutines {
						return fmt.Errorf("%d goroutines, %d after the first round", now, goroutines)
					}
					return nil
				})
			}
			if err := audit.Close(t.Context()); err != nil {
				t.Error(err)
			}
			if err := pool.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// empty empties the tables and their trail.
func empty(t *testing.T, beside *gorm.DB) {
	t.Helper()
	var tables []string
	err := beside.Raw("SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = current_schema() AND tablename <> 'event_audit_migrations'").Scan(&tables).Error
	if err == nil {
		err = beside.Exec("TRUNCATE " + strings.Join(tables, ", ")).Error
	}
	if err != nil {
		t.Fatal(err)
	}
}

// called returns the DSN of connections that have a name at the server.
func called(dsn, name string) string {
	switch {
	case !strings.Contains(dsn, "://"):
		return dsn + " application_name=" + name
	case strings.Contains(dsn, "?"):
		return dsn + "&application_name=" + name
	default:
		return dsn + "?application_name=" + name
	}
}

// none returns an error unless the query says 0.
func none(db *gorm.DB, query string) error {
	var n int64
	if err := db.Raw(query).Scan(&n).Error; err != nil {
		return err
	}
	if n > 0 {
		return fmt.Errorf("%d are left", n)
	}
	return nil
}

// inUse returns how many bytes of the heap are in use.
func inUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// patience is how long a caller waits: one in five not long enough.
func patience() time.Duration {
	if rand.IntN(5) == 0 {
		return time.Duration(rand.IntN(10_000)) * time.Microsecond
	}
	return time.Minute
}

// soak has eight writers work, ends some of their contexts, kills their
// connections, and restarts their server.
func soak(t *testing.T, db, beside *gorm.DB, server *restartable, long time.Duration) {
	t.Helper()
	const enough = 10 // a busy machine does less between two restarts, and more when there is peace
	ctx, stop := context.WithTimeout(t.Context(), long+time.Minute)
	defer stop()
	trouble, peace := context.WithTimeout(ctx, long)
	defer peace()
	var group sync.WaitGroup
	var done, failed atomic.Int64
	for writer := range 8 {
		group.Go(func() {
			for trouble.Err() == nil || ctx.Err() == nil && done.Load() < enough {
				one, cancel := context.WithTimeout(event.WithActor(ctx, fmt.Sprintf("writer-%d", writer)), patience())
				if traffic(db.WithContext(one)) == nil {
					done.Add(1)
				} else {
					failed.Add(1)
				}
				cancel()
			}
		})
	}
	group.Go(func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		fall := time.NewTicker(min(long/2, 30*time.Second))
		defer fall.Stop()
		for {
			select {
			case <-trouble.Done():
				return
			case <-fall.C:
				server.restart(t)
				continue
			case <-tick.C:
			}
			err := beside.Exec("SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity WHERE application_name = 'soaked'" +
				" AND datname = current_database() ORDER BY random() LIMIT 1) AS one").Error
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	group.Wait()
	t.Logf("%d pieces of work were done, %d failed", done.Load(), failed.Load())
	if done.Load() < enough || failed.Load() == 0 {
		t.Errorf("%d pieces of work were done and %d failed, so nothing was tested", done.Load(), failed.Load())
	}
}
