package history

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
)

// FieldChange is one time that a field got a value.
type FieldChange struct {
	// Event says who set it, when and why.
	Event event.Event
	// Old and New are the values as JSON, nil where there was none or it is not
	// told.
	Old, New json.RawMessage
	// Masked says that the values are kept out of the trail.
	Masked bool
}

// FieldHistory returns the events that set one field of a record, named as in
// the model or the table, in the order of Of and narrowed by the same options.
// A field that the model does not have is refused with a *event.FieldError, but
// columns that only the trail knows may be asked for.
func FieldHistory[T any](ctx context.Context, db *gorm.DB, key any, field string, opts ...Option) ([]FieldChange, error) {
	o := chosen(opts)
	r, err := recordsOf(ctx, db, new(T), o.former...)
	if err != nil {
		return nil, err
	}
	column := field
	known := r.schema.LookUpField(field)
	if known != nil {
		column = known.DBName
	}
	asked := o.filter
	if err := asked.Validate(); err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	entries, err := Of[T](ctx, db, key, slices.Concat(opts, []Option{Limit(0)})...)
	if err != nil {
		return nil, err
	}
	var changes []FieldChange
	for _, entry := range entries {
		if !r.own(entry.Event) {
			continue
		}
		for _, c := range entry.Changes {
			if c.Column == column && (asked.Limit == 0 || len(changes) < asked.Limit) {
				changes = append(changes, FieldChange{Event: entry.Event, Old: c.Old, New: c.New, Masked: c.Masked})
			}
		}
	}
	if known == nil && len(changes) == 0 {
		return nil, fmt.Errorf("history: %w", &event.FieldError{
			Field: r.schema.Name, Value: field,
			Reason: fmt.Sprintf("is no field of the model and no column that the trail knows; use one of %q", r.schema.DBNames),
		})
	}
	return changes, nil
}
