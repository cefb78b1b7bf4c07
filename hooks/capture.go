package hooks

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/connpool"
	"github.com/eventaudit/eventaudit/internal/redact"
)

// capturer is what one Register installed. It holds nothing of a statement.
type capturer struct {
	Options
	recorder event.Recorder
	mask     *redact.Matcher
	dialect  dialect
	tables   tables
	doubts   doubts
	replayer replayer
	models   models
	bypasses warnings
}

// markKey is the statement setting that says the capture ran.
const markKey = "eventaudit:captured"

// around wraps one of GORM's terminal callbacks.
func (c *capturer) around(chain chain, original func(*gorm.DB)) func(*gorm.DB) {
	return func(db *gorm.DB) {
		pool := db.Statement.ConnPool
		defer func() { c.doubtFailed(db, pool) }()
		c.follow(db)
		if db.Error != nil || db.DryRun || pool == nil || event.AuditDisabled(db.Statement.Context) {
			original(db)
			return
		}
		t, err := c.tableOf(db)
		if err != nil {
			_ = db.AddError(err) //nolint:errcheck // AddError returns what it stores
			return
		}
		if t == nil {
			original(db)
			return
		}
		db.Statement.Settings.Store(markKey, db.Statement)
		c.capture(db, chain, t, original)
	}
}

// guard runs right behind a terminal callback. Rows changed without around
// having run mean that somebody replaced it.
func (c *capturer) guard(db *gorm.DB) {
	stmt := db.Statement
	if db.RowsAffected == 0 || db.DryRun || event.AuditDisabled(stmt.Context) {
		return
	}
	if t, err := c.tableOf(db); t == nil && err == nil {
		return
	}
	if captured, _ := stmt.Settings.LoadAndDelete(markKey); captured != stmt {
		_ = db.AddError(ErrBypassed) //nolint:errcheck // AddError returns what it stores
	}
}

// committed runs at the end of a chain, when GORM's own transaction is over.
func (c *capturer) committed(db *gorm.DB) {
	if _, open := db.Statement.ConnPool.(gorm.TxCommitter); !open && db.Error == nil && db.RowsAffected > 0 {
		c.Committed()
	}
}

// capture runs the terminal callback with an interceptor in place of the
// statement's connection.
func (c *capturer) capture(db *gorm.DB, chain chain, t *table, original func(*gorm.DB)) {
	stmt := db.Statement
	pool := stmt.ConnPool
	conn, end, refused := c.admit(stmt.Context, t, pool)
	if refused != nil { // the statement fails where it would without us
		conn, end = pool, func(error) error { return nil }
	}
	i := &interceptor{ConnPool: conn, capturer: c, db: db, chain: chain, table: t, refused: refused}
	finished := false
	defer func() {
		stmt.ConnPool = pool
		problem := db.Error
		switch {
		case i.recorded: // GORM failed to take what it returned; the rows stay as they would
			problem = nil
		case !finished:
			problem = errPanicked
		}
		if err := end(problem); err != nil && finished {
			_ = db.AddError(err) //nolint:errcheck // AddError returns what it stores
		}
	}()
	stmt.ConnPool = i
	original(db)
	finished = true
}

// admit begins the statement's transaction, if the statement is permitted.
func (c *capturer) admit(ctx context.Context, t *table, pool gorm.ConnPool) (conn gorm.ConnPool, end func(error) error, err error) {
	if c.Permit != nil {
		if err := c.Permit(ctx, t.object, t.name); err != nil {
			return nil, nil, err
		}
	}
	return c.begin(ctx, pool)
}

// interceptor stands in for the statement's connection while GORM's terminal
// callback runs. It lets everything pass but the statement itself.
type interceptor struct {
	gorm.ConnPool
	*capturer
	db    *gorm.DB
	chain chain
	table *table
	fired bool
	// recorded says that the statement and its events succeeded.
	recorded bool
	// refused is why the statement must not run: it is not permitted, or there
	// is no transaction to run it in.
	refused error
}

// mine reports whether the query is the statement's own. Other queries, which
// a GormValue method may run, are not captured.
func (i *interceptor) mine(query string) bool {
	if i.fired || query != i.db.Statement.SQL.String() {
		return false
	}
	i.fired = true
	return true
}

func (i *interceptor) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if !i.mine(query) {
		return i.ConnPool.ExecContext(ctx, query, args...)
	}
	done, err := i.run(ctx, query, args, false)
	if err != nil {
		return nil, err
	}
	i.recorded = true
	if done.result != nil {
		return done.result, nil
	}
	return &result{affected: done.affected, id: done.insertID}, nil
}

