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

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/oracle"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/repository/sqlrepo"
)

// writerDSN makes this test binary a writer that runs until it is killed.
const writerDSN = "EVENT_AUDIT_TEST_WRITER_DSN"

func TestMain(m *testing.M) {
	if dsn := os.Getenv(writerDSN); dsn != "" {
		fmt.Fprintln(os.Stderr, "writer:", writeUntilKilled(dsn))
		os.Exit(1)
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

// A change and its event share one transaction: whenever the process dies,
// the database has both or neither.
func TestSIGKILLInMidTraffic(t *testing.T) {
	t.Parallel()
	const kills = 100
	d := testdb.New(t, testdb.Postgres)
	db := prepare(t, d)
	for kill := range kills {
		killWriter(t, d.DSN())
		if kill%10 == 9 {
			compareAtRest(t, db)
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
func killWriter(t *testing.T, dsn string) {
	t.Helper()
	writer := exec.Command(os.Args[0])
	writer.Env = append(os.Environ(), writerDSN+"="+dsn)
	writer.Stderr = os.Stderr
	out, err := writer.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := writer.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("the writer did not start: %v", err)
	}
	<-time.After(time.Duration(rand.IntN(100_000)) * time.Microsecond)
	if err := writer.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	var killed *exec.ExitError
	if err := writer.Wait(); !errors.As(err, &killed) || killed.Exited() {
		t.Fatalf("the writer ended by itself: %v", err)
	}
}

// compareAtRest replays the trail and compares it with the tables while a lock
// keeps everybody out; taking it waits for transactions of the dead.
func compareAtRest(t *testing.T, db *gorm.DB) {
	t.Helper()
	err := db.Transaction(func(tx *gorm.DB) error {
		if err := tx.Exec("LOCK TABLE customers, products, stocks, " + sqlrepo.Table + " IN SHARE MODE").Error; err != nil {
			return err
		}
		events, err := sqlrepo.New(tx, nil)
		if err != nil {
			return err
		}
		oracle.Check(t, tx, events, modelTables[:3]...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func writeUntilKilled(dsn string) error {
	db, err := testdb.Dial(testdb.Postgres, dsn, nil)
	if err != nil {
		return err
	}
	if err := db.Use(eventaudit.Plugin(eventaudit.WithLogger(slog.New(slog.DiscardHandler)))); err != nil {
		return err
	}
	var group sync.WaitGroup
	failed := make(chan error, 8)
	var started sync.Once
	for worker := range 8 {
		group.Go(func() {
			ctx := event.WithActor(context.Background(), fmt.Sprintf("worker-%d", worker))
			for {
				if err := traffic(db.WithContext(ctx)); err != nil {
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
