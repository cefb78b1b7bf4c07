package migrate_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-gormigrate/gormigrate/v2"
	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/migrate"
	"github.com/eventaudit/eventaudit/repository/sqlrepo"
)

// firstID is the migration that creates the event table.
const firstID = "eventaudit_0001_event_table"

func up(t *testing.T, db *gorm.DB) {
	t.Helper()
	if err := migrate.Up(db); err != nil {
		t.Fatal(err)
	}
}

// expectStatus checks whether all migrations are applied, or none.
func expectStatus(t *testing.T, db *gorm.DB, applied bool) {
	t.Helper()
	got, err := migrate.Status(db)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) == 0 || got[0].ID != firstID {
		t.Fatalf("Status = %v, want %s first", got, firstID)
	}
	for _, status := range got {
		if status.Applied != applied {
			t.Errorf("%s: applied is %t, want %t", status.ID, status.Applied, applied)
		}
	}
}

func write(t *testing.T, db *gorm.DB) {
	t.Helper()
	r, err := sqlrepo.New(db, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Write(t.Context(), event.New("custom", "tested")); err != nil {
		t.Fatal(err)
	}
}

func TestUpAndDown(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		db := s.Open(t)
		expectStatus(t, db, false)
		if db.Migrator().HasTable(migrate.Table) {
			t.Error("Status created a table")
		}
		for range 2 {
			up(t, db)
			expectStatus(t, db, true)
			if err := migrate.Down(db, 100); err != nil {
				t.Fatal(err)
			}
			expectStatus(t, db, false)
			expectTables(t, db)
		}
		up(t, db)
		write(t, db)
		up(t, db)
		if n := len(stored(t, db)); n != 1 {
			t.Errorf("%d events after a second Up, want 1", n)
		}
	})
}

func TestDownWithoutUp(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		if err := migrate.Down(s.Open(t), 1); err != nil {
			t.Error(err)
		}
	})
}

func TestDownWantsSteps(t *testing.T) {
	t.Parallel()
	err := migrate.Down(testdb.New(t, testdb.SQLitePure).Open(t), 0)
	var field *event.FieldError
	if !errors.As(err, &field) || field.Field != "steps" {
		t.Errorf("Down(db, 0) = %v, want a FieldError for steps", err)
	}
}

func TestDownKeepsEvents(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		db := s.Open(t)
		up(t, db)
		write(t, db)
		err := migrate.Down(db, 100)
		if err == nil || !strings.Contains(err.Error(), "holds 1 event") || !strings.Contains(err.Error(), "eventaudit clear") {
			t.Errorf("Down = %v, want an error that says how many events there are and how to remove them", err)
		}
		if n := len(stored(t, db)); n != 1 {
			t.Errorf("%d events are left, want 1", n)
		}
	})
}

func TestUpAtTheSameTime(t *testing.T) {
	t.Parallel()
	for _, old := range []bool{false, true} {
		t.Run(map[bool]string{false: "fresh", true: "ancestor"}[old], func(t *testing.T) {
			t.Parallel()
			testdb.Each(t, func(t *testing.T, s *testdb.Database) {
				var want []event.Event
				if old {
					want = populate(t, s, 700)
				}
				var processes sync.WaitGroup
				for range 6 {
					db := s.Open(t)
					processes.Go(func() {
						if err := migrate.Up(db); err != nil {
							t.Error(err)
						}
					})
				}
				processes.Wait()
				if diff := cmp.Diff(want, stored(t, s.Open(t))); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// hostileApp is a database whose app interferes with everything that GORM does.
func hostileApp(t *testing.T, s *testdb.Database) *gorm.DB {
	t.Helper()
	db := s.Open(t, &gorm.Config{
		NamingStrategy: schema.NamingStrategy{TablePrefix: "app_", SingularTable: true},
		PrepareStmt:    true,
	})
	spoil := func(db *gorm.DB) { _ = db.AddError(errors.New("the app's callback ran")) }
	callbacks := db.Callback()
	for _, err := range []error{
		callbacks.Create().Before("*").Register("app:create", spoil),
		callbacks.Query().Before("*").Register("app:query", spoil),
		callbacks.Delete().Before("*").Register("app:delete", spoil),
		callbacks.Row().Before("*").Register("app:row", spoil),
		callbacks.Raw().Before("*").Register("app:raw", spoil),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return db
}

func TestUpPassesTheAppsPluginsBy(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		want := populate(t, s, 3)
		db := hostileApp(t, s)
		up(t, db)
		expectStatus(t, db, true)
		if diff := cmp.Diff(want, stored(t, db)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestUpInsideATransaction(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		db := s.Open(t)
		if err := db.Transaction(func(tx *gorm.DB) error { return migrate.Up(tx) }); err != nil {
			t.Fatal(err)
		}
		expectStatus(t, db, true)
	})
}

func TestMigrationsInAGormigrateOfTheApp(t *testing.T) {
	t.Parallel()
	for _, transaction := range []bool{false, true} {
		t.Run(map[bool]string{false: "alone", true: "in a transaction"}[transaction], func(t *testing.T) {
			t.Parallel()
			testdb.Each(t, func(t *testing.T, s *testdb.Database) {
				want := populate(t, s, 3)
				db := s.Open(t)
				options := *gormigrate.DefaultOptions
				options.UseTransaction = transaction
				migrations := migrate.Migrations(db)
				app := gormigrate.New(db, &options, migrations)
				if err := app.Migrate(); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, stored(t, db)); diff != "" {
					t.Error(diff)
				}
				if err := app.RollbackMigration(migrations[0]); err == nil {
					t.Error("a rollback dropped a table that holds events")
				}
			})
		})
	}
}

func TestUpEndsWithItsContext(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		db := s.Open(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		<-ctx.Done()
		if err := migrate.Up(db.WithContext(ctx)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Up = %v, want context.DeadlineExceeded", err)
		}
		expectStatus(t, db, false)
	})
}

func TestNilDatabase(t *testing.T) {
	t.Parallel()
	_, status := migrate.Status(nil)
	for name, err := range map[string]error{"Up": migrate.Up(nil), "Down": migrate.Down(nil, 1), "Status": status} {
		if !errors.Is(err, event.ErrInvalid) {
			t.Errorf("%s(nil) = %v, want event.ErrInvalid", name, err)
		}
	}
}