func (i *interceptor) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if !i.mine(query) {
		return i.ConnPool.QueryContext(ctx, query, args...)
	}
	done, err := i.run(ctx, query, args, true)
	if err != nil {
		return nil, err
	}
	i.recorded = true
	return i.replayer.rows(done.own)
}

// run executes the statement, reads the images and records the events, all
// through the same connection. Whatever fails before the statement itself ran
// is returned as it is: nothing changed. What fails after it fails closed.
func (i *interceptor) run(ctx context.Context, query string, args []any, wantsRows bool) (outcome, error) {
	if i.refused != nil {
		return outcome{}, i.refused
	}
	own := context.WithoutCancel(ctx)
	s := &statement{interceptor: i, ctx: ctx, own: own, query: query, args: args, wantsRows: wantsRows}
	defer s.close()
	if err := s.learn(); err != nil {
		return outcome{}, err
	}
	if s.table.facts.virtual {
		return s.unseen()
	}
	done, err := s.execute()
	if err != nil {
		if s.ran {
			err = i.failed(err)
		}
		return outcome{}, err
	}
	switch summary, over, err := s.summary(done); {
	case err != nil:
		return outcome{}, i.failed(err)
	case over:
		return done, i.record(own, []event.Event{summary})
	default:
		return done, i.recordAll(own, done)
	}
}

// recordAll records the events of a statement, some at a time when there are
// many.
func (i *interceptor) recordAll(ctx context.Context, done outcome) error {
	some := func(set *images, changes []change) error {
		if events := i.events(set, changes); len(events) > 0 {
			return i.record(ctx, events)
		}
		return nil
	}
	err := some(done.images, done.changes)
	if err == nil && done.rest != nil {
		err = done.rest(some)
	}
	if err != nil && !errors.Is(err, ErrCapture) {
		err = i.failed(err)
	}
	return err
}

// record hands the events to the recorder. Under Continue a failing INSERT is
// undone by a savepoint: PostgreSQL would refuse every later statement of the
// transaction, and elsewhere some of the events would be stored and yet be
// reported as lost.
func (i *interceptor) record(ctx context.Context, events []event.Event) error {
	conn := connpool.Unwrap(i.ConnPool)
	ctx = WithConn(ctx, conn)
	if !i.Continue {
		if err := i.recorder.Record(ctx, events...); err != nil {
			return i.failed(err)
		}
		return nil
	}
	run := func(verb string) error {
		_, err := conn.ExecContext(ctx, verb+" eventaudit")
		return err
	}
	if err := run("SAVEPOINT"); err != nil {
		return err
	}
	if err := i.recorder.Record(connpool.Promptly(ctx), events...); err != nil {
		err = fmt.Errorf("%w: %w", ErrCapture, err)
		if !i.dialect.oldReturning && i.ended(ctx, conn) {
			return err // the change is gone too
		}
		if undone := run("ROLLBACK TO SAVEPOINT"); undone != nil {
			return errors.Join(err, undone)
		}
		i.Lost(ctx, err)
	}
	return run("RELEASE SAVEPOINT")
}

// failed is the end of a statement whose change is not in the trail. GORM
// rolls back the transactions it opened itself when a statement returns an
// error; one that the app opened is rolled back here, because an app that
// ignores the error could commit the change without its event.
func (i *interceptor) failed(cause error) error {
	err := fmt.Errorf("%w: %w", ErrCapture, cause)
	if _, own := i.db.InstanceGet(startedByGORM); own {
		return err
	}
	tx, ok := i.ConnPool.(gorm.TxCommitter)
	if !ok {
		return err
	}
	if rollback := tx.Rollback(); rollback != nil && !errors.Is(rollback, sql.ErrTxDone) {
		err = errors.Join(err, rollback)
	}
	i.Logger.ErrorContext(i.db.Statement.Context, "transaction rolled back because its events could not be written", "error", err)
	return err
}

// result stands in for the driver's when an Exec was run as a query.
type result struct {
	affected int64
	id       *int64
}

func (r *result) RowsAffected() (int64, error) { return r.affected, nil }

// errNoInsertID is what drivers without such ids say.
var errNoInsertID = errors.New("LastInsertId is not supported by this driver")

func (r *result) LastInsertId() (int64, error) {
	if r.id == nil {
		return 0, errNoInsertID
	}
	return *r.id, nil
}
