package eventaudit

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"sync"
	"time"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/connpool"
)

// Begin makes the Auditor an event.ActionRecorder; package actions calls it.
// The transactions that the action takes part in are those that its context
// runs statements in. The error wraps event.ErrReasonRequired when
// RequireReason names the action and the context gives no reason.
func (a *Auditor) Begin(ctx context.Context, action string) (context.Context, func(context.Context, event.Event) error, error) {
	return a.begin(ctx, nil, action)
}

// Begin is Auditor.Begin for an action that is known to be part of tx.
func (w within) Begin(ctx context.Context, action string) (context.Context, func(context.Context, event.Event) error, error) {
	return w.auditor.begin(ctx, w.tx.Statement.ConnPool, action)
}

func (a *Auditor) begin(ctx context.Context, conn gorm.ConnPool, name string) (context.Context, func(context.Context, event.Event) error, error) {
	t, err := a.installed()
	if err != nil {
		return ctx, nil, err
	}
	if event.AuditDisabled(ctx) || !t.rules.tracks(event.CategoryAction, name) {
		return ctx, nil, nil
	}
	x := &action{trail: t, cancelled: func() bool { return ctx.Err() != nil }}
	x.outer, _ = ctx.Value(actionKey{}).(*action)
	if conn != nil && t.transactionID(conn) != "" {
		x.saw(connpool.Unwrap(conn))
	}
	return context.WithValue(ctx, actionKey{}, x), x.end, t.rules.requireReason(ctx, name)
}

type actionKey struct{}

// action is an action on its way.
type action struct {
	*trail
	// cancelled reports whether the context it runs with has ended.
	cancelled func() bool
	// outer is the action that this one is a part of.
	outer *action

	mutex sync.Mutex
	// conns are the transactions of the app that it takes part in.
	conns []gorm.ConnPool
}

// follow returns what the hooks tell of the transactions of an action.
func (t *trail) follow(ctx context.Context) func(gorm.ConnPool) {
	x, ok := ctx.Value(actionKey{}).(*action)
	if !ok {
		return nil
	}
	return func(conn gorm.ConnPool) {
		for x := x; x != nil; x = x.outer {
			if x.trail == t {
				x.saw(conn)
			}
		}
	}
}

// saw remembers a transaction. An action that runs in one meets it early, so
// that of very many, one after another, the first and the latest will do.
func (x *action) saw(conn gorm.ConnPool) {
	const most = 8
	x.mutex.Lock()
	defer x.mutex.Unlock()
	if slices.Contains(x.conns, conn) {
		return
	}
	if len(x.conns) == most {
		x.conns = slices.Delete(x.conns, 1, 2)
	}
	x.conns = append(x.conns, conn)
}

// open returns the first transaction that is not over, nil when there is none,
// and whether the action took part in any.
func (x *action) open(ctx context.Context) (conn gorm.ConnPool, took bool) {
	x.mutex.Lock()
	conns := slices.Clone(x.conns)
	x.mutex.Unlock()
	for _, conn := range conns {
		_, err := conn.ExecContext(ctx, "SELECT 1")
		if !errors.Is(err, sql.ErrTxDone) && !errors.Is(err, sql.ErrConnDone) {
			return conn, true // whatever else is wrong with it, it has not ended
		}
	}
	return nil, len(conns) > 0
}

// end records the event of the action.
//
// A success belongs to the transaction that is still open around it. Anything
// else must not go down with that, and cannot be written beside it right now:
// the transaction may hold the only connection, or on SQLite the only write
// lock, until the caller ends it.
func (x *action) end(ctx context.Context, e event.Event) error {
	around, took := x.open(ctx)
	success := e.Outcome == event.OutcomeSuccess
	if success && took && around == nil && x.cancelled() {
		// The transaction may have been the caller's, rolled back because the
		// context ended, or the action's own, committed before that.
		e.Meta["transaction"] = "unknown"
	}
	within := around
	if !success {
		within = nil
	}
	ready, err := x.prepare(ctx, within, []event.Event{e})
	goOn := x.config.OnAuditError == ContinueOnError
	switch {
	case err != nil:
		return err
	case success && !goOn:
		return x.add(ctx, within, ready)
	case within != nil:
		x.tryWithin(ctx, within, ready)
	default:
		x.beside(ctx, ready[0], around == nil)
	}
	return nil
}

// add stores the events, in a transaction if there is one.
func (t *trail) add(ctx context.Context, conn gorm.ConnPool, events []event.Event) error {
	ids, err := t.store(ctx, conn, slices.Clone(events), t.inbox.Insert)
	if err != nil {
		return &LostError{EventIDs: ids, Err: err}
	}
	return nil
}

// tryWithin stores the events in a transaction, which stays as it was when
// they are lost.
func (t *trail) tryWithin(ctx context.Context, conn gorm.ConnPool, events []event.Event) {
	run := func(verb string) error {
		_, err := conn.ExecContext(ctx, verb+" eventaudit_action")
		return err
	}
	err := run("SAVEPOINT")
	if err == nil {
		if err = t.add(connpool.Promptly(ctx), conn, events); err != nil {
			err = errors.Join(err, run("ROLLBACK TO SAVEPOINT"))
		}
		err = errors.Join(err, run("RELEASE SAVEPOINT"))
	}
	if err != nil {
		t.lost(ctx, err)
	}
}

// beside stores the event by itself, as soon as that is possible within a
// minute, or else it is lost. It waits for that, unless it would wait for the
// caller; and not for long, because it may.
func (t *trail) beside(ctx context.Context, e event.Event, wait bool) {
	kept := t.kept(ctx, []event.Event{e})
	if len(kept) == 0 {
		return
	}
	lost := func(err error) { t.lost(ctx, &LostError{EventIDs: []string{e.ID}, Err: err}) }
	x := &delayed{ctx: context.WithoutCancel(ctx), event: kept[0], until: time.Now().Add(lateFor), lost: lost, done: make(chan struct{})}
	start, ok := t.late.add(x)
	if start {
		go t.writeLate()
	}
	switch {
	case !ok && wait:
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := persist(ctx, func() error { return t.inbox.Insert(ctx, nil, kept) }); err != nil {
			lost(err)
		}
	case !ok:
		lost(errTooMany)
	case wait:
		select {
		case <-x.done:
		case <-time.After(time.Second):
		}
	}
}

// errTooMany says that the database has not answered for a long time.
var errTooMany = errors.New("too many actions wait to be recorded")
