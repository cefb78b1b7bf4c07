package migrate_test

import (
	"errors"
	"testing"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/migrate"
	"github.com/eventaudit/eventaudit/repository/sqlrepo"
)

func TestIndexes(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db := d.Open(t)
		if err := migrate.Up(db); err != nil {
			t.Fatal(err)
		}
		partial := db.Name() != "mysql"
		holdIndexes(t, db, "from the start", map[string]bool{
			"action_object": true, "transaction_id": partial, "error": partial, "category": false, "action": false,
		})
		for range 2 { // the second time they are there
			if err := migrate.AddIndexes(db, "transaction_id", "category"); err != nil {
				t.Fatal(err)
			}
		}
		holdIndexes(t, db, "after adding", map[string]bool{"transaction_id": true, "category": true, "action": false})
		for range 2 { // the second time they are gone
			if err := migrate.DropIndexes(db, "transaction_id", "action_object"); err != nil {
				t.Fatal(err)
			}
		}
		holdIndexes(t, db, "after dropping", map[string]bool{"transaction_id": false, "action_object": false, "category": true})
	})
}

func TestIndexesOnOtherFields(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db := d.Open(t)
		if err := migrate.Up(db); err != nil {
			t.Fatal(err)
		}
		for what, change := range map[string]func(*gorm.DB, ...string) error{"added": migrate.AddIndexes, "dropped": migrate.DropIndexes} {
			var broken *event.FieldError
			if err := change(db, "category", "action_object", "payload", "no_such_field"); !errors.As(err, &broken) || broken.Value != "payload" {
				t.Errorf("err = %v", err)
			}
			holdIndexes(t, db, "refused to be "+what, map[string]bool{"category": false, "action_object": true})
		}
	})
}

func holdIndexes(t *testing.T, db *gorm.DB, when string, want map[string]bool) {
	t.Helper()
	for field, want := range want {
		if got := db.Migrator().HasIndex(sqlrepo.Table, "event_audit_by_"+field); got != want {
			t.Errorf("%s: index on %s: %v, want %v", when, field, got, want)
		}
	}
}
