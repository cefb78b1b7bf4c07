package pgpipe_test

import (
	"strings"
	"testing"

	"github.com/eventaudit/eventaudit/pgpipe"
)

// Pgx does not see the error of a deferred statement that the server knows no
// more, or no more like that. The connection must not keep it for that.
func TestDeferredStatementsThatAreNoMore(t *testing.T) {
	t.Parallel()
	for _, change := range []string{
		"DEALLOCATE ALL",
		"DISCARD ALL",
		"ALTER TABLE days ALTER day TYPE date USING NULL",
		"DROP TABLE days; CREATE TABLE days (other int, day date)",
	} {
		t.Run(strings.Fields(change)[0], func(t *testing.T) {
			t.Parallel()
			db := open(t)
			exec(t, db, "CREATE TABLE days (day text)")
			write := func() error {
				tx, err := db.Begin()
				if err != nil {
					return err
				}
				exec(t, tx, "INSERT INTO things VALUES (1)")
				exec(t, tx, pgpipe.Deferred+"INSERT INTO days (day) VALUES ($1)", "2026-11-29")
				return tx.Commit()
			}
			for range 2 {
				if err := write(); err != nil {
					t.Fatal(err)
				}
			}
			exec(t, db, "DELETE FROM things; DELETE FROM days")
			exec(t, db, change)
			failed := 0
			for range 3 {
				if err := write(); err != nil {
					t.Log(err)
					failed++
				}
			}
			if failed > 1 {
				t.Errorf("%d transactions failed, want one at most", failed)
			}
			for _, table := range []string{"things", "days"} {
				if n := number(t, db, "SELECT count(*) FROM "+table); n != 3-failed {
					t.Errorf("%d rows are in table %s, want %d", n, table, 3-failed)
				}
			}
		})
	}
}
