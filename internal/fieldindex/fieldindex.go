// Package fieldindex says which fields of the event table have an index of
// their own, and on which events. Package migrate creates it, and package
// sqlrepo asks in its terms.
//
// An index on (field, timestamp, id) serves a list by any value of the field,
// rare or common, in the order of time. Most fields are empty in most events.
// Where the database can, their index leaves those out, so that a field costs
// nothing until the app uses it.
package fieldindex

import "slices"

// Fields are the fields that may have an index. The id and the actor have one
// always, and need none of these.
func Fields() []string {
	return []string{
		"category", "action", "action_object", "action_object_id", "target_type", "target_id", "outcome", "error",
		"transaction_id", "request_id", "trace_id", "tenant", "reason", "on_behalf_of", "ip_address", "user_agent",
	}
}

// Default are the fields whose index is there from the start in the dialect of
// GORM. Categories and actions are seldom rare, and every event has them, so
// that an index on them would cost each write for little. Where indexes cannot
// leave events out, this is so for nearly all fields; the history of a record
// asks for events whose target it is, of which there may be none in the table.
func Default(dialect string) []string {
	if dialect == "mysql" {
		return []string{"action_object", "target_id"}
	}
	return slices.DeleteFunc(Fields(), func(field string) bool { return field == "category" || field == "action" })
}

// Where returns the condition on the events that the index on a field holds,
// empty when it holds all.
func Where(dialect, field string) string {
	switch {
	case dialect == "mysql":
		return ""
	case field == "outcome":
		return `"outcome" <> 'success'`
	}
	return `"` + field + `" <> ''`
}
