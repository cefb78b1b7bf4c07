package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
	"unicode/utf8"
)

// Validate reports every rule that the event breaks, each as a *FieldError,
// joined. It returns nil for an event that every repository can store. An
// empty ID or timestamp is fine: Complete fills them. The errors quote nothing
// of Payload and Result, which may hold what is to be masked, but why JSON could
// not encode them, in the words of encoding/json or of a MarshalJSON method.
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
	if len(e.ID) > MaxIDLength {
		broken("id", e.ID, fmt.Sprintf("is longer than %d bytes; leave it empty to get a UUID", MaxIDLength))
	}
	for i, value := range e.stringValues() {
		if !utf8.ValidString(value) {
			broken(stringFields[i], value, notUTF8)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(e.Meta)) {
		if value := e.Meta[key]; !utf8.ValidString(key) || !utf8.ValidString(value) {
			broken("meta", fmt.Sprintf("%q: %q", key, value), notUTF8)
		}
	}
	if !e.Timestamp.IsZero() && !inCalendar(e.Timestamp) {
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
		if reason := unfit(document.json); reason != "" {
			broken(document.name, hidden, reason)
		}
	}
	return errors.Join(problems...)
}

// hidden stands for a document in an error: no key of it has been masked.
const hidden = "***"

// unfit returns why a document cannot be stored, nothing if it can.
func unfit(document json.RawMessage) string {
	reason, failed := notEncoded(document)
	switch {
	case failed:
		return "could not be encoded: " + reason
	case tooDeep(document):
		return fmt.Sprintf("is nested deeper than %d levels; record less of it, or its text as a string", MaxDepth)
	case !json.Valid(document):
		return "is not valid JSON; encode it with event.JSON"
	case !utf8.Valid(document):
		return "is not valid UTF-8; encode it with event.JSON"
	}
	return ""
}

// inCalendar reports whether every repository can keep the time.
func inCalendar(t time.Time) bool {
	year := t.UTC().Year()
	return 1 <= year && year <= 9999
}

const notUTF8 = "is not valid UTF-8; use strings.ToValidUTF8"

var outcomes = []Outcome{OutcomeSuccess, OutcomeFailure, OutcomeDenied}
