package event

// stringField is a field that Event and Filter share.
type stringField struct {
	name     string
	ofEvent  func(*Event) *string
	ofFilter func(*Filter) *string
}

// stringFields is the one list of them, in column order. Outcome, which has a
// type of its own, is not in it.
var stringFields = []stringField{
	{"id", func(e *Event) *string { return &e.ID }, func(f *Filter) *string { return &f.ID }},
	{"category", func(e *Event) *string { return &e.Category }, func(f *Filter) *string { return &f.Category }},
	{"action", func(e *Event) *string { return &e.Action }, func(f *Filter) *string { return &f.Action }},
	{"actor", func(e *Event) *string { return &e.Actor }, func(f *Filter) *string { return &f.Actor }},
	{"action_object", func(e *Event) *string { return &e.ActionObject }, func(f *Filter) *string { return &f.ActionObject }},
	{"action_object_id", func(e *Event) *string { return &e.ActionObjectID }, func(f *Filter) *string { return &f.ActionObjectID }},
	{"target_type", func(e *Event) *string { return &e.TargetType }, func(f *Filter) *string { return &f.TargetType }},
	{"target_id", func(e *Event) *string { return &e.TargetID }, func(f *Filter) *string { return &f.TargetID }},
	{"error", func(e *Event) *string { return &e.Error }, func(f *Filter) *string { return &f.Error }},
	{"transaction_id", func(e *Event) *string { return &e.TransactionID }, func(f *Filter) *string { return &f.TransactionID }},
	{"request_id", func(e *Event) *string { return &e.RequestID }, func(f *Filter) *string { return &f.RequestID }},
	{"trace_id", func(e *Event) *string { return &e.TraceID }, func(f *Filter) *string { return &f.TraceID }},
	{"tenant", func(e *Event) *string { return &e.Tenant }, func(f *Filter) *string { return &f.Tenant }},
	{"reason", func(e *Event) *string { return &e.Reason }, func(f *Filter) *string { return &f.Reason }},
	{"on_behalf_of", func(e *Event) *string { return &e.OnBehalfOf }, func(f *Filter) *string { return &f.OnBehalfOf }},
	{"ip_address", func(e *Event) *string { return &e.IPAddress }, func(f *Filter) *string { return &f.IPAddress }},
	{"user_agent", func(e *Event) *string { return &e.UserAgent }, func(f *Filter) *string { return &f.UserAgent }},
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
	for _, field := range stringFields {
		if value := *field.ofFilter(&f); value != "" {
			set = append(set, Field{field.name, value})
		}
	}
	if f.Outcome != "" {
		set = append(set, Field{"outcome", string(f.Outcome)})
	}
	return set
}
