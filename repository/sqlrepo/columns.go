package sqlrepo

import "github.com/eventaudit/eventaudit/event"

// textColumn is a column that holds a string field of the event.
type textColumn struct {
	name string
	// long columns take any length and have no index. The others take 255
	// characters; see encodeShort.
	long  bool
	field func(*event.Event) *string
}

var textColumns = [...]textColumn{
	{"id", false, func(e *event.Event) *string { return &e.ID }},
	{"category", false, func(e *event.Event) *string { return &e.Category }},
	{"action", false, func(e *event.Event) *string { return &e.Action }},
	{"actor", false, func(e *event.Event) *string { return &e.Actor }},
	{"action_object", false, func(e *event.Event) *string { return &e.ActionObject }},
	{"action_object_id", false, func(e *event.Event) *string { return &e.ActionObjectID }},
	{"target_type", false, func(e *event.Event) *string { return &e.TargetType }},
	{"target_id", false, func(e *event.Event) *string { return &e.TargetID }},
	{"outcome", false, func(e *event.Event) *string { return (*string)(&e.Outcome) }},
	{"error", true, func(e *event.Event) *string { return &e.Error }},
	{"transaction_id", false, func(e *event.Event) *string { return &e.TransactionID }},
	{"request_id", false, func(e *event.Event) *string { return &e.RequestID }},
	{"trace_id", false, func(e *event.Event) *string { return &e.TraceID }},
	{"tenant", false, func(e *event.Event) *string { return &e.Tenant }},
	{"reason", true, func(e *event.Event) *string { return &e.Reason }},
	{"on_behalf_of", false, func(e *event.Event) *string { return &e.OnBehalfOf }},
	{"ip_address", false, func(e *event.Event) *string { return &e.IPAddress }},
	{"user_agent", true, func(e *event.Event) *string { return &e.UserAgent }},
}

// otherColumns are written and read behind the text columns, in this order.
var otherColumns = [...]string{
	"timestamp", "result", "payload", "meta", "schema_version", "before_unknown", "overflow",
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
	return append(names, otherColumns[:]...)
}

// encode returns the value as the column stores it, and whether the whole of
// it must go into the overflow column.
func (c textColumn) encode(value string) (stored string, overflows bool) {
	if c.long {
		return escape(value), false
	}
	return encodeShort(value)
}

// encodeFilter returns the value that is stored in the named column for an
// event whose field has this value.
func encodeFilter(field event.Field) string {
	for _, column := range textColumns {
		if column.name == field.Name {
			stored, _ := column.encode(field.Value)
			return stored
		}
	}
	return field.Value
}
