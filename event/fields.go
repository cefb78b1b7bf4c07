package event

import (
	"fmt"
	"slices"
)

// stringFields are the names of the string fields that Event and Filter share,
// in column order. Outcome, which has a type of its own, is not among them.
var stringFields = [...]string{
	"id", "category", "action", "actor", "action_object", "action_object_id",
	"target_type", "target_id", "error", "transaction_id", "request_id", "trace_id",
	"tenant", "reason", "on_behalf_of", "ip_address", "user_agent",
}

// stringValues are what the fields of stringFields hold, in their order.
type stringValues [len(stringFields)]string

func (e *Event) stringValues() stringValues {
	return stringValues{
		e.ID, e.Category, e.Action, e.Actor, e.ActionObject, e.ActionObjectID, e.TargetType,
		e.TargetID, e.Error, e.TransactionID, e.RequestID, e.TraceID, e.Tenant, e.Reason,
		e.OnBehalfOf, e.IPAddress, e.UserAgent,
	}
}

func (f *Filter) stringValues() stringValues {
	return stringValues{
		f.ID, f.Category, f.Action, f.Actor, f.ActionObject, f.ActionObjectID, f.TargetType,
		f.TargetID, f.Error, f.TransactionID, f.RequestID, f.TraceID, f.Tenant, f.Reason,
		f.OnBehalfOf, f.IPAddress, f.UserAgent,
	}
}

// FilterFields returns the names of the string fields that a filter can ask
// for, Outcome included, in column order.
func FilterFields() []string { return append(slices.Clone(stringFields[:]), outcomeField) }

const outcomeField = "outcome"

// Set asks for the value in the field of that name; an empty value asks for
// nothing. The error is a *FieldError when a filter has no such field.
func (f *Filter) Set(name, value string) error {
	if name == outcomeField {
		f.Outcome = Outcome(value)
		return nil
	}
	at := slices.Index(stringFields[:], name)
	if at < 0 {
		return &FieldError{Field: "field", Value: name, Reason: fmt.Sprintf("is not one that a filter has; use one of %q", FilterFields())}
	}
	*[len(stringFields)]*string{
		&f.ID, &f.Category, &f.Action, &f.Actor, &f.ActionObject, &f.ActionObjectID, &f.TargetType,
		&f.TargetID, &f.Error, &f.TransactionID, &f.RequestID, &f.TraceID, &f.Tenant, &f.Reason,
		&f.OnBehalfOf, &f.IPAddress, &f.UserAgent,
	}[at] = value
	return nil
}

// Field is a named string of an Event with the filter value asked of it.
type Field struct {
	// Name is the column name and JSON key.
	Name string
	// Value is the value in the filter; never empty.
	Value string
}

// Fields returns the string fields that the filter asks for, Outcome
// included, in column order. Repositories build their queries from it, so
// that a field added to Filter reaches all of them.
func (f Filter) Fields() []Field {
	var set []Field
	for i, value := range f.stringValues() {
		if value != "" {
			set = append(set, Field{stringFields[i], value})
		}
	}
	if f.Outcome != "" {
		set = append(set, Field{outcomeField, string(f.Outcome)})
	}
	return set
}
