package eventaudit_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/oracle"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/migrate"
	"github.com/eventaudit/eventaudit/outbox"
	"github.com/eventaudit/eventaudit/repository"
	"github.com/eventaudit/eventaudit/repository/memrepo"
	"github.com/eventaudit/eventaudit/repository/sqlrepo"
)

// Events for a repository outside of the app's database commit with the
// change, in the outbox, and get there afterwards.
func TestARepositoryElsewhere(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		elsewhere := memrepo.New(nil)
		db, audit := install(t, d, eventaudit.WithRepository(elsewhere))
		ctx := event.WithActor(context.Background(), "ann")
		must(t, db.WithContext(ctx).Create(&[]Product{{SKU: "a"}, {SKU: "b"}}))
		err := db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
			return errors.Join(tx.Delete(&Product{SKU: "a"}).Error, errUndo)
		})
		if !errors.Is(err, errUndo) {
			t.Fatal(err)
		}
		err = db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
			if err := tx.Model(&Product{SKU: "b"}).Update("price", 3).Error; err != nil {
				return err
			}
			return audit.In(tx).Record(ctx, event.New("custom", "approved"))
		})
		if err != nil {
			t.Fatal(err)
		}
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
		if diff := cmp.Diff([]string{"created a", "created b", "changed b", "approved ", "alone "}, got); diff != "" {
			t.Error(diff)
		}
		oracle.Check(t, db, elsewhere, modelTables...)
		if s := numbers(t, audit); s.Delivered != 5 || s.Pending != 0 || s.Dead != 0 || s.Lost != 0 || s.Lag <= 0 {
			t.Errorf("stats = %+v, want 5 delivered and nothing else", s)
		}
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

func TestFlushAndCloseSayWhatIsLeft(t *testing.T) {
	t.Parallel()
	db, audit := install(t, testdb.New(t, testdb.SQLitePure), eventaudit.WithRepository(memrepo.New(nil)),
		func(c *eventaudit.Config) { c.Relay.Enabled = false })
	must(t, db.Create(&Product{SKU: "a"}))
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if s := numbers(t, audit); s.Pending != 1 || s.OldestPending < 0 || s.Delivered != 0 {
		t.Errorf("stats without a relay = %+v, want one event pending", s)
	}
	var left *outbox.PendingError
	if err := audit.Flush(ctx); !errors.As(err, &left) || left.Pending != 1 {
		t.Errorf("Flush without a relay: %v, want one event pending", err)
	}
	if err := audit.Close(context.Background()); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// A registered repository is chosen by its name.
func TestARepositoryByName(t *testing.T) {
	t.Parallel()
	elsewhere := memrepo.New(nil)
	repository.Register("by-name-test", func(context.Context, repository.Settings) (repository.Repository, error) { return elsewhere, nil })
	db, audit := install(t, testdb.New(t, testdb.SQLitePure), func(c *eventaudit.Config) { c.ActiveRepo = "by-name-test" })
	must(t, db.Create(&Product{SKU: "a"}))
	if err := audit.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	if n, err := repository.Count(context.Background(), elsewhere, event.Filter{}); err != nil || n != 1 {
		t.Errorf("%d events, %v", n, err)
	}
}

// A repository that was opened by name is closed once, however often the
// Auditor is closed.
func TestCloseMoreThanOnce(t *testing.T) {
	t.Parallel()
	closed := 0
	repository.Register("closed-once-test", func(context.Context, repository.Settings) (repository.Repository, error) {
		return closable{memrepo.New(nil), &closed}, nil
	})
	for name, choose := range map[string]func(*testing.T, *eventaudit.Config){
		"basic":  func(*testing.T, *eventaudit.Config) {},
		"redis":  func(t *testing.T, c *eventaudit.Config) { c.Redis.URL = testdb.RedisURL(t) },
		"custom": func(_ *testing.T, c *eventaudit.Config) { c.ActiveRepo = "closed-once-test" },
	} {
		t.Run(name, func(t *testing.T) {
			_, audit := install(t, testdb.New(t, testdb.SQLitePure), func(c *eventaudit.Config) { choose(t, c) })
			for i := range 3 {
				if err := audit.Close(t.Context()); err != nil {
					t.Errorf("Close %d: %v", i+1, err)
				}
			}
			if name == "custom" && closed != 1 {
				t.Errorf("the repository was closed %d times, want once", closed)
			}
		})
	}
}

// closable counts how often it is closed, and fails from the second time on.
type closable struct {
	repository.Repository
	closed *int
}

func (c closable) Close() error {
	if *c.closed++; *c.closed > 1 {
		return errors.New("closed already")
	}
	return nil
}

// The event table of another database is a repository elsewhere too.
func TestTheEventTableOfAnotherDatabase(t *testing.T) {
	t.Parallel()
	archive := testdb.New(t, testdb.SQLitePure).Open(t)
	if err := migrate.Up(archive); err != nil {
		t.Fatal(err)
	}
	r, err := sqlrepo.New(archive, nil)
	if err != nil {
		t.Fatal(err)
	}
	db, audit := install(t, testdb.New(t, testdb.SQLitePure), eventaudit.WithRepository(r))
	must(t, db.Create(&Product{SKU: "a"}))
	if err := audit.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	if here, there := count(t, db, sqlrepo.Table), count(t, archive, sqlrepo.Table); here != 0 || there != 1 {
		t.Errorf("%d events here and %d there", here, there)
	}
}

// The events of one statement may be more than MariaDB takes in one: 16 MiB,
// with arguments of a certain size apart from it or, as here, all within it.
func TestAStatementOverLargeRowsGoesElsewhere(t *testing.T) {
	t.Parallel()
	const n = 100
	d := testdb.New(t, testdb.MariaDB)
	beside := prepare(t, d)
	for i := range n {
		must(t, beside.Create(&Document{ID: fmt.Sprint(i), Body: strings.Repeat("a", 100_000)}))
	}
	db, err := testdb.Dial(testdb.MariaDB, d.DSN()+"&interpolateParams=true", nil)
	if err != nil {
		t.Fatal(err)
	}
	db, audit := use(t, db, eventaudit.WithRepository(memrepo.New(nil)))
	must(t, db.Model(&Document{}).Where("1 = 1").Update("body", gorm.Expr("REPLACE(body, 'a', 'b')")))
	if err := audit.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := numbers(t, audit); s.Delivered != n {
		t.Errorf("%d events arrived, want %d", s.Delivered, n)
	}
	if err := audit.Close(t.Context()); err != nil {
		t.Error(err)
	}
	pool, err := db.DB()
	if err == nil {
		err = pool.Close()
	}
	if err != nil {
		t.Error(err)
	}
}
