package history

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/lifeline"
	"github.com/eventaudit/eventaudit/repository"
)

// Plan is what a revert does, or would do.
type Plan struct {
	// Operations are the changes, in the order in which they are made.
	Operations []Operation
	// Conflicts are the reasons for which nothing is done.
	Conflicts []Conflict
	// Applied says that the operations were carried out.
	Applied bool
}

// Verb is what an operation does to a row.
type Verb string

// The verbs.
const (
	Insert Verb = "insert"
	Update Verb = "update"
	Delete Verb = "delete"
)

// Operation is one change that a revert makes to a row. A row has several where
// the transaction changed others in between.
type Operation struct {
	Verb       Verb
	Object, ID string
	// Changes are the columns, from what they are by then to what they were.
	Changes []Change
	// row are the values that the row gets, now what it is by then.
	row, now lifeline.Row
}

// Conflict is one reason for which a revert does nothing. It wraps one of the
// errors named ErrChangedSince and following.
type Conflict struct {
	Object, ID string
	// Column is the one that it is about; empty when it is the whole row.
	Column string
	// EventID is the event behind it, empty when there is none.
	EventID string
	Err     error
}

// Error returns the conflict in one line.
func (c Conflict) Error() string {
	what := strings.TrimSpace(c.Object + " " + c.ID)
	if c.Column != "" {
		what += ", column " + c.Column
	}
	if c.EventID != "" {
		what += " (event " + c.EventID + ")"
	}
	return what + ": " + c.Err.Error()
}

// Unwrap returns what kind of conflict it is.
func (c Conflict) Unwrap() error { return c.Err }

// ErrConflict is wrapped by the error of a revert that did nothing because of
// conflicts, together with each of them.
var ErrConflict = errors.New("the revert would not restore what was")

// The conflicts.
var (
	// ErrChangedSince says that the row is not as the reverted change left it.
	ErrChangedSince = errors.New("the row has changed since")
	// ErrMasked says that a value to be restored is kept out of the trail.
	ErrMasked = errors.New("the value before is masked")
	// ErrNotRecorded says that a value to be restored is not in the trail.
	ErrNotRecorded = errors.New("the value before is not in the trail")
	// ErrUnknownColumn says that the trail has a column that the table no
	// longer has.
	ErrUnknownColumn = errors.New("the table has no such column any more")
	// ErrSummarized says that rows changed without an event of their own.
	ErrSummarized = errors.New("rows changed that have no event of their own")
	// ErrNotRestored says that the database made something else of the row; the
	// transaction was rolled back.
	ErrNotRestored = errors.New("the row was not restored")
	// ErrUnknownModel says that it is not known which model, and so which
	// table, an event is about; name it with Models.
	ErrUnknownModel = errors.New("the model of the event is not known; name it with history.Models")
)

// DryRun has a revert return its plan, with the conflicts, and do nothing.
func DryRun() Option { return func(o *options) { o.dryRun = true } }

// Models tells RevertTransaction which models the events may be about. Those
// that this process has written already are known.
func Models(models ...any) Option {
	return func(o *options) { o.models = append(o.models, models...) }
}

// Revert undoes one event of a row: a row that it created is deleted, one that
// it deleted is there again, and the columns that it changed are what they were.
// See RevertTransaction.
func Revert[T any](ctx context.Context, db *gorm.DB, eventID string, opts ...Option) (Plan, error) {
	r, err := settled(ctx, db, new(T))
	if err != nil {
		return Plan{}, err
	}
	e, err := repository.Get(ctx, r.repository, eventID)
	if err != nil {
		return Plan{}, fmt.Errorf("history: %w", err)
	}
	if !lifeline.AboutRow(e) {
		return Plan{}, fmt.Errorf("history: event %s (%s %s): %w", e.ID, e.Category, e.Action, ErrNoRow)
	}
	if e.ActionObject != r.object {
		return Plan{}, fmt.Errorf("history: %w", &event.FieldError{
			Field: "event", Value: eventID, Reason: fmt.Sprintf("is about %s; revert it as such, not as %s", e.ActionObject, r.object),
		})
	}
	return revert(ctx, db, []event.Event{e}, "event "+e.ID, slices.Concat(opts, []Option{Models(new(T))}))
}

// settled returns the records of a model when all that was committed is in the
// repository.
func settled(ctx context.Context, db *gorm.DB, model any) (*records, error) {
	r, err := recordsOf(ctx, db, model)
	if err != nil {
		return nil, err
	}
	if err := r.audit.Flush(ctx); err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	return r, nil
}

