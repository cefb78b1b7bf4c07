package testdb_test

import (
	"path"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/internal/testdb"
)

type note struct {
	ID   int
	Text string
}

func TestEachGivesAnEmptyDatabaseOfTheNamedKind(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		if got, want := path.Base(t.Name()), string(s.Kind()); got != want {
			t.Errorf("subtest is named %q, want %q", got, want)
		}
		tables, err := s.Open(t).Migrator().GetTables()
		if err != nil || len(tables) != 0 {
			t.Errorf("tables = %q, %v; want none", tables, err)
		}
	})
}

func TestPoolsShareTheDatabaseAndTestsDoNot(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		db := s.Open(t)
		if err := db.AutoMigrate(&note{}); err != nil {
			t.Fatal(err)
		}
		if err := db.Create(&note{1, "žluťoučký 🐎"}).Error; err != nil {
			t.Fatal(err)
		}
		var got []note
		if err := s.Open(t, &gorm.Config{PrepareStmt: true}).Find(&got).Error; err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]note{{1, "žluťoučký 🐎"}}, got); diff != "" {
			t.Error(diff)
		}
		if testdb.New(t, s.Kind()).Open(t).Migrator().HasTable(&note{}) {
			t.Error("another database has the table too")
		}
	})
}

func TestConcurrentReadThenWriteTransactionsAllSucceed(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		db := s.Open(t)
		if err := db.AutoMigrate(&note{}); err != nil {
			t.Fatal(err)
		}
		var writers sync.WaitGroup
		for i := range 20 {
			writers.Go(func() {
				err := db.Transaction(func(tx *gorm.DB) error {
					var before int64
					if err := tx.Model(&note{}).Count(&before).Error; err != nil {
						return err
					}
					return tx.Create(&note{ID: i + 1}).Error
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		writers.Wait()
		var rows int64
		if err := db.Model(&note{}).Count(&rows).Error; err != nil || rows != 20 {
			t.Errorf("rows = %d, %v; want 20", rows, err)
		}
	})
}

func TestForeignKeysAreEnforced(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		db := s.Open(t)
		for _, statement := range []string{
			"CREATE TABLE parents (id integer PRIMARY KEY)",
			"CREATE TABLE children (parent_id integer, FOREIGN KEY (parent_id) REFERENCES parents (id))",
		} {
			if err := db.Exec(statement).Error; err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Exec("INSERT INTO children VALUES (1)").Error; err == nil {
			t.Error("a child without a parent was accepted")
		}
	})
}

func TestDatabaseIsDroppedWithATransactionLeftOpen(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		if s.Kind() == testdb.SQLitePure || s.Kind() == testdb.SQLiteCgo {
			return // its file goes with the test's folder
		}
		var dsn string
		t.Run("inner", func(inner *testing.T) {
			own := testdb.New(inner, s.Kind())
			dsn = own.DSN()
			db := own.Open(inner)
			if err := db.Exec("CREATE TABLE notes (id integer)").Error; err != nil {
				inner.Fatal(err)
			}
			if err := db.Begin().Exec("INSERT INTO notes VALUES (1)").Error; err != nil {
				inner.Fatal(err)
			}
		})
		if _, err := testdb.Dial(s.Kind(), dsn, nil); err == nil {
			t.Error("the database is still there")
		}
	})
}

func TestDialRefusesAnUnknownKind(t *testing.T) {
	t.Parallel()
	if _, err := testdb.Dial("oracle", "", nil); err == nil {
		t.Error("no error")
	}
}

func TestKindsAreInAFixedOrder(t *testing.T) {
	t.Parallel()
	all := []testdb.Kind{testdb.SQLiteCgo, testdb.SQLitePure, testdb.Postgres, testdb.MariaDB}
	want := slices.DeleteFunc(all, func(k testdb.Kind) bool { return !slices.Contains(testdb.Kinds(), k) })
	if diff := cmp.Diff(want, testdb.Kinds()); diff != "" {
		t.Error(diff)
	}
}
