package sqlrepo_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/utils/tests"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/repository"
	"github.com/eventaudit/eventaudit/repository/sqlrepo"
)

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	other, err := gorm.Open(tests.DummyDialector{}, &gorm.Config{ConnPool: &recorder{}, DisableAutomaticPing: true})
	if err != nil {
		t.Fatal(err)
	}
	for name, db := range map[string]*gorm.DB{"nil": nil, "empty": {}, "another dialect": other} {
		_, err := sqlrepo.New(db, nil)
		var field *event.FieldError
		if !errors.As(err, &field) || field.Field != "database" {
			t.Errorf("%s: New = %v, want a FieldError for database", name, err)
		}
	}
}

func TestOpenByName(t *testing.T) {
	t.Parallel()
	db := testdb.New(t, testdb.SQLitePure).Open(t)
	for _, name := range []string{"basic", "postgres"} {
		r, err := repository.Open(t.Context(), name, repository.Settings{Database: db})
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := r.(*sqlrepo.Repository); !ok {
			t.Errorf("%s is a %T", name, r)
		}
		for _, wrong := range []any{nil, "dsn", (*gorm.DB)(nil)} {
			_, err := repository.Open(t.Context(), name, repository.Settings{Database: wrong})
			var field *event.FieldError
			if !errors.As(err, &field) || field.Field != "database" {
				t.Errorf("%s with database %v: %v, want a FieldError for database", name, wrong, err)
			}
		}
	}
}

func TestReady(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		// statements come after migrate.Up, or instead of it when there is
		// none of ours before them.
		migrate    bool
		statements []string
		// says is a word of the error; empty is none.
		says string
	}{
		{name: "nothing", says: "no table"},
		{name: "up to date", migrate: true},
		{name: "ancestor", statements: []string{"CREATE TABLE event_audit_event (id VARCHAR(64) PRIMARY KEY, category VARCHAR(64), timestamp VARCHAR(64))"}, says: "ancestor"},
		{name: "older", migrate: true, statements: []string{"ALTER TABLE event_audit_event DROP COLUMN overflow"}, says: "lacks overflow"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			testdb.Each(t, func(t *testing.T, s *testdb.Database) {
				db := s.Open(t)
				if test.migrate {
					newMigrated(t, db)
				}
				for _, statement := range test.statements {
					if err := db.Exec(statement).Error; err != nil {
						t.Fatal(err)
					}
				}
				r, err := sqlrepo.New(db, nil)
				if err != nil {
					t.Fatal(err)
				}
				err = r.Ready(t.Context())
				if test.says == "" {
					if err != nil {
						t.Error(err)
					}
					return
				}
				if !errors.Is(err, sqlrepo.ErrNoTables) || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), "migrate.Up(db)") {
					t.Errorf("Ready = %v, want ErrNoTables, %q and what to do", err, test.says)
				}
			})
		})
	}
}

// TestAnotherTable reads and writes a table that was set aside.
func TestAnotherTable(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		r, db := migrated(t, s)
		if err := r.Write(t.Context(), series(3)...); err != nil {
			t.Fatal(err)
		}
		if err := db.Migrator().RenameTable(sqlrepo.Table, "Events of `\"2024"); err != nil {
			t.Fatal(err)
		}
		archive, err := sqlrepo.New(db, &sqlrepo.Options{Table: "Events of `\"2024"})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(archive.Ready(t.Context()), archive.Write(t.Context(), series(2)...)); err != nil {
			t.Fatal(err)
		}
		if n := len(collect(t, archive, event.Filter{})); n != 5 {
			t.Errorf("%d events in the archive, want 5", n)
		}
		if err := r.Ready(t.Context()); !errors.Is(err, sqlrepo.ErrNoTables) {
			t.Errorf("Ready without the table = %v, want ErrNoTables", err)
		}
	})
}

// TestColumnsAreOneList holds equal what migrations create and what events are
// written to.
func TestColumnsAreOneList(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		_, db := migrated(t, s)
		types, err := db.Migrator().ColumnTypes(sqlrepo.Table)
		if err != nil {
			t.Fatal(err)
		}
		var created []string
		for _, column := range types {
			created = append(created, column.Name())
		}
		written := append(sqlrepo.Columns(), "sequence")
		slices.Sort(created)
		slices.Sort(written)
		if !slices.Equal(created, written) {
			t.Errorf("created %q, but written %q", created, written)
		}
	})
}

// labelled is a connection pool of an app whose values cannot be compared.
type labelled struct {
	gorm.ConnPool
	labels []string
}

func TestWithinPoolsOfAnyType(t *testing.T) {
	t.Parallel()
	db := testdb.New(t, testdb.SQLitePure).Open(t)
	over := func(label string) *gorm.DB {
		session := db.Session(&gorm.Session{NewDB: true, Context: t.Context()})
		session.Statement.ConnPool = labelled{db.Statement.ConnPool, []string{label}}
		return session
	}
	r, err := sqlrepo.New(over("primary"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Within(over("primary")) {
		t.Error("the event table is not within the pool it was opened with")
	}
	if r.Within(over("replica")) || r.Within(db) {
		t.Error("the event table is within another pool")
	}
}
