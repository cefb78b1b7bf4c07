package outbox

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/eventaudit/eventaudit/event"
)

// encoded is an event as its row stores it: payload and result to the byte, in
// columns of their own, and a JSON object of all the rest. The sequence is the
// row's.
type encoded struct {
	event  *event.Event
	object string
}

func encode(e *event.Event) (encoded, error) {
	rest := *e
	rest.Payload, rest.Result, rest.Sequence = nil, nil, 0
	object, err := json.Marshal(rest)
	if err != nil {
		return encoded{}, fmt.Errorf("event %s: %w", e.ID, err)
	}
	return encoded{e, string(object)}, nil
}

// values returns what is in the row, in the order event_id, event, payload,
// result.
func (e *encoded) values() []any {
	return []any{escape(e.event.ID), e.object, document(e.event.Payload), document(e.event.Result)}
}

// bytes returns about how many bytes the row has.
func (e *encoded) bytes() int {
	return len(e.event.ID) + len(e.object) + len(e.event.Payload) + len(e.event.Result)
}

func document(raw json.RawMessage) any {
	if len(raw) == 0 {
		return nil
	}
	return string(raw)
}

// decode undoes encode.
func decode(sequence int64, object, payload, result []byte) (event.Event, error) {
	var e event.Event
	if err := json.Unmarshal(object, &e); err != nil {
		return event.Event{}, fmt.Errorf("row %d of %s holds no event: %w", sequence, Table, err)
	}
	e.Payload, e.Result, e.Sequence = payload, result, sequence
	return e, nil
}

// escapeMark is U+241B, SYMBOL FOR ESCAPE. PostgreSQL cannot store NUL in
// text, so that every database stores "␛0" for it and "␛␛" for the mark.
const escapeMark = "␛"

var (
	escaper   = strings.NewReplacer("\x00", escapeMark+"0", escapeMark, escapeMark+escapeMark)
	unescaper = strings.NewReplacer(escapeMark+"0", "\x00", escapeMark+escapeMark, escapeMark)
)

func escape(text string) string { return escaper.Replace(text) }

func unescape(stored string) string { return unescaper.Replace(stored) }
