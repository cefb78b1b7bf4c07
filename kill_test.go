package eventaudit_test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"pgregory.net/rapid"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/hooks"
	"github.com/eventaudit/eventaudit/internal/oracle"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/internal/testredis"
	"github.com/eventaudit/eventaudit/repository/sqlrepo"
)

// childWork makes this test binary a process that does one of the jobs of
// children on the database that the next two name, and with the Redis of the
// last one.
const (
	childWork  = "EVENT_AUDIT_TEST_CHILD_WORK"
	childKind  = "EVENT_AUDIT_TEST_CHILD_KIND"
	childDSN   = "EVENT_AUDIT_TEST_CHILD_DSN"
	childRedis = "EVENT_AUDIT_TEST_CHILD_REDIS"
)

var children = map[string]func(kind testdb.Kind, dsn string) error{
	"traffic":              trafficUntilKilled,
	"programs":             programsUntilKilled,
	"large update":         largeUpdate,
	"audited large update": auditedLargeUpdate,
	"remote traffic":       remoteTrafficUntilKilled,
	"relay":                relayUntilKilled,
}

func TestMain(m *testing.M) {
	if work, child := os.LookupEnv(childWork); child {
		if err := children[work](testdb.Kind(os.Getenv(childKind)), os.Getenv(childDSN)); err != nil {
			fmt.Fprintln(os.Stderr, work, "ended:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if err := fixSeed(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// fixSeed makes the random programs of an ordinary run the same ones each
// time, so that what passed passes. -rapid.seed draws others, and so does a
// long run.
func fixSeed() error {
	if os.Getenv(operationsVariable) != "" {
		return nil
	}
	return flag.Set("rapid.seed", "20261122")
}

// kills is how many writers are killed in a test.
const kills = 100

// A change and its event share one transaction: whenever the process dies,
// the database has both or neither.
func TestSIGKILLInMidTraffic(t *testing.T) {
	t.Parallel()
	d := testdb.New(t, testdb.Postgres)
	killWriters(t, d, prepare(t, d), "traffic", modelTables[:3])
}

// The same holds for everything else that apps do, by many at once.
func TestSIGKILLInMidPrograms(t *testing.T) {
	t.Parallel()
	d := testdb.New(t, testdb.Postgres)
	killWriters(t, d, newStage(t, d, openPlainly).beside, "programs", programTables)
}

// killWriters lets writers do the work until they are killed, and proves the
// trail true again and again.
func killWriters(t *testing.T, d *testdb.Database, db *gorm.DB, work string, tables []oracle.Table) {
	t.Helper()
	for kill := range kills {
		killWriter(t, work, d)
		if kill%10 == 9 {
			compareAtRest(t, db, tables)
		}
		if t.Failed() {
			t.Fatalf("after kill %d", kill+1)
		}
	}
	var events int64
	must(t, db.Table(sqlrepo.Table).Count(&events))
	t.Logf("%d kills, %d events, nothing missing, nothing extra", kills, events)
}

// killWriter starts a writer, waits until it commits, and kills it at a random
// moment.
func killWriter(t *testing.T, work string, d *testdb.Database) {
	t.Helper()
	writer := startChild(t, work, d)
	<-randomMoment()
	writer.kill(t)
}

// randomMoment comes within a tenth of a second.
func randomMoment() <-chan time.Time {
	return time.After(time.Duration(rand.IntN(100_000)) * time.Microsecond)
}

// child is a process that works until it is killed.
type child struct {
	work    string
	process *exec.Cmd
}

// startChild starts a process and waits until it says that it works.
func startChild(t *testing.T, work string, d *testdb.Database, env ...string) *child {
	t.Helper()
	c := &child{work, exec.Command(os.Args[0])}
	c.process.Env = append(os.Environ(), childWork+"="+work, childDSN+"="+d.DSN(), childKind+"="+string(d.Kind()))
	c.process.Env = append(append(c.process.Env, "PGAPPNAME="+childWork), env...)
	c.process.Stderr = os.Stderr
	out, err := c.process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.kill(t) })
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("%s did not start: %v", work, err)
	}
	return c
}

// kill kills the process, once.
func (c *child) kill(t *testing.T) {
	t.Helper()
	if c.process.ProcessState != nil {
		return
	}
	if err := c.process.Process.Kill(); err != nil {
		t.Errorf("kill %s: %v", c.work, err)
	}
	var killed *exec.ExitError
	if err := c.process.Wait(); !errors.As(err, &killed) || killed.Exited() {
		t.Errorf("%s ended by itself: %v", c.work, err)
	}
}

// compareAtRest replays the trail and compares it with the tables, when the
// dead are gone.
func compareAtRest(t *testing.T, db *gorm.DB, tables []oracle.Table) {
	t.Helper()
	awaitTheDead(t, db)
	events, err := sqlrepo.New(db, nil)
	if err != nil {
		t.Fatal(err)
	}
	oracle.Check(t, db, events, tables...)
}

// awaitTheDead waits until the server has noticed that the children are dead,
// and has ended what they were at. Locks would not do: taking several, beside
// transactions that go on for a moment, is a deadlock now and then.
func awaitTheDead(t *testing.T, db *gorm.DB) {
	t.Helper()
	testredis.Eventually(t, "the server has let go of the children", func(ctx context.Context) error {
		var left int64
		err := db.WithContext(ctx).Raw("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = ?", childWork).Scan(&left).Error
		if err == nil && left > 0 {
			err = fmt.Errorf("%d connections are left", left)
		}
		return err
	})
}

// untilKilled has several workers do some work of an app again and again.
func untilKilled(kind testdb.Kind, dsn string, work func(db *gorm.DB) error, opts ...eventaudit.Option) error {
	db, err := testdb.Dial(kind, dsn, nil)
	if err != nil {
		return err
	}
	if err := db.SetupJoinTable(&Person{}, "Projects", &Membership{}); err != nil {
		return err
	}
	opts = append(opts, eventaudit.WithLogger(slog.New(slog.DiscardHandler)))
	if err := db.Use(eventaudit.Plugin(opts...)); err != nil {
		return err
	}
	var group sync.WaitGroup
	failed := make(chan error, 8)
	var started sync.Once
	for worker := range 8 {
		group.Go(func() {
			ctx := event.WithActor(context.Background(), fmt.Sprintf("worker-%d", worker))
			for {
				if err := work(db.WithContext(ctx)); err != nil {
					failed <- err
					return
				}
				started.Do(func() { fmt.Println("ready") })
			}
		})
	}
	group.Wait()
	return <-failed
}

func trafficUntilKilled(kind testdb.Kind, dsn string) error { return untilKilled(kind, dsn, traffic) }

// programsUntilKilled performs random programs. Their errors are the app's
// business, but capture must not be a cause of them.
func programsUntilKilled(kind testdb.Kind, dsn string) error {
	programs := rapid.Custom(drawPrograms)
	var drawing sync.Mutex // generators are not made for several at once
	return untilKilled(kind, dsn, func(db *gorm.DB) error {
		drawing.Lock()
		list := programs.Example(rand.Int())
		drawing.Unlock()
		s := &stage{db: db, clock: &clock{}}
		for _, seen := range s.perform(list).seen {
			if errors.Is(seen.result.err, hooks.ErrCapture) || errors.Is(seen.result.err, hooks.ErrBypassed) {
				return fmt.Errorf("%s: %w", seen.operation, seen.result.err)
			}
		}
		return nil
	})
}

// traffic is one piece of work of an app, now and then rolled back. Conflicts
// between the workers are part of it.
func traffic(db *gorm.DB) error {
	if rand.IntN(3) == 0 { // the default transaction
		return db.Create(&Customer{Name: "solo", Tags: []string{"x"}}).Error
	}
	err := db.Transaction(func(tx *gorm.DB) error {
		c := Customer{Name: "Ann", Tier: 2}
		if err := tx.Create(&c).Error; err != nil {
			return err
		}
		sku := fmt.Sprintf("sku-%d", rand.IntN(40))
		if err := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&Product{SKU: sku, Title: "new"}).Error; err != nil {
			return err
		}
		if err := tx.Model(&Product{}).Where("sku = ?", sku).Update("price", gorm.Expr("price + 1")).Error; err != nil {
			return err
		}
		if err := tx.Save(&Stock{SKU: sku, Warehouse: 1 + rand.IntN(3), Amount: rand.IntN(100)}).Error; err != nil {
			return err
		}
		if rand.IntN(4) == 0 {
			if err := tx.Delete(&c).Error; err != nil {
				return err
			}
		}
		if rand.IntN(5) == 0 {
			return errUndo
		}
		return nil
	})
	if errors.Is(err, errUndo) {
		return nil
	}
	return err
}
