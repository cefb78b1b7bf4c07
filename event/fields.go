package event

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
		set = append(set, Field{"outcome", string(f.Outcome)})
	}
	return set
}
