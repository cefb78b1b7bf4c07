package migrate_test

import (
	"strings"
	"testing"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/migrate"
	"github.com/eventaudit/eventaudit/outbox"
	"github.com/eventaudit/eventaudit/repository/memrepo"
)

// Events on their way are in no repository, so their table is not dropped.
func TestDownKeepsTheOutbox(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		db := s.Open(t)
		up(t, db)
		box, err := outbox.New(db, memrepo.New(nil), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := box.Insert(t.Context(), nil, []event.Event{event.New("custom", "tested")}); err != nil {
			t.Fatal(err)
		}
		refuse := func(table string) {
			t.Helper()
			if err := migrate.Down(db, 1); err == nil || !strings.Contains(err.Error(), table+" holds 1 event") {
				t.Errorf("Down = %v, want an error about %s", err, table)
			}
			if err := box.Ready(t.Context()); err != nil {
				t.Error(err)
			}
		}
		refuse(outbox.Table)
		for _, statement := range []string{
			"INSERT INTO event_audit_dead_letter (sequence, event_id, event, reason, attempts, first_failed_at, last_failed_at)" +
				" SELECT sequence, event_id, event, 'tested', 1, 1, 1 FROM event_audit_outbox",
			"DELETE FROM event_audit_outbox",
		} {
			if err := db.Exec(statement).Error; err != nil {
				t.Fatal(err)
			}
		}
		refuse(outbox.DeadLetterTable)
		if err := db.Exec("DELETE FROM event_audit_dead_letter").Error; err != nil {
			t.Fatal(err)
		}
		if err := migrate.Down(db, 1); err != nil {
			t.Fatal(err)
		}
		for _, table := range []string{outbox.Table, outbox.DeadLetterTable} {
			if db.Migrator().HasTable(table) {
				t.Errorf("table %s is still there", table)
			}
		}
	})
}

// MariaDB and MySQL cannot undo the creation of a table, so that an attempt
// may find one of the two.
func TestOutboxTablesAfterABrokenAttempt(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		db := s.Open(t)
		up(t, db)
		for _, table := range []string{outbox.Table, outbox.DeadLetterTable} {
			if err := db.Migrator().DropTable(table); err != nil {
				t.Fatal(err)
			}
			if err := migrate.Down(db, 1); err != nil {
				t.Fatalf("Down without table %s: %v", table, err)
			}
			up(t, db)
		}
		if err := db.Migrator().DropTable(outbox.DeadLetterTable); err != nil {
			t.Fatal(err)
		}
		if err := db.Exec("DELETE FROM "+migrate.Table+" WHERE id = ?", "eventaudit_0002_outbox").Error; err != nil {
			t.Fatal(err)
		}
		up(t, db)
		box, err := outbox.New(db, memrepo.New(nil), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := box.Ready(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
