package sqlrepo

import "github.com/eventaudit/eventaudit/event"

// textColumn is a column that holds a string field of the event, as encode
// makes it.
type textColumn struct {
	name  string
	field func(*event.Event) *string
}

var textColumns = [...]textColumn{
	{"id", func(e *event.Event) *string { return &e.ID }},
	{"category", func(e *event.Event) *string { return &e.Category }},
	{"action", func(e *event.Event) *string { return &e.Action }},
	{"actor", func(e *event.Event) *string { return &e.Actor }},
	{"action_object", func(e *event.Event) *string { return &e.ActionObject }},
	{"action_object_id", func(e *event.Event) *string { return &e.ActionObjectID }},
	{"target_type", func(e *event.Event) *string { return &e.TargetType }},
	{"target_id", func(e *event.Event) *string { return &e.TargetID }},
	{"outcome", func(e *event.Event) *string { return (*string)(&e.Outcome) }},
	{"error", func(e *event.Event) *string { return &e.Error }},
	{"transaction_id", func(e *event.Event) *string { return &e.TransactionID }},
	{"request_id", func(e *event.Event) *string { return &e.RequestID }},
	{"trace_id", func(e *event.Event) *string { return &e.TraceID }},
	{"tenant", func(e *event.Event) *string { return &e.Tenant }},
	{"reason", func(e *event.Event) *string { return &e.Reason }},
	{"on_behalf_of", func(e *event.Event) *string { return &e.OnBehalfOf }},
	{"ip_address", func(e *event.Event) *string { return &e.IPAddress }},
	{"user_agent", func(e *event.Event) *string { return &e.UserAgent }},
}

// otherColumns are written and read behind the text columns, in this order.
// The types are PostgreSQL's.
var otherColumns = [...]struct{ name, kind string }{
	{"timestamp", "timestamptz"},
	{"result", "json"},
	{"payload", "json"},
	{"meta", "json"},
	{"schema_version", "integer"},
	{"before_unknown", "boolean"},
	{"overflow", "json"},
}

// beforeUnknown is the place of that column.
const beforeUnknown = len(textColumns) + 5

// typeOf is PostgreSQL's type of a column.
func typeOf(column int) string {
	if column < len(textColumns) {
		return "text"
	}
	return otherColumns[column-len(textColumns)].kind
}

const written = len(textColumns) + len(otherColumns)

// sequence is the column that the database fills.
const sequence = "sequence"

// columnNames are all columns that are written.
func columnNames() []string {
	names := make([]string, 0, written)
	for _, column := range textColumns {
		names = append(names, column.name)
	}
	for _, column := range otherColumns {
		names = append(names, column.name)
	}
	return names
}
