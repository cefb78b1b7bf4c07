package pgpipe_test

import (
	"database/sql"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"pgregory.net/rapid"

	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/pgpipe"
)

// step is one thing that a program does in a transaction.
type step struct {
	name string
	do   func(tx *sql.Tx) error
}

func statement(query string, args ...any) step {
	return step{fmt.Sprint(query, args), func(tx *sql.Tx) error {
		_, err := tx.Exec(query, args...)
		return err
	}}
}

// prepared runs a statement that is prepared in the transaction.
func prepared(query string, args ...any) step {
	return step{fmt.Sprint("prepared ", query, args), func(tx *sql.Tx) error {
		s, err := tx.Prepare(query)
		if err != nil {
			return err
		}
		_, err = s.Exec(args...)
		return errors.Join(err, s.Close())
	}}
}

var counting = step{"count", func(tx *sql.Tx) error {
	var things, notes int
	return tx.QueryRow("SELECT (SELECT count(*) FROM things), (SELECT count(*) FROM notes)").Scan(&things, &notes)
}}

// otherMode is an exec mode for one statement.
func otherMode(n int) pgx.QueryExecMode { return execModes[(n+1)%len(execModes)] }

// drawStep draws a step; numbers below zero are refused in both tables.
func drawStep(t *rapid.T) step {
	n := rapid.IntRange(-1, 5).Draw(t, "n")
	name := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "savepoint")
	drawn := rapid.SampledFrom([]step{
		statement("INSERT INTO things VALUES ($1)", n), statement(note, n), statement(note, n), prepared(note, n),
		statement(fmt.Sprintf("INSERT INTO things VALUES (%d)", n)), statement(fmt.Sprintf("%s (%d)", note[:len(note)-len(" ($1)")], n)),
		statement("SAVEPOINT " + name), statement("ROLLBACK TO SAVEPOINT " + name), statement("RELEASE SAVEPOINT " + name),
		prepared("SAVEPOINT " + name), prepared("ROLLBACK TO SAVEPOINT " + name), statement("/* back */ ROLLBACK TO " + name),
		counting, statement("SELECT 1/$1::int", n), statement(note, "no number"), statement("SELEC"),
		statement(thing, n), statement(thing, n), prepared(thing, n), statement(thing+" RETURNING n", n), statement(thing, "no number"),
		statement(thing, otherMode(n), n), statement(note, otherMode(n+1), n),
	}).Draw(t, "step")
	t.Logf("%s", drawn.name)
	return drawn
}

// A program that goes on whatever happens stores the same with and without
// pipelining, and its transactions commit or fail alike.
func TestRandomProgramsStoreTheSame(t *testing.T) {
	t.Parallel()
	for _, mode := range execModes {
		t.Run(fmt.Sprint(mode), func(t *testing.T) {
			t.Parallel()
			config, err := pgx.ParseConfig(testdb.New(t, testdb.Postgres).DSN())
			if err != nil {
				t.Fatal(err)
			}
			config.DefaultQueryExecMode = mode
			plain, piped := stdlib.OpenDB(*config), sql.OpenDB(pgpipe.Connector(*config))
			for _, db := range []*sql.DB{plain, piped} {
				db.SetMaxOpenConns(1)
				t.Cleanup(func() {
					if err := db.Close(); err != nil {
						t.Error(err)
					}
				})
			}
			tables(t, plain)
			rapid.Check(t, func(rt *rapid.T) {
				steps := rapid.SliceOfN(rapid.Custom(drawStep), 0, 12).Draw(rt, "steps")
				ends := rapid.Bool().Draw(rt, "commits")
				if diff := cmp.Diff(performed(rt, plain, steps, ends), performed(rt, piped, steps, ends)); diff != "" {
					rt.Errorf("without and with pipelining:\n%s", diff)
				}
			})
		})
	}
}

// performed performs a program on empty tables and returns what is there in the end.
func performed(t *rapid.T, db *sql.DB, steps []step, commits bool) []string {
	if _, err := db.Exec("DELETE FROM things; DELETE FROM notes"); err != nil {
		t.Fatal(err)
	}
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range steps {
		_ = step.do(tx) //nolint:errcheck // a deferred statement fails later
	}
	end := tx.Rollback
	if commits {
		end = tx.Commit
	}
	seen := []string{fmt.Sprintf("failed: %v", end() != nil)}
	rows, err := db.Query("SELECT 'thing ' || n FROM things UNION ALL SELECT 'note ' || n FROM notes ORDER BY 1")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var row string
		if err := rows.Scan(&row); err != nil {
			t.Fatal(err)
		}
		seen = append(seen, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return seen
}
