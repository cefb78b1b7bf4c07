package migrate

import (
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/eventaudit/eventaudit/event"
)

// scanAncestor reads a row of the ancestorColumns. The error names the row.
func scanAncestor(rows *sql.Rows) (event.Event, error) {
	var e event.Event
	var id, moment, result, payload sql.NullString
	texts := [...]*string{&e.Category, &e.Action, &e.Actor, &e.ActionObject, &e.ActionObjectID, &e.TargetType, &e.TargetID}
	into := []any{&id}
	for _, field := range texts {
		into = append(into, text{field})
	}
	if err := rows.Scan(append(into, &moment, &result, &payload)...); err != nil {
		return e, err
	}
	if id.String == "" {
		return e, fmt.Errorf("a row (category %q, timestamp %q) has no id; give it one and run this again", e.Category, moment.String)
	}
	e.ID, e.Outcome = id.String, event.OutcomeSuccess
	var err error
	if e.Timestamp, err = event.ParseTimestamp(moment.String); err != nil {
		return e, unreadable(e.ID, "timestamp", moment.String, "is not an ISO 8601 date and time of the years 1 to 9999")
	}
	if e.Result, err = parseDocument(result); err != nil {
		return e, unreadable(e.ID, "result", result.String, "is not JSON")
	}
	if e.Payload, err = parseDocument(payload); err != nil {
		return e, unreadable(e.ID, "payload", payload.String, "is not JSON")
	}
	return e, nil
}

func unreadable(id, column, value, reason string) error {
	return fmt.Errorf("row %q: %w; correct it and run this again", id, &event.FieldError{Field: column, Value: value, Reason: reason})
}

// text reads a column that may be NULL, which the ancestor wrote for empty.
type text struct{ into *string }

// Scan implements sql.Scanner.
func (t text) Scan(source any) error {
	var value sql.NullString
	if err := value.Scan(source); err != nil {
		return err
	}
	*t.into = value.String
	return nil
}

// parseDocument returns the document as it is spelled. Text columns may hold
// an empty string where there is none.
func parseDocument(value sql.NullString) (json.RawMessage, error) {
	if value.String == "" {
		return nil, nil
	}
	if !json.Valid([]byte(value.String)) {
		return nil, event.ErrInvalid
	}
	return json.RawMessage(value.String), nil
}
