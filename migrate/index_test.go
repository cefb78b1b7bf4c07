package migrate_test

import (
	"errors"
	"testing"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/migrate"
	"github.com/eventaudit/eventaudit/repository/sqlrepo"
)

func TestAddIndexes(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db := d.Open(t)
		if err := migrate.Up(db); err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second time they are there
			if err := migrate.AddIndexes(db, "transaction_id", "request_id"); err != nil {
				t.Fatal(err)
			}
		}
		for index, want := range map[string]bool{
			"event_audit_by_transaction_id": true, "event_audit_by_request_id": true, "event_audit_by_tenant": false,
		} {
			if got := db.Migrator().HasIndex(sqlrepo.Table, index); got != want {
				t.Errorf("index %s: %v, want %v", index, got, want)
			}
		}
		err := migrate.AddIndexes(db, "tenant", "error", "no_such_field")
		var broken *event.FieldError
		if !errors.As(err, &broken) || broken.Value != "error" {
			t.Errorf("err = %v", err)
		}
		if db.Migrator().HasIndex(sqlrepo.Table, "event_audit_by_tenant") {
			t.Error("an index was added although a field was refused")
		}
	})
}