// Undelete undoes the last deletion of a record, soft or not. The error wraps
// ErrNothingKnown when the trail has none that it is still gone by.
func Undelete[T any](ctx context.Context, db *gorm.DB, key any, opts ...Option) (Plan, error) {
	r, err := settled(ctx, db, new(T))
	if err != nil {
		return Plan{}, err
	}
	id, err := r.idOf(ctx, key)
	if err != nil {
		return Plan{}, err
	}
	steps, err := r.steps(ctx, id)
	if err != nil {
		return Plan{}, err
	}
	var deletions []event.Event
	for _, s := range slices.Backward(steps) {
		switch s.Event.Action {
		case event.ActionDeleted:
			deletions = append([]event.Event{s.Event}, deletions...)
			if gone, err := r.wasDeleted(s); err != nil {
				return Plan{}, err
			} else if !gone { // it was not soft-deleted before
				return revert(ctx, db, deletions, "event "+s.Event.ID, slices.Concat(opts, []Option{Models(new(T))}))
			}
		case event.ActionCreated, event.ActionRestored:
			return Plan{}, fmt.Errorf("history: %s %s is not deleted: %w", r.object, id, ErrNothingKnown)
		}
	}
	if len(deletions) > 0 {
		return revert(ctx, db, deletions, "event "+deletions[0].ID, slices.Concat(opts, []Option{Models(new(T))}))
	}
	return Plan{}, fmt.Errorf("history: %s %s was never deleted: %w", r.object, id, ErrNothingKnown)
}

// wasDeleted reports whether the row of a step was soft-deleted before it.
func (r *records) wasDeleted(s lifeline.Step) (bool, error) {
	table, err := r.table(r.db)
	if err != nil {
		return false, err
	}
	return table.SoftDeleted(s.Old), nil
}

// RevertTransaction undoes everything that one database transaction did to rows,
// step by step in reverse order, in one transaction that is itself audited: its
// events have the reason of the context, which is required (event.WithReason),
// and "reverts" in their Meta. Model hooks do not run.
//
// Nothing is guessed. When a row has changed since, when a value to be restored
// is masked, not recorded or of a column that is gone, nothing is changed, and
// the error wraps ErrConflict and each conflict; the Plan lists them. With
// DryRun they are only listed. The db must not be a transaction.
func RevertTransaction(ctx context.Context, db *gorm.DB, transactionID string, opts ...Option) (Plan, error) {
	audit, ok := eventaudit.From(db)
	if !ok {
		return Plan{}, fmt.Errorf("history: %w", eventaudit.ErrNotInstalled)
	}
	if transactionID == "" {
		return Plan{}, fmt.Errorf("history: %w", &event.FieldError{Field: "transaction", Value: "", Reason: "is empty; pass the TransactionID of an event"})
	}
	if err := audit.Flush(ctx); err != nil {
		return Plan{}, fmt.Errorf("history: %w", err)
	}
	var events []event.Event
	for e, err := range audit.All(ctx, event.Filter{Category: event.CategoryModel, TransactionID: transactionID}) {
		if err != nil {
			return Plan{}, fmt.Errorf("history: %w", err)
		}
		events = append(events, e)
	}
	if len(events) == 0 {
		return Plan{}, fmt.Errorf("history: transaction %s: %w", transactionID, ErrNothingKnown)
	}
	slices.SortStableFunc(events, func(a, b event.Event) int { return cmp.Compare(a.Sequence, b.Sequence) })
	return revert(ctx, db, events, "transaction "+transactionID, opts)
}

// revert undoes the events, which are in order.
func revert(ctx context.Context, db *gorm.DB, events []event.Event, what string, opts []Option) (Plan, error) {
	o := chosen(opts)
	if !o.dryRun && strings.TrimSpace(event.ReasonFrom(ctx)) == "" {
		return Plan{}, fmt.Errorf("history: %w: a revert has to say why; give it with event.WithReason", event.ErrReasonRequired)
	}
	if _, open := db.Statement.ConnPool.(gorm.TxCommitter); open {
		return Plan{}, errors.New("history: a revert is a transaction of its own; pass the db and not a transaction")
	}
	audit, ok := eventaudit.From(db)
	if !ok {
		return Plan{}, fmt.Errorf("history: %w", eventaudit.ErrNotInstalled)
	}
	p := &planner{db: db.WithContext(ctx), known: map[string]*target{}, lives: map[[2]string]*life{}}
	if err := p.learn(ctx, o.models); err != nil {
		return Plan{}, err
	}
	plan, err := p.plan(ctx, audit, events)
	if err != nil || o.dryRun {
		return plan, err
	}
	if err := plan.asError(); err != nil {
		return plan, err
	}
	ctx = event.WithMeta(ctx, "reverts", what)
	err = p.db.Transaction(func(tx *gorm.DB) error { return p.apply(ctx, tx, plan.Operations) })
	plan.Applied = err == nil
	return plan, err
}
