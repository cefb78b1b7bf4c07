package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Validate reports every rule that the event breaks, each as a *FieldError,
// joined. It returns nil for an event that every repository can store. An
// empty ID or timestamp is fine: Complete fills them.
func Validate(e Event) error {
	var problems []error
	broken := func(field string, value any, reason string) {
		problems = append(problems, &FieldError{Field: field, Value: value, Reason: reason})
	}
	if e.Category == "" {
		broken("category", e.Category, `is missing; say what kind of event it is, for example "custom"`)
	}
	if e.Action == "" {
		broken("action", e.Action, `is missing; say what was done, for example "report_printed"`)
	}
	for _, field := range stringFields {
		if value := *field.ofEvent(&e); !utf8.ValidString(value) {
			broken(field.name, value, "is not valid UTF-8; use strings.ToValidUTF8")
		}
	}
	for key, value := range e.Meta {
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			broken("meta", fmt.Sprintf("%q: %q", key, value), "is not valid UTF-8; use strings.ToValidUTF8")
		}
	}
	if !e.Timestamp.IsZero() && (e.Timestamp.UTC().Year() < 1 || e.Timestamp.UTC().Year() > 9999) {
		broken("timestamp", e.Timestamp, "is outside the years 1 to 9999")
	}
	if e.Outcome != "" && !slices.Contains(outcomes, e.Outcome) {
		broken("outcome", string(e.Outcome), fmt.Sprintf("is unknown; use one of %q", outcomes))
	}
	for _, document := range []struct {
		name string
		json json.RawMessage
	}{{"payload", e.Payload}, {"result", e.Result}} {
		if len(document.json) == 0 {
			continue
		}
		if reason, failed := strings.CutPrefix(string(document.json), "!"); failed {
			broken(document.name, "", "could not be encoded: "+reason)
		} else if !json.Valid(document.json) || !utf8.Valid(document.json) {
			broken(document.name, string(document.json), "is not valid JSON; encode it with event.JSON")
		}
	}
	return errors.Join(problems...)
}

var outcomes = []Outcome{OutcomeSuccess, OutcomeFailure, OutcomeDenied}
