package eventaudit_test

import (
	"context"
	"errors"
	"testing"

	"gorm.io/driver/mysql"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"pgregory.net/rapid"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/hooks"
	"github.com/eventaudit/eventaudit/internal/oracle"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/repository"
)

// The strongest test there is: whatever an app does, replaying the trail from
// empty gives exactly the tables.
func TestReplayOfRandomPrograms(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) { replayRandomPrograms(t, d, openPlainly) })
}

// MariaDB that must not use RETURNING is as MySQL is.
func TestReplayOfRandomProgramsWithoutReturning(t *testing.T) {
	t.Parallel()
	replayRandomPrograms(t, testdb.New(t, testdb.MariaDB), openWithoutReturning)
}

func openWithoutReturning(t testing.TB, d *testdb.Database, cfg *gorm.Config) *gorm.DB {
	t.Helper()
	cfg.Logger = logger.Discard
	db, err := gorm.Open(mysql.New(mysql.Config{DSN: d.DSN(), DisableWithReturning: true}), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		pool, err := db.DB()
		if err == nil {
			err = pool.Close()
		}
		if err != nil {
			t.Error(err)
		}
	})
	return db
}

func replayRandomPrograms(t *testing.T, d *testdb.Database, open opener) {
	t.Helper()
	s := newStage(t, d, open)
	db, audit := use(t, s.db)
	s.db = db.WithContext(event.WithActor(context.Background(), "ann"))
	checkPrograms(t, func(rt *rapid.T) *performance {
		s.empty(rt)
		if err := repository.RemoveAll(context.Background(), audit.Repository()); err != nil {
			rt.Fatal(err)
		}
		p := s.perform(drawPrograms(rt))
		for _, seen := range p.seen {
			rt.Logf("%s: %v", seen.operation, seen.result.err)
			if errors.Is(seen.result.err, hooks.ErrCapture) || errors.Is(seen.result.err, hooks.ErrBypassed) {
				rt.Fatalf("%s: %v", seen.operation, seen.result.err)
			}
		}
		oracle.Check(rt, s.beside, audit.Repository(), programTables...)
		return p
	})
}
