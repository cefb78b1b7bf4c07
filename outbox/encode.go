package outbox

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/eventaudit/eventaudit/event"
)

// encode returns the event as its row stores it: payload and result to the
// byte, in columns of their own, and a JSON object of all the rest. The
// sequence is the row's.
func encode(e event.Event) (object string, payload, result any, err error) {
	payload, result = document(e.Payload), document(e.Result)
	e.Payload, e.Result, e.Sequence = nil, nil, 0
	encoded, err := json.Marshal(e)
	return string(encoded), payload, result, err
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
