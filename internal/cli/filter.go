package cli

import (
	"errors"

	"github.com/spf13/pflag"

	"github.com/eventaudit/eventaudit/event"
)

// selecting explains the flags of filterFlags to those who select with them.
const selecting = "An event is selected when it has every value that the flags give, exactly."

// narrowing is the value of a flag that selects events. It is not empty: that
// of an empty variable in a script would have all of them removed.
type narrowing string

func (n *narrowing) String() string { return string(*n) }
func (n *narrowing) Type() string   { return "string" }

func (n *narrowing) Set(value string) error {
	if value == "" {
		return errors.New("an empty value narrows nothing; leave the flag out where that is meant")
	}
	*n = narrowing(value)
	return nil
}

// filterFlags adds a flag for every field of the filter, named after it, to
// select events with.
func filterFlags(flags *pflag.FlagSet, f *event.Filter) {
	for _, field := range fieldsOf(f) {
		flags.Var((*narrowing)(field.target), field.name, field.meaning)
	}
}

// fieldFlags adds the same flags, to make an event of. There an empty value is
// none.
func fieldFlags(flags *pflag.FlagSet, f *event.Filter) {
	for _, field := range fieldsOf(f) {
		flags.StringVar(field.target, field.name, "", field.meaning)
	}
}

// field is a field of a filter, as a flag.
type field struct {
	name    string
	target  *string
	meaning string
}

func fieldsOf(f *event.Filter) []field {
	return []field{
		{"id", &f.ID, "the event's own `ID`"},
		{"category", &f.Category, "the `KIND` of event: model for rows, api for calls, audit for the trail itself, or the app's own"},
		{"action", &f.Action, "`WHAT` was done, for example created, changed or deleted"},
		{"actor", &f.Actor, "`WHO` did it"},
		{"action-object", &f.ActionObject, "the `MODEL` it was done to, for example Order"},
		{"action-object-id", &f.ActionObjectID, "the primary `KEY` of what it was done to"},
		{"target-type", &f.TargetType, "the `KIND` of the second thing involved"},
		{"target-id", &f.TargetID, "the `KEY` of the second thing involved"},
		{"outcome", (*string)(&f.Outcome), "`HOW` it ended: success, failure or denied"},
		{"error", &f.Error, "the `TEXT` of the error behind a failure"},
		{"transaction-id", &f.TransactionID, "the `ID` that events of one transaction share"},
		{"request-id", &f.RequestID, "the `ID` of the request behind it"},
		{"trace-id", &f.TraceID, "the `ID` of the trace it belongs to"},
		{"tenant", &f.Tenant, "the `TENANT` it belongs to"},
		{"reason", &f.Reason, "`WHY` it was done"},
		{"on-behalf-of", &f.OnBehalfOf, "for `WHOM` the actor did it"},
		{"ip-address", &f.IPAddress, "the `ADDRESS` it came from"},
		{"user-agent", &f.UserAgent, "the `PROGRAM` it came from, as browsers name themselves"},
	}
}
