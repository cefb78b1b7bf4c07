package event

import (
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"
)

// Order is the direction of a list of events.
type Order int

// The orders a list can have; both are by timestamp, then by ID as bytes.
const (
	OldestFirst Order = iota
	NewestFirst
)

// Filter asks for events. Every field that is set must match, exactly and
// with case; the zero Filter asks for all of them, oldest first. A Filter is a
// plain value and may be used by several goroutines.
type Filter struct {
	ID             string
	Category       string
	Action         string
	Actor          string
	ActionObject   string
	ActionObjectID string
	TargetType     string
	TargetID       string
	Outcome        Outcome
	Error          string
	TransactionID  string
	RequestID      string
	TraceID        string
	Tenant         string
	Reason         string
	OnBehalfOf     string
	IPAddress      string
	UserAgent      string

	// From is the earliest timestamp asked for, To the first one that is not.
	// Zero is no bound.
	From, To time.Time

	// Limit is how many events at most; zero is all of them.
	Limit int
	// Offset is how many matching events to pass over first. The cost grows
	// with it on most repositories; After does not have that fault.
	Offset int
	// After goes on behind an event of the same list, in the list's Order.
	After Cursor
	// Order is OldestFirst unless set.
	Order Order
}

// Validate reports every rule that the filter breaks, each as a *FieldError,
// joined. Repositories call it before they read or remove anything.
func (f Filter) Validate() error {
	var problems []error
	broken := func(field string, value any, reason string) {
		problems = append(problems, &FieldError{Field: field, Value: value, Reason: reason})
	}
	for i, value := range f.stringValues() {
		if !utf8.ValidString(value) {
			broken(stringFields[i], value, notUTF8)
		}
	}
	if !f.From.IsZero() && !f.To.IsZero() && f.From.After(f.To) {
		broken("from", f.From.Format(time.RFC3339Nano), fmt.Sprintf("is after to %q; swap them", f.To.Format(time.RFC3339Nano)))
	}
	if f.Limit < 0 {
		broken("limit", f.Limit, "is negative; use 0 for no limit")
	}
	if f.Offset < 0 {
		broken("offset", f.Offset, "is negative; use 0 to start at the first event")
	}
	if f.Order != OldestFirst && f.Order != NewestFirst {
		broken("order", int(f.Order), "is unknown; use OldestFirst or NewestFirst")
	}
	if f.Outcome != "" && !slices.Contains(outcomes, f.Outcome) {
		broken("outcome", string(f.Outcome), fmt.Sprintf("is unknown; use one of %q", outcomes))
	}
	if f.After != "" {
		if _, _, err := f.After.Position(); err != nil {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

// Match reports whether the event is in the list that the filter asks for,
// before Offset and Limit are applied. It is the reference that every
// repository must agree with, for filters that Validate accepts.
func (f Filter) Match(e Event) bool {
	values := e.stringValues()
	for i, want := range f.stringValues() {
		if want != "" && want != values[i] {
			return false
		}
	}
	if f.Outcome != "" && f.Outcome != e.Outcome {
		return false
	}
	if !f.From.IsZero() && e.Timestamp.Before(f.From) {
		return false
	}
	if !f.To.IsZero() && !e.Timestamp.Before(f.To) {
		return false
	}
	return f.After == "" || f.behind(e)
}

// behind reports whether the event comes after the filter's cursor.
func (f Filter) behind(e Event) bool {
	timestamp, id, err := f.After.Position()
	if err != nil {
		return false
	}
	c := position{e.Timestamp, e.ID}.compare(position{timestamp, id})
	if f.Order == NewestFirst {
		return c < 0
	}
	return c > 0
}

// IsZero reports whether the filter narrows nothing: it asks for every event.
// Order and a zero Limit do not narrow.
func (f Filter) IsZero() bool {
	if f.From.IsZero() && f.To.IsZero() {
		f.From, f.To = time.Time{}, time.Time{} // whatever their zones
	}
	f.Order = OldestFirst
	return f == Filter{}
}
