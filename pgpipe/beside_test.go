package pgpipe_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/pgpipe"
)

// app is a program that uses a pool as any other. Whatever it sees goes into
// its transcript, and must be the same with and without pipelining.
type app struct {
	*testing.T
	db         *sql.DB
	config     pgx.ConnConfig
	mutex      sync.Mutex // database/sql rolls back in a goroutine when a context ends
	transcript []string
}

func (a *app) say(format string, args ...any) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.transcript = append(a.transcript, fmt.Sprintf(format, args...))
}

// err says what an app can learn from an error.
func (a *app) err(what string, err error) {
	var said *pgconn.PgError
	switch {
	case err == nil:
		a.say("%s: no error", what)
	case errors.As(err, &said):
		a.say("%s: %s %s %q detail %q hint %q position %d where %q of %s.%s.%s, constraint %q; closed: %v, timed out: %v, done: %v", what,
			said.Severity, said.Code, said.Message, said.Detail, said.Hint, said.Position, said.Where, said.SchemaName, said.TableName, said.ColumnName,
			said.ConstraintName, errors.Is(err, sql.ErrConnDone), pgconn.Timeout(err), errors.Is(err, sql.ErrTxDone))
	default:
		a.say("%s: %T %v; rolled back: %v, canceled: %v, late: %v, done: %v", what, err, err,
			errors.Is(err, pgx.ErrTxCommitRollback), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, sql.ErrTxDone))
	}
}

// both runs statements and queries: a pool, a connection or a transaction.
type both interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// exec runs a statement.
func (a *app) exec(on both, query string, args ...any) {
	done, err := on.ExecContext(a.Context(), query, args...)
	a.err(query, err)
	if err == nil {
		affected, err := done.RowsAffected()
		_, none := done.LastInsertId()
		a.say("%d rows affected, %v, %v", affected, err, none)
	}
}

// query runs a query and says what it returns, with the types.
func (a *app) query(on both, query string, args ...any) {
	rows, err := on.QueryContext(a.Context(), query, args...)
	if err != nil {
		a.err(query, err)
		return
	}
	defer rows.Close()
	columns, err := rows.ColumnTypes()
	a.err("columns", err)
	for _, column := range columns {
		length, limited := column.Length()
		precision, scale, decimal := column.DecimalSize()
		a.say("column %s %s %v %d %v %d %d %v", column.Name(), column.DatabaseTypeName(), column.ScanType(), length, limited, precision, scale, decimal)
	}
	for rows.Next() {
		values, targets := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			targets[i] = &values[i]
		}
		a.err("scan", rows.Scan(targets...))
		for _, value := range values {
			a.say("%T %.100v", value, value)
		}
	}
	a.err(query, rows.Err())
}

// within runs do in a transaction and ends it.
func (a *app) within(opts *sql.TxOptions, end func(*sql.Tx) error, do func(tx *sql.Tx)) {
	tx, err := a.db.BeginTx(a.Context(), opts)
	a.err("begin", err)
	if err != nil {
		return
	}
	do(tx)
	a.err("end", end(tx))
	a.err("end again", tx.Commit())
	a.rows()
}

// rows says what is stored.
func (a *app) rows() { a.query(a.db, "SELECT id, note FROM records ORDER BY id, note") }

func (a *app) commit(do func(tx *sql.Tx))   { a.within(nil, (*sql.Tx).Commit, do) }
func (a *app) rollback(do func(tx *sql.Tx)) { a.within(nil, (*sql.Tx).Rollback, do) }

// raw runs do with pgx's own connection behind one of database/sql.
func (a *app) raw(conn *sql.Conn, do func(conn *pgx.Conn) error) {
	a.err("raw", conn.Raw(func(driver any) error {
		own, ok := driver.(*stdlib.Conn)
		a.say("the connection is %T", driver)
		if !ok {
			return errors.New("it is of another kind")
		}
		return do(own.Conn())
	}))
}

