// Package history answers the questions that people ask of a trail, in the types
// of the app: what happened to a record (Of), what it was at some moment (AsOf),
// what differs between two moments (Diff), who set a field (FieldHistory), and
// how to put it back (Undelete, Revert, RevertTransaction).
//
//	entries, err := history.Of[Order](ctx, db, 17)
//	then, err := history.AsOf[Order](ctx, db, 17, time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
//
// The events come from the repository of the Auditor that is installed on db,
// whichever that is; events on their way to one outside of the app's database
// are not seen before they arrive. The functions are safe for concurrent use.
//
// A key is a value of the primary key's type, a slice of them in schema order
// where it has several columns, a value of the model that has the key set, or an
// ID, as events carry it. One that does not fit is refused with a
// *event.FieldError, which wraps event.ErrInvalid. Text may be spelled as the
// column takes it, a UUID in upper case for example; only where the column takes
// texts for the same that it keeps apart, by case or accents, is a record that is
// gone found by the spelling that it had alone.
package history

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/hooks"
	"github.com/eventaudit/eventaudit/internal/lifeline"
	"github.com/eventaudit/eventaudit/repository"
)

// The ways in which a question cannot be answered.
var (
	// ErrNoKey says that the model or its table has no primary key, or not the
	// same one.
	ErrNoKey = hooks.ErrNoKey
	// ErrNothingKnown says that neither the trail nor the table has the record.
	ErrNothingKnown = lifeline.ErrNothingKnown
	// ErrContradiction says that the record came or went without an event, by
	// raw SQL or a cascade, so that it cannot be told whether it was there.
	ErrContradiction = lifeline.ErrContradiction
	// ErrNoRow says that the event is not about a row: an action, for example,
	// or a relation.
	ErrNoRow = lifeline.ErrNoRow
	// ErrBeforeTrail says that the trail of the model does not reach back to the
	// moment.
	ErrBeforeTrail = errors.New("the trail does not reach back so far")
)

// ID is the key of a record as events carry it in ActionObjectID.
type ID string

// records are the records of one model.
type records struct {
	audit      *eventaudit.Auditor
	repository repository.Repository
	reader     *hooks.Reader
	db         *gorm.DB
	model      any
	schema     *schema.Schema // nil where there is no model
	// object is the ActionObject of their events, former what it was once.
	object string
	former []string
}

// recordsOf returns the records of a model, which had other names once.
func recordsOf(ctx context.Context, db *gorm.DB, model any, former ...string) (*records, error) {
	if slices.Contains(former, "") {
		return nil, fmt.Errorf("history: %w", &event.FieldError{Field: "former name", Value: "", Reason: "is empty; pass the ActionObject that events have"})
	}
	r, err := recordsOfTable(ctx, db, "")
	if err != nil {
		return nil, err
	}
	r.model, r.former = model, former
	statement := &gorm.Statement{DB: db}
	if err := statement.Parse(model); err != nil {
		return nil, fmt.Errorf("history: %T: %w", model, err)
	}
	r.schema = statement.Schema
	if len(r.schema.PrimaryFields) == 0 {
		return nil, fmt.Errorf("history: model %s: %w", r.schema.Name, ErrNoKey)
	}
	if r.object, err = r.reader.Object(r.db, model); err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	return r, nil
}

// recordsOfTable returns the records of a table that has no model.
func recordsOfTable(ctx context.Context, db *gorm.DB, name string) (*records, error) {
	audit, ok := eventaudit.From(db)
	if !ok {
		return nil, fmt.Errorf("history: %w", eventaudit.ErrNotInstalled)
	}
	reader, err := audit.Reader()
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	return &records{audit: audit, repository: audit.Repository(), reader: reader, db: db.WithContext(ctx), model: name, object: name}, nil
}

// table asks the catalog about the table of the records.
func (r *records) table(tx *gorm.DB) (*hooks.Table, error) {
	t, err := r.reader.Table(tx, r.model)
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	if got := t.Keys(); r.schema != nil && !slices.Equal(got, r.schema.PrimaryFieldDBNames) {
		return nil, fmt.Errorf("history: %w: model %s has the key %q, its table %q", ErrNoKey, r.schema.Name, r.schema.PrimaryFieldDBNames, got)
	}
	return t, nil
}

// names are what events call the records, and called them once.
func (r *records) names() []string { return append([]string{r.object}, r.former...) }

// own reports whether an event is about one of the records.
func (r *records) own(e event.Event) bool { return slices.Contains(r.names(), e.ActionObject) }

// about are the filters of the events about a record: those that name it, and
// those that have it as their target.
func (r *records) about(id string) (filters []event.Filter) {
	for _, name := range r.names() {
		filters = append(filters, event.Filter{ActionObject: name, ActionObjectID: id}, event.Filter{TargetType: name, TargetID: id})
	}
	return filters
}

// steps returns what happened to the rows that have had the key.
func (r *records) steps(ctx context.Context, id string) ([]lifeline.Step, error) {
	var events []event.Event
	for _, f := range r.about(id) {
		f.Category = event.CategoryModel
		for e, err := range pages(ctx, r.repository, f) {
			if err != nil {
				return nil, fmt.Errorf("history: %w", err)
			}
			if r.own(e) {
				events = append(events, e)
			}
		}
	}
	return lifeline.Steps(once(events)), nil
}

// once leaves out events that are there already.
func once(events []event.Event) []event.Event {
	seen := make(map[string]bool, len(events))
	kept := events[:0]
	for _, e := range events {
		if !seen[e.ID] {
			seen[e.ID] = true
			kept = append(kept, e)
		}
	}
	return kept
}
