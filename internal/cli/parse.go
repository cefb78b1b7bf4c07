package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/eventaudit/eventaudit/event"
)

// parseEvent reads an event as exports of this and older versions have it. It
// refuses what it would have to leave out or make up.
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
	e := stored.Event
	if e.ID == "" {
		return event.Event{}, &event.FieldError{Field: "id", Value: "", Reason: "is missing; an event without one would be imported again each time"}
	}
	var err error
	if e.Timestamp, err = event.ParseTimestamp(stored.Timestamp); err != nil {
		return event.Event{}, err
	}
	return e, event.Validate(e)
}
