package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/eventaudit/eventaudit/event"
)

// parseEvent reads an event as exports of this and older versions have it. It
// refuses what it would have to leave out, change or make up.
func parseEvent(text []byte) (event.Event, error) {
	var stored struct {
		event.Event
		Timestamp string `json:"timestamp"` // older ones are no RFC 3339
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&stored); err != nil {
		return event.Event{}, fmt.Errorf("no event: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return event.Event{}, errors.New("no event: there is more behind it")
	}
	if err := eachMember(text, "", keepsField); err != nil {
		return event.Event{}, err
	}
	e := stored.Event
	if e.ID == "" {
		return event.Event{}, &event.FieldError{Field: "id", Value: "", Reason: "is missing; an event without one would be imported again each time"}
	}
	var err error
	if e.Timestamp, err = event.ParseTimestamp(stored.Timestamp); err != nil {
		return event.Event{}, err
	}
	if e.Timestamp.IsZero() {
		return event.Event{}, &event.FieldError{Field: "timestamp", Value: stored.Timestamp, Reason: "stands for no time at all; write when it happened"}
	}
	return e, event.Validate(e)
}

// eachMember calls check for every member of a JSON object. Package json takes
// the last of those that have the same name; here they are refused. The names
// of fields begin with the prefix.
func eachMember(text []byte, prefix string, check func(field string, value json.RawMessage) error) error {
	object := json.NewDecoder(bytes.NewReader(text))
	if begin, err := object.Token(); err != nil || begin != json.Delim('{') {
		return errors.New("no event: it is no JSON object")
	}
	seen := map[string]bool{}
	for object.More() {
		name, err := object.Token()
		if err != nil {
			return err
		}
		field := prefix + fmt.Sprint(name)
		if seen[field] {
			return fmt.Errorf("%s is there twice; leave only one of them", field)
		}
		seen[field] = true
		var value json.RawMessage
		if err := object.Decode(&value); err != nil {
			return err
		}
		if err := check(field, value); err != nil {
			return err
		}
	}
	return nil
}

// nullable are the fields where the ancestor has null for empty.
var nullable = []string{"actor", "action_object", "action_object_id", "target_type", "target_id", "result", "payload"}

// keepsField reports why package json would not keep the field of an event,
// which it has read, as it is.
func keepsField(field string, value json.RawMessage) error {
	misspelled := func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') }
	switch {
	case strings.ContainsFunc(field, misspelled): // package json is not strict
		return &event.FieldError{Field: "field", Value: field, Reason: "is misspelled; write it in small letters"}
	case field == "result" || field == "payload":
		return encoded(field, value)
	case field == "meta" && value[0] == '{':
		if err := eachMember(value, "meta.", keepsText); err != nil {
			return err
		}
		return keepsText(field, value) // the keys, too
	case slices.Contains(nullable, field) && string(value) == "null":
		return nil
	}
	return keepsText(field, value)
}

// keepsText reports why the texts in a value would not stay as they are.
func keepsText(field string, value json.RawMessage) error {
	if string(value) == "null" {
		return &event.FieldError{Field: field, Value: "null", Reason: "would become empty; leave the field out or write its value"}
	}
	if hasHalf(value) {
		return broken(field, value, `has half of a character, a \u from d800 to dfff alone; write the other half, too`)
	}
	return encoded(field, value)
}

func encoded(field string, value json.RawMessage) error {
	if !utf8.Valid(value) {
		return broken(field, value, "is not valid UTF-8; convert the file")
	}
	return nil
}

func broken(field string, value json.RawMessage, reason string) error {
	return &event.FieldError{Field: field, Value: string(bytes.Trim(value, `"`)), Reason: reason}
}

// hasHalf reports whether a surrogate is escaped without the other one of its
// pair.
func hasHalf(value json.RawMessage) bool {
	for i := 0; i < len(value); i++ {
		if value[i] != '\\' {
			continue
		}
		first := escaped(value[i:])
		if !utf16.IsSurrogate(first) {
			i++ // what is escaped
			continue
		}
		i += len(`\u1234`)
		if utf16.DecodeRune(first, escaped(value[i:])) == utf8.RuneError {
			return true
		}
		i += len(`\u1234`) - 1
	}
	return false
}

// escaped returns the number behind the \u that the text begins with, otherwise
// zero.
func escaped(text []byte) rune {
	if len(text) < len(`\u1234`) || text[0] != '\\' || text[1] != 'u' {
		return 0
	}
	number, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	if err != nil {
		return 0
	}
	return rune(number)
}
