package history

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/lifeline"
)

// Label says what an entry of a history is about.
type Label string

// The labels. An entry that is none of these, an action for example, has the
// event's Action as its label.
const (
	Created     Label = "created"
	Changed     Label = "changed"
	Deleted     Label = "deleted"
	SoftDeleted Label = "soft-deleted"
	Restored    Label = "restored"
	// Moved says that the record got another key, or had another before.
	Moved    Label = "moved"
	Attached Label = "attached"
	Detached Label = "detached"
)

// Entry is one event in the history of a record.
type Entry struct {
	Event event.Event
	Label Label
	// Changes are the columns that the event tells of, by name; none for events
	// that are about no row, or whose Result is not what a row is.
	Changes []Change
}

// Change is one column of a record at two moments.
type Change struct {
	// Column is its name in the table, Field the one in the model; Field is
	// empty where the model has no such column, or the event is about another.
	Column, Field string
	// Old and New are the values as JSON, nil where there was none or it is not
	// told.
	Old, New json.RawMessage
	// Masked says that a value is kept out of the trail.
	Masked bool
	// Unknown says that a value cannot be told.
	Unknown bool
}

// Option narrows a question.
type Option func(*options)

type options struct {
	filter   event.Filter
	children []string
	former   []string
	dryRun   bool
	models   []any
}

func chosen(opts []Option) options {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// NewestFirst turns a list around; otherwise the oldest event comes first.
func NewestFirst() Option { return func(o *options) { o.filter.Order = event.NewestFirst } }

// Limit asks for so many entries at most. The default, 0, is all of them.
func Limit(n int) Option { return func(o *options) { o.filter.Limit = n } }

// After goes on behind an event of the same list; see event.Event.Cursor.
func After(c event.Cursor) Option { return func(o *options) { o.filter.After = c } }

// Between asks for the events from a moment on and before another; zero is no
// bound.
func Between(from, to time.Time) Option {
	return func(o *options) { o.filter.From, o.filter.To = from, to }
}

// Children adds the events of the records that belong to this one, or did when
// the event happened: has-one and has-many relations of the model, by the names
// of their fields. All events of the child's model are read for it.
func Children(relations ...string) Option {
	return func(o *options) { o.children = append(o.children, relations...) }
}

// FormerNames says what the model was called in events before it was renamed, so
// that they count as its own: their ActionObject, as a rule the name of the Go
// type. Of, FieldHistory, AsOf and AsOfAll heed it; the children's models keep
// the names that they have, and what is undone is undone under the name that it
// was done by.
func FormerNames(names ...string) Option {
	return func(o *options) { o.former = append(o.former, names...) }
}

// Of returns the events of one record: what happened to its row, to its
// many-to-many relations, and whatever else names it, such as actions. They
// come in the order of lists, by timestamp and id; Sequence says in which order
// the database took them. They are all held in memory; use Limit and After for
// records with very many.
//
// Children that moved from one record to another are in both histories. The
// error wraps ErrNoKey or event.ErrInvalid.
func Of[T any](ctx context.Context, db *gorm.DB, key any, opts ...Option) ([]Entry, error) {
	o := chosen(opts)
	r, err := recordsOf(ctx, db, new(T), o.former...)
	if err != nil {
		return nil, err
	}
	id, err := r.idOf(ctx, key)
	if err != nil {
		return nil, err
	}
	if err := o.filter.Validate(); err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	events := sequences{}
	for _, f := range r.about(id) {
		events = append(events, pages(ctx, r.repository, narrowed(f, o.filter)))
	}
	for _, name := range o.children {
		children, err := r.children(ctx, name, key, o.filter)
		if err != nil {
			return nil, err
		}
		events = append(events, children)
	}
	var entries []Entry
	for e, err := range lifeline.Merged(o.filter.Order, events...) {
		if err != nil {
			return nil, fmt.Errorf("history: %w", err)
		}
		if entries = append(entries, r.entry(e)); len(entries) == o.filter.Limit {
			break
		}
	}
	return entries, nil
}

// narrowed returns a filter with the bounds of another.
func narrowed(f, bounds event.Filter) event.Filter {
	f.From, f.To, f.After, f.Order, f.Limit = bounds.From, bounds.To, bounds.After, bounds.Order, bounds.Limit
	return f
}

func (r *records) entry(e event.Event) Entry {
	entry := Entry{Event: e, Label: Label(e.Action)}
	if !lifeline.AboutRow(e) {
		return entry
	}
	images := lifeline.StepOf(e).Images
	switch {
	case e.Action == event.ActionDeleted && images.New != nil:
		entry.Label = SoftDeleted
		maps.DeleteFunc(images.Old, func(column string, _ json.RawMessage) bool {
			_, set := images.New[column]
			return !set // the event tells the whole row
		})
	case e.TargetType == e.ActionObject && e.TargetID != "":
		entry.Label = Moved
	}
	entry.Changes = r.changes(images.Old, images.New, r.own(e))
	return entry
}

// changes pairs the columns of two rows.
func (r *records) changes(old, new lifeline.Row, own bool) []Change {
	columns := maps.Clone(old)
	if columns == nil {
		columns = lifeline.Row{}
	}
	maps.Copy(columns, new)
	var changes []Change
	for _, column := range slices.Sorted(maps.Keys(columns)) {
		c := Change{Column: column, Old: old[column], New: new[column]}
		c.Masked = lifeline.Masked(c.Old) || lifeline.Masked(c.New)
		if own {
			c.Field = fieldName(r.schema, column)
		}
		changes = append(changes, c)
	}
	return changes
}
