package sqlrepo_test

import (
	"testing"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/migrate"
	"github.com/eventaudit/eventaudit/repository/sqlrepo"
)

// migrated returns the repository of a database whose tables are up to date.
func migrated(t testing.TB, d *testdb.Database) (*sqlrepo.Repository, *gorm.DB) {
	t.Helper()
	db := d.Open(t)
	return newMigrated(t, db), db
}

// newMigrated returns the repository in db, whose tables it brings up to date.
func newMigrated(t testing.TB, db *gorm.DB) *sqlrepo.Repository {
	t.Helper()
	if err := migrate.Up(db); err != nil {
		t.Fatal(err)
	}
	r, err := sqlrepo.New(db, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
