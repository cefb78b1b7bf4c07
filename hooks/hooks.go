// Package hooks is the GORM side of eventaudit: it turns every row that
// passes through GORM's create, update and delete callbacks into an event with
// the values that the database really holds, in the transaction of the row.
//
// The terminal callbacks (gorm:create, gorm:update, gorm:delete) are wrapped.
// While one of them runs, the statement's connection pool is an interceptor
// that sees the finished SQL at the one moment it is final, reads the images
// before and after from the database, and hands the events to the recorder
// before the statement returns to GORM. Rollbacks and savepoints are the
// database's business: an event is a row of the same transaction.
//
// Apps use eventaudit.Plugin, which calls Register.
package hooks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"time"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/redact"
)

// State says which columns a "changed" event holds.
type State string

// The states.
const (
	// StateOff stores the new values of the changed columns only.
	StateOff State = "off"
	// StateChanged stores the changed columns, old and new.
	StateChanged State = "changed"
	// StateFull stores the whole row, old and new.
	StateFull State = "full"
)

// Options are the choices of Register. The zero value audits every table and
// masks nothing but what struct tags name.
type Options struct {
	// Audited reports whether changes of the object (the Go type name of the
	// model, or the table name where there is no model) in the table are
	// recorded. It is asked once for each pair, and again for raw SQL that
	// changes a table of no known model. Nil audits all.
	Audited func(object, table string) bool
	// State defaults to StateChanged.
	State State
	// MaxRows is how many rows a statement may change and still have an event
	// for each of them. One that changes more has a single event that counts
	// them instead. Zero is no limit.
	MaxRows int
	// Redact holds patterns of columns and JSON keys whose values are never
	// stored; see eventaudit.Redact.
	Redact []string
	// Continue keeps a business statement whose events could not be written.
	// The default fails the statement and rolls its transaction back.
	Continue bool
	// Lost is told about statements whose events were lost under Continue.
	// Nil logs them.
	Lost func(ctx context.Context, err error)
	// Committed is told, right behind a statement that GORM committed by
	// itself, that there may be new events. Transactions of the app are not
	// seen. Nil is not told.
	Committed func()
	// Permit is asked before every statement that changes an audited table,
	// also by raw SQL unless that is ignored. With an error the statement does
	// not run, and fails with it. Nil permits all.
	Permit func(ctx context.Context, object, table string) error
	// Follow is asked about the context of every statement. The function it
	// returns, unless that is nil, is told of the transaction of the app
	// (*sql.Tx) that the statement is about to run in, or of the connection
	// (*sql.Conn) that it has to itself. Nil asks nobody.
	Follow func(ctx context.Context) func(conn gorm.ConnPool)
	// Met is told about every model that is met in a statement, by the
	// ActionObject of its events. Nil is not told.
	Met func(object string, model reflect.Type)
	// Transactions name the transactions. Share them with others who record
	// events in the same ones. Nil makes new ones.
	Transactions *Transactions
	// Recheck is how long what the catalog says of a table is believed, unless
	// its rows show or a statement says that it is another one by now: other
	// processes may change it. SQLite is asked every time. Zero is a minute.
	Recheck time.Duration
	// OnBypass says what happens to raw SQL that changes an audited table.
	// The empty value is BypassWarn.
	OnBypass Bypass
	// Logger defaults to slog.Default.
	Logger *slog.Logger
}

// ErrCapture is wrapped by every error of a statement whose events could not
// be written, together with the cause. The statement's transaction was rolled
// back. Over package pgpipe the events may be written with a later statement
// or the COMMIT: that fails instead, with the error of the database alone, for
// which pgpipe.IsDeferred is true. Nothing is committed then either.
var ErrCapture = errors.New("eventaudit: the events of the statement could not be written")

// ErrBypassed says that another plugin replaced a callback of GORM without
// calling the one it replaced, so that rows changed unseen.
var ErrBypassed = errors.New("eventaudit: a row changed without capture because another plugin replaced GORM's own callback; register that plugin before eventaudit")

// chain names one of GORM's callback chains.
type chain string

