package sqlrepo_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/repository"
	"github.com/eventaudit/eventaudit/repository/sqlrepo"
)

// TestLeavingTheLoop breaks off lists with and without a limit, on a pool of
// one connection, which must be free afterwards.
func TestLeavingTheLoop(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		r, db := migrated(t, s)
		pool, err := db.DB()
		if err != nil {
			t.Fatal(err)
		}
		pool.SetMaxOpenConns(1)
		if err := r.Write(t.Context(), series(300)...); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			for _, limit := range []int{0, 200} {
				for _, err := range r.Find(t.Context(), event.Filter{Limit: limit}) {
					if err != nil {
						t.Fatal(err)
					}
					break
				}
			}
		}
		if n, err := r.Count(t.Context(), event.Filter{}); n != 300 || err != nil {
			t.Errorf("Count = %d, %v, want 300", n, err)
		}
		if open := pool.Stats().InUse; open != 0 {
			t.Errorf("%d connections are still in use", open)
		}
	})
}

// TestLeavingAnEndlessList looks at the process that serves the connection: a
// list without a limit is not read to its end, which costs the connection; one
// with a limit is, and keeps it.
func TestLeavingAnEndlessList(t *testing.T) {
	t.Parallel()
	r, db := migrated(t, testdb.New(t, testdb.Postgres))
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	pool.SetMaxOpenConns(1)
	events := series(300)
	for i := range events { // 30 MB, more than any buffer on the way holds
		events[i].Payload = event.JSON(strings.Repeat("x", 100_000))
	}
	if err := r.Write(t.Context(), events...); err != nil {
		t.Fatal(err)
	}
	process := func() (id int) {
		if err := pool.QueryRowContext(t.Context(), "SELECT pg_backend_pid()").Scan(&id); err != nil {
			t.Fatal(err)
		}
		return id
	}
	for limit, kept := range map[int]bool{0: false, 200: true} {
		before := process()
		for _, err := range r.Find(t.Context(), event.Filter{Limit: limit}) {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
		if got := process() == before; got != kept {
			t.Errorf("limit %d: the connection was kept: %t, want %t", limit, got, kept)
		}
	}
}

func TestEndOfTheContext(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		r, _ := migrated(t, s)
		if err := r.Write(t.Context(), series(300)...); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		seen := 0
		var last error
		for _, err := range r.Find(ctx, event.Filter{}) {
			last = err
			if err == nil {
				seen++
			}
			if seen == 3 {
				cancel()
			}
		}
		if seen != 3 || !errors.Is(last, context.Canceled) {
			t.Errorf("%d events and %v after cancelling at the third, want 3 and context.Canceled", seen, last)
		}
		for _, call := range []func() error{
			func() error { return r.Write(ctx, series(1)...) },
			func() error { _, err := r.Count(ctx, event.Filter{}); return err },
			func() error { _, err := r.RemoveMatching(ctx, event.Filter{Category: "custom"}); return err },
			func() error { return r.Ping(ctx) },
			func() error { return r.Ready(ctx) },
		} {
			if err := call(); !errors.Is(err, context.Canceled) {
				t.Errorf("%v, want context.Canceled", err)
			}
		}
	})
}

// TestAgreesWithMatch asks for times between microseconds and at the ends of
// what a time can be.
func TestAgreesWithMatch(t *testing.T) {
	t.Parallel()
	noon := time.Date(2024, 6, 1, 12, 0, 0, 0, time.UTC)
	var bounds []time.Time
	for _, d := range []time.Duration{-1, 0, 1, 999, 1000, 1001, 2000} {
		bounds = append(bounds, noon.Add(d), noon.Add(d).In(time.FixedZone("", 5400)))
	}
	bounds = append(bounds, time.Time{}, time.Unix(-1<<40, 0), time.Unix(1<<40, 0), time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC))
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		r, _ := migrated(t, s)
		events := series(3)
		for i := range events {
			events[i].Timestamp = noon.Add(time.Duration(i) * time.Microsecond)
		}
		if err := r.Write(t.Context(), events...); err != nil {
			t.Fatal(err)
		}
		for _, from := range bounds {
			for _, to := range bounds {
				f := event.Filter{From: from, To: to}
				if f.Validate() != nil {
					continue
				}
				want := int64(0)
				for _, e := range events {
					if f.Match(e) {
						want++
					}
				}
				if n := int64(len(collect(t, r, f))); n != want {
					t.Errorf("Find from %v to %v: %d events, want %d", from, to, n, want)
				}
				if n, err := r.Count(t.Context(), f); n != want || err != nil {
					t.Errorf("Count from %v to %v: %d, %v, want %d", from, to, n, err, want)
				}
			}
		}
	})
}

// TestTheAppsGORMHasNoSay uses a database whose app adds scopes to everything,
// runs dry, and skips what it likes.
func TestTheAppsGORMHasNoSay(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		newMigrated(t, s.Open(t))
		db := s.Open(t, &gorm.Config{DryRun: true, PrepareStmt: true})
		tenancy := func(db *gorm.DB) { db.Where("tenant_id = ?", 7) }
		if err := errors.Join(
			db.Callback().Query().Before("*").Register("app:tenancy", tenancy),
			db.Callback().Create().Before("*").Register("app:tenancy", tenancy),
			db.Callback().Delete().Before("*").Register("app:tenancy", tenancy),
		); err != nil {
			t.Fatal(err)
		}
		r, err := sqlrepo.New(db.Where("tenant_id = ?", 8), nil)
		if err != nil {
			t.Fatal(err)
		}
		events := series(2)
		if err := r.Write(t.Context(), events...); err != nil {
			t.Fatal(err)
		}
		if n := len(collect(t, r, event.Filter{})); n != 2 {
			t.Errorf("%d events, want 2", n)
		}
		if err := r.Remove(t.Context(), events[0].ID); err != nil {
			t.Error(err)
		}
		if _, err := r.Get(t.Context(), events[0].ID); !errors.Is(err, repository.ErrNotFound) {
			t.Errorf("Get of a removed event = %v, want ErrNotFound", err)
		}
	})
}

func TestRemoveAllIsOurTableOnly(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		r, db := migrated(t, s)
		if err := r.Write(t.Context(), series(3)...); err != nil {
			t.Fatal(err)
		}
		var before, after int64
		if err := db.Table("event_audit_migrations").Count(&before).Error; err != nil || before == 0 {
			t.Fatal(before, err)
		}
		if err := r.RemoveAll(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := db.Table("event_audit_migrations").Count(&after).Error; err != nil || after != before {
			t.Errorf("%d migrations are left of %d, %v", after, before, err)
		}
		if n := len(collect(t, r, event.Filter{})); n != 0 {
			t.Errorf("%d events are left", n)
		}
	})
}

func TestEmptyIDIsNotFound(t *testing.T) {
	t.Parallel()
	r := newMigrated(t, testdb.New(t, testdb.SQLitePure).Open(t))
	if err := r.Write(t.Context(), series(1)...); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Get(t.Context(), ""); !errors.Is(err, repository.ErrNotFound) {
		t.Errorf("Get of no id = %v, want ErrNotFound", err)
	}
	if err := r.Remove(t.Context(), ""); !errors.Is(err, repository.ErrNotFound) {
		t.Errorf("Remove of no id = %v, want ErrNotFound", err)
	}
	if n := len(collect(t, r, event.Filter{})); n != 1 {
		t.Errorf("%d events are left, want 1", n)
	}
}
