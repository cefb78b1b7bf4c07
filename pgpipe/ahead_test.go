package pgpipe_test

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/eventaudit/eventaudit/pgpipe"
)

const thing = pgpipe.Ahead + "INSERT INTO things VALUES ($1)"

// Deferred statements wait while others go ahead, and no longer.
func TestAhead(t *testing.T) {
	t.Parallel()
	const count = "SELECT count(*) + $1 FROM notes"
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeExec} {
		for what, end := range map[string]step{
			"a query": {"", func(tx *sql.Tx) error {
				var n int
				if err := tx.QueryRow(count, 0).Scan(&n); err != nil || n != 2 {
					return fmt.Errorf("it finds %d notes: %w", n, err)
				}
				return nil
			}},
			"a savepoint":          statement("SAVEPOINT here"),
			"a prepared savepoint": prepared("SAVEPOINT here"),
			"nothing":              {"", func(*sql.Tx) error { return nil }},
		} {
			t.Run(fmt.Sprint(mode, " ", what), func(t *testing.T) {
				t.Parallel()
				db := openIn(t, mode)
				for round := range 3 {
					exec(t, db, "DELETE FROM notes")
					tx, err := db.Begin()
					if err != nil {
						t.Fatal(err)
					}
					exec(t, tx, thing, 1)
					exec(t, tx, note, 1)
					exec(t, tx, thing, 2)
					exec(t, tx, note, 2)
					var first, last int
					for _, n := range []*int{&first, &last} {
						if err := tx.QueryRow(pgpipe.Ahead+count, 0).Scan(n); err != nil {
							t.Fatal(err)
						}
					}
					if prepared := round > 0; first != last || prepared && first != 0 {
						t.Errorf("what went ahead found %d and %d notes", first, last)
					}
					if err := end.do(tx); err != nil {
						t.Error(err)
					}
					exec(t, tx, note, 3)
					if err := tx.Commit(); err != nil {
						t.Fatal(err)
					}
					if sum := number(t, db, "SELECT sum(n) FROM notes"); sum != 6 {
						t.Errorf("the sum is %d, want 6", sum)
					}
				}
				tx, err := db.Begin()
				if err != nil {
					t.Fatal(err)
				}
				exec(t, tx, note, 1)
				var n int
				if err := tx.QueryRow(pgpipe.Ahead+count, 0).Scan(&n); err != nil {
					t.Fatal(err)
				}
				// The first statement of a transaction takes with it what there is.
				if n != 4 {
					t.Errorf("the first statement finds %d notes, want 4", n)
				}
				if err := tx.Rollback(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// A deferred statement that others went ahead of still fails the COMMIT.
func TestFailureBehindThoseAhead(t *testing.T) {
	t.Parallel()
	db := open(t)
	pid := number(t, db, "SELECT pg_backend_pid()")
	for range 2 { // once prepared, nothing but the COMMIT sends it
		tx, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		for n := range 3 {
			exec(t, tx, thing, n)
			exec(t, tx, note, 1-n)
		}
		err = tx.Commit()
		if said := (*pgconn.PgError)(nil); !errors.As(err, &said) || said.ConstraintName != "positive" || !pgpipe.IsDeferred(err) {
			t.Errorf("COMMIT says %v", err)
		}
		if things, notes := number(t, db, "SELECT count(*) FROM things"), number(t, db, "SELECT count(*) FROM notes"); things+notes != 0 {
			t.Errorf("%d things and %d notes are stored", things, notes)
		}
		if now := number(t, db, "SELECT pg_backend_pid()"); now != pid {
			t.Error("the connection was given up")
		}
	}
}

// When the one that goes ahead fails, the transaction ends or goes on from a
// savepoint as ever, without the deferred statements behind that.
func TestFailureAhead(t *testing.T) {
	t.Parallel()
	db := open(t)
	for range 2 {
		tx, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		exec(t, tx, thing, 1)
		exec(t, tx, note, 1)
		exec(t, tx, "SAVEPOINT here")
		exec(t, tx, note, 2)
		if _, err := tx.Exec(thing, -1); err == nil || pgpipe.IsDeferred(err) {
			t.Errorf("a thing below zero: %v", err)
		}
		if _, err := tx.Exec(thing, 2); err == nil {
			t.Error("the transaction goes on")
		}
		exec(t, tx, "ROLLBACK TO here")
		exec(t, tx, thing, 3)
		exec(t, tx, note, 4)
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		if things, notes := number(t, db, "SELECT sum(n) FROM things"), number(t, db, "SELECT sum(n) FROM notes"); things != 4 || notes != 5 {
			t.Errorf("the sums are %d and %d, want 4 and 5", things, notes)
		}
		exec(t, db, "DELETE FROM things; DELETE FROM notes")
	}
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	exec(t, tx, thing, 1)
	exec(t, tx, note, 1)
	if _, err := tx.Exec(thing, -1); err == nil {
		t.Error("a thing below zero")
	}
	if err := tx.Commit(); !errors.Is(err, pgx.ErrTxCommitRollback) {
		t.Errorf("COMMIT says %v", err)
	}
	if n := number(t, db, "SELECT (SELECT count(*) FROM things) + (SELECT count(*) FROM notes)"); n != 0 {
		t.Errorf("%d rows are stored", n)
	}
}

// More than can be held back goes out on the way.
func TestMuchBehindThoseAhead(t *testing.T) {
	t.Parallel()
	db := open(t)
	exec(t, db, "CREATE TABLE texts (text text)")
	const count = pgpipe.Ahead + "SELECT count(*) + $1 FROM texts"
	exec(t, db, count, 0) // has it prepared
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	const many = 300
	for n := range many {
		exec(t, tx, thing, n)
		exec(t, tx, pgpipe.Deferred+"INSERT INTO texts VALUES ($1)", strings.Repeat("x", 5000))
	}
	var sent int
	if err := tx.QueryRow(count, 0).Scan(&sent); err != nil {
		t.Fatal(err)
	}
	if sent == 0 || sent == many {
		t.Errorf("%d of %d texts were sent before the COMMIT", sent, many)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if texts, things := number(t, db, "SELECT count(*) FROM texts"), number(t, db, "SELECT count(*) FROM things"); texts != many || things != many {
		t.Errorf("%d texts and %d things are stored, want %d", texts, things, many)
	}
}

// What has no name is not replaced before it was sent, whatever the modes.
func TestAheadOfAStatementWithoutAName(t *testing.T) {
	t.Parallel()
	db := open(t)
	for _, first := range execModes {
		for _, second := range execModes {
			tx, err := db.Begin()
			if err != nil {
				t.Fatal(err)
			}
			exec(t, tx, thing, second, 1)
			exec(t, tx, note, first, 2)
			exec(t, tx, thing, second, 3)
			exec(t, tx, note, second, 4)
			exec(t, tx, thing, first, 5)
			if err := tx.Commit(); err != nil {
				t.Errorf("%v, %v: %v", first, second, err)
			}
			if things, notes := number(t, db, "SELECT sum(n) FROM things"), number(t, db, "SELECT sum(n) FROM notes"); things != 9 || notes != 6 {
				t.Errorf("%v, %v: the sums are %d and %d, want 9 and 6", first, second, things, notes)
			}
			exec(t, db, "DELETE FROM things; DELETE FROM notes")
		}
	}
}