const (
	createChain chain = "create"
	updateChain chain = "update"
	deleteChain chain = "delete"
)

// processor is the part of GORM's unexported callback processor that is used.
type processor interface {
	Get(name string) func(*gorm.DB)
	Replace(name string, fn func(*gorm.DB)) error
}

// registrar registers a callback at a place that was chosen before.
type registrar = func(name string, fn func(*gorm.DB)) error

// commitCallback ends GORM's default transaction.
const commitCallback = "gorm:commit_or_rollback_transaction"

// Register installs the capture on db. The recorder gets the events of each
// statement with a context in which Conn returns the statement's connection;
// it must write them through that connection. Register must be called once
// for a *gorm.DB, before it is used by several goroutines.
func Register(db *gorm.DB, recorder event.Recorder, opts *Options) error {
	c, err := newCapturer(db, recorder, opts)
	if err != nil {
		return err
	}
	create, update, remove := db.Callback().Create(), db.Callback().Update(), db.Callback().Delete()
	chains := []struct {
		chain     chain
		processor processor
		guard     registrar
		end       registrar
	}{
		{createChain, create, create.After("gorm:create").Before("gorm:save_after_associations").Register, create.After(commitCallback).Register},
		{updateChain, update, update.After("gorm:update").Before("gorm:save_after_associations").Register, update.After(commitCallback).Register},
		{deleteChain, remove, remove.After("gorm:delete").Before("gorm:after_delete").Register, remove.After(commitCallback).Register},
	}
	for _, x := range chains {
		if x.processor.Get(guardName(x.chain)) != nil {
			return errors.New("hooks: Register called twice for one *gorm.DB")
		}
		if x.processor.Get("gorm:"+string(x.chain)) == nil {
			return fmt.Errorf("hooks: callback gorm:%s is missing; open the database with a GORM dialector before db.Use", x.chain)
		}
	}
	var problems []error
	for _, x := range chains {
		name := "gorm:" + string(x.chain)
		problems = append(problems,
			x.processor.Replace(name, c.around(x.chain, x.processor.Get(name))),
			x.guard(guardName(x.chain), c.guard))
		if c.Committed != nil {
			problems = append(problems, x.end("eventaudit:committed_"+string(x.chain), c.committed))
		}
	}
	return errors.Join(append(problems, c.watch(db))...)
}

func guardName(c chain) string { return "eventaudit:guard_" + string(c) }

type connKey struct{}

// Conn returns the connection or transaction of the statement that the
// context's events belong to.
func Conn(ctx context.Context) (gorm.ConnPool, bool) {
	conn, ok := ctx.Value(connKey{}).(gorm.ConnPool)
	return conn, ok
}

// WithConn returns a context whose events are to be written through conn.
func WithConn(ctx context.Context, conn gorm.ConnPool) context.Context {
	return context.WithValue(ctx, connKey{}, conn)
}

func newCapturer(db *gorm.DB, recorder event.Recorder, opts *Options) (*capturer, error) {
	if recorder == nil {
		return nil, errors.New("hooks: Register without a recorder")
	}
	c := &capturer{recorder: recorder}
	if opts != nil {
		c.Options = *opts
	}
	if c.State == "" {
		c.State = StateChanged
	}
	if c.Audited == nil {
		c.Audited = func(string, string) bool { return true }
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Lost == nil {
		c.Lost = func(ctx context.Context, err error) {
			c.Logger.ErrorContext(ctx, "audit events lost", "error", err)
		}
	}
	if c.OnBypass == "" {
		c.OnBypass = BypassWarn
	}
	if c.Recheck <= 0 {
		c.Recheck = time.Minute
	}
	err := c.OnBypass.validate()
	if err != nil {
		return nil, err
	}
	if c.mask, err = redact.New(c.Redact); err != nil {
		return nil, err
	}
	if c.dialect, err = dialectOf(db); err != nil {
		return nil, err
	}
	if c.Transactions == nil {
		c.Transactions = &Transactions{}
	}
	c.replayer = newReplayer(c)
	return c, nil
}
