package pgpipe_test

import (
	"database/sql"
	"errors"
	"io"
	"net"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/pgpipe"
)

// open returns a pool of one pipelined connection, with a table of things and
// one of notes that takes none below zero.
func open(t *testing.T) *sql.DB { return openIn(t, pgx.QueryExecModeCacheStatement) }

// openIn is open with an exec mode.
func openIn(t *testing.T, mode pgx.QueryExecMode) *sql.DB {
	t.Helper()
	config, err := pgx.ParseConfig(testdb.New(t, testdb.Postgres).DSN())
	if err != nil {
		t.Fatal(err)
	}
	config.DefaultQueryExecMode = mode
	db := sql.OpenDB(pgpipe.Connector(*config))
	db.SetMaxOpenConns(1)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	tables(t, db)
	return db
}

func tables(t *testing.T, db *sql.DB) {
	t.Helper()
	exec(t, db, "CREATE TABLE things (n int CHECK (n >= 0))")
	exec(t, db, "CREATE TABLE notes (n int CONSTRAINT positive CHECK (n >= 0))")
}

type executor interface {
	Exec(query string, args ...any) (sql.Result, error)
}

func exec(t *testing.T, on executor, query string, args ...any) {
	t.Helper()
	if _, err := on.Exec(query, args...); err != nil {
		t.Fatal(err)
	}
}

func number(t *testing.T, db *sql.DB, query string) (n int) {
	t.Helper()
	if err := db.QueryRow(query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

const note = pgpipe.Deferred + "INSERT INTO notes VALUES ($1)"

// The login is bound to the TLS channel where the program insists on that,
// which pgx can do on its own connection only.
func TestChannelBindingIsLeftToPgx(t *testing.T) {
	t.Parallel()
	for binding, wrapped := range map[string]bool{"require": false, "prefer": true} {
		config, err := pgx.ParseConfig(testdb.New(t, testdb.Postgres).DSN())
		if err != nil {
			t.Fatal(err)
		}
		config.ChannelBinding = binding
		var met []bool
		build := config.BuildFrontend
		config.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend {
			_, ok := w.(interface{ NetConn() net.Conn })
			met = append(met, ok)
			return build(r, w)
		}
		db := sql.OpenDB(pgpipe.Connector(*config))
		t.Logf("with %s: %v", binding, db.Ping()) // there is no TLS to bind to
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		if len(met) == 0 || slices.Contains(met, !wrapped) {
			t.Errorf("with channel_binding=%s the connections are wrapped: %v", binding, met)
		}
	}
}

// A deferred statement that fails fails the COMMIT, and nothing is stored.
func TestFailureOfWhatWasDeferred(t *testing.T) {
	t.Parallel()
	db := open(t)
	pid := number(t, db, "SELECT pg_backend_pid()")
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	exec(t, tx, "INSERT INTO things VALUES ($1)", 1)
	exec(t, tx, note, 1)
	exec(t, tx, note, -1)
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

// What is deferred is undone with its savepoint, error and all.
func TestSavepoints(t *testing.T) {
	t.Parallel()
	db := open(t)
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	exec(t, tx, note, 1)
	for _, n := range []int{2, -1} {
		exec(t, tx, "SAVEPOINT here")
		exec(t, tx, note, n)
		exec(t, tx, "ROLLBACK TO here")
	}
	exec(t, tx, note, 4)
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if sum := number(t, db, "SELECT sum(n) FROM notes"); sum != 5 {
		t.Errorf("the sum is %d, want 5", sum)
	}
}

// So it is when the ROLLBACK TO is a prepared statement or begins with a
// comment, as those of programs do that prepare or trace everything.
func TestSavepointsInOtherWords(t *testing.T) {
	t.Parallel()
	for name, steps := range map[string][]step{
		"prepared":      {statement(note, -1), prepared("ROLLBACK TO here")},
		"commented":     {statement(note, -1), statement("/* back */ ROLLBACK TO here")},
		"both":          {statement(note, -1), prepared("/* back */ ROLLBACK TO here")},
		"after a close": {prepared(note, -1), prepared("ROLLBACK TO here")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := open(t)
			tx, err := db.Begin()
			if err != nil {
				t.Fatal(err)
			}
			exec(t, tx, note, 1)
			exec(t, tx, "SAVEPOINT here")
			for _, step := range steps {
				if err := step.do(tx); err != nil {
					t.Errorf("%s: %v", step.name, err)
				}
			}
			exec(t, tx, note, 4)
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
			if sum := number(t, db, "SELECT sum(n) FROM notes"); sum != 5 {
				t.Errorf("the sum is %d, want 5", sum)
			}
		})
	}
}

// A transaction that is rolled back or empty leaves nothing, and its connection
// in order.
func TestEndsWithoutEffect(t *testing.T) {
	t.Parallel()
	db := open(t)
	for _, end := range []func(*sql.Tx) error{(*sql.Tx).Rollback, (*sql.Tx).Commit} {
		tx, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		if err := end(tx); err != nil {
			t.Error(err)
		}
	}
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	exec(t, tx, note, 1)
	if err := tx.Rollback(); err != nil {
		t.Error(err)
	}
	if n := number(t, db, "SELECT count(*) FROM notes"); n != 0 {
		t.Errorf("%d notes are stored", n)
	}
}