// conn runs do with a connection of its own.
func (a *app) conn(do func(conn *sql.Conn)) {
	conn, err := a.db.Conn(a.Context())
	if err != nil {
		a.Fatal(err)
	}
	do(conn)
	a.err("close", conn.Close())
}

// execModes are pgx's ways of running a query.
var execModes = []pgx.QueryExecMode{
	pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
}

// Whatever a program does, it sees the same as over pgx's own driver.
func TestProgramsSeeTheSame(t *testing.T) {
	t.Parallel()
	for _, mode := range execModes {
		t.Run(strings.ReplaceAll(mode.String(), " ", "_"), func(t *testing.T) {
			t.Parallel()
			compare(t, programs, func(t *testing.T, config *pgx.ConnConfig) { config.DefaultQueryExecMode = mode })
		})
	}
	t.Run("over TLS", func(t *testing.T) {
		t.Parallel()
		compare(t, programs, overTLS)
	})
}

// compare performs programs without and with pipelining, on connections that
// are set up so.
func compare(t *testing.T, programs map[string]func(a *app), setUp func(t *testing.T, config *pgx.ConnConfig)) {
	t.Helper()
	for name, run := range programs {
		t.Run(name, func(t *testing.T) {
			plain := transcript(t, run, setUp, func(config pgx.ConnConfig) *sql.DB { return stdlib.OpenDB(config) })
			piped := transcript(t, run, setUp, func(config pgx.ConnConfig) *sql.DB { return sql.OpenDB(pgpipe.Connector(config)) })
			if diff := cmp.Diff(plain, piped); diff != "" {
				t.Errorf("without and with pipelining:\n%s", diff)
			}
			if len(plain) < 5 {
				t.Errorf("nothing is seen: %q", plain)
			}
		})
	}
}

// transcript runs a program on a database of its own.
func transcript(t *testing.T, run func(a *app), setUp func(t *testing.T, config *pgx.ConnConfig), open func(config pgx.ConnConfig) *sql.DB) []string {
	t.Helper()
	config, err := pgx.ParseConfig(testdb.New(t, testdb.Postgres).DSN())
	if err != nil {
		t.Fatal(err)
	}
	a := &app{T: t, config: *config}
	setUp(t, config)
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { a.say("notice %s %s", n.Code, n.Message) }
	config.Tracer = tracer{a}
	a.db = open(*config)
	a.db.SetMaxOpenConns(2)
	defer func() {
		if err := a.db.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, statement := range []string{
		"CREATE TABLE kinds (id int PRIMARY KEY)",
		"INSERT INTO kinds VALUES (1)",
		`CREATE TABLE records (id int PRIMARY KEY, note text CHECK (note <> 'wrong'), data bytea,
			kind int REFERENCES kinds DEFERRABLE INITIALLY DEFERRED)`,
	} {
		exec(t, a.db, statement)
	}
	a.transcript = nil
	run(a)
	stats := a.db.Stats()
	a.say("in use %d, closed %d %d %d", stats.InUse, stats.MaxIdleClosed, stats.MaxIdleTimeClosed, stats.MaxLifetimeClosed)
	a.query(a.db, "SELECT 'it goes on'")
	return a.transcript
}

// tracer says which queries begin and end, and how.
type tracer struct{ app *app }

func (t tracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	t.app.say("traced %.60s with %d arguments", data.SQL, len(data.Args))
	return ctx
}

func (t tracer) TraceQueryEnd(_ context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	t.app.say("traced the end of it: %s, failed: %v", data.CommandTag, data.Err != nil)
}

// killAll ends all connections of the program, and returns when they are gone.
func (a *app) killAll() {
	const others = " FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
	beside := stdlib.OpenDB(a.config)
	beside.SetMaxOpenConns(1)
	defer func() {
		if err := beside.Close(); err != nil {
			a.Error(err)
		}
	}()
	for left := -1; left != 0; {
		if err := beside.QueryRowContext(a.Context(), "SELECT count(pg_terminate_backend(pid))"+others).Scan(&left); err != nil {
			a.Fatal(err)
		}
	}
}
