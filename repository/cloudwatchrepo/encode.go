package cloudwatchrepo

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/eventaudit/eventaudit/event"
)

// clampedMark is the field of events that CloudWatch has under another time
// than their own.
const clampedMark = `"_ts_clamped":true`

var errTooLarge = errors.New("is larger than CloudWatch takes, without its payload and result too")

// encode returns the event as one JSON object, of limit bytes at most. Where
// payload and result have to be shortened for that, shortened says so.
func encode(e event.Event, clamped bool, limit int) (message []byte, shortened bool, err error) {
	message = appendEvent(make([]byte, 0, 512+len(e.Payload)+len(e.Result)), e, clamped)
	if len(message) <= limit {
		return message, false, nil
	}
	room := limit - (len(message) - len(e.Payload) - len(e.Result))
	e.Payload, e.Result = shrinkBoth(e.Payload, e.Result, room)
	if message = appendEvent(message[:0], e, clamped); len(message) > limit {
		return nil, false, fmt.Errorf("event %q %w", e.ID, errTooLarge)
	}
	return message, true, nil
}

// appendEvent appends the event with the keys of event.Event. It is written by
// hand for its speed. The values that filter patterns ask for come first, and
// exactly as patterns and queries spell them; empty ones are left out.
func appendEvent(to []byte, e event.Event, clamped bool) []byte {
	to = append(to, `{"id":`...)
	to = appendText(to, e.ID)
	to = append(to, `,"timestamp":"`...)
	to = e.Timestamp.AppendFormat(to, time.RFC3339Nano)
	to = append(to, '"')
	for _, field := range [...]struct{ key, value string }{
		{`,"category":`, e.Category},
		{`,"action":`, e.Action},
		{`,"actor":`, e.Actor},
		{`,"action_object":`, e.ActionObject},
		{`,"action_object_id":`, e.ActionObjectID},
		{`,"target_type":`, e.TargetType},
		{`,"target_id":`, e.TargetID},
		{`,"outcome":`, string(e.Outcome)},
		{`,"transaction_id":`, e.TransactionID},
		{`,"request_id":`, e.RequestID},
		{`,"trace_id":`, e.TraceID},
		{`,"tenant":`, e.Tenant},
		{`,"reason":`, e.Reason},
		{`,"on_behalf_of":`, e.OnBehalfOf},
		{`,"ip_address":`, e.IPAddress},
		{`,"user_agent":`, e.UserAgent},
		{`,"error":`, e.Error},
	} {
		if field.value != "" {
			to = appendText(append(to, field.key...), field.value)
		}
	}
	if len(e.Meta) > 0 {
		to = appendMeta(append(to, `,"meta":`...), e.Meta)
	}
	to = strconv.AppendInt(append(to, `,"schema_version":`...), int64(e.SchemaVersion), 10)
	if e.Sequence != 0 {
		to = strconv.AppendInt(append(to, `,"sequence":`...), e.Sequence, 10)
	}
	if e.BeforeUnknown {
		to = append(to, `,"before_unknown":true`...)
	}
	if clamped {
		to = append(append(to, ','), clampedMark...)
	}
	if len(e.Payload) > 0 {
		to = append(append(to, `,"payload":`...), e.Payload...)
	}
	if len(e.Result) > 0 {
		to = append(append(to, `,"result":`...), e.Result...)
	}
	return append(to, '}')
}

func appendMeta(to []byte, meta map[string]string) []byte {
	separator := byte('{')
	for _, key := range slices.Sorted(maps.Keys(meta)) {
		to = appendText(append(to, separator), key)
		to = appendText(append(to, ':'), meta[key])
		separator = ','
	}
	return append(to, '}')
}

const hexDigits = "0123456789abcdef"

// appendText appends the text, which is valid UTF-8, as a JSON string.
func appendText(to []byte, text string) []byte {
	to = append(to, '"')
	start := 0
	for i := range len(text) {
		c := text[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		to = append(to, text[start:i]...)
		if start = i + 1; c < ' ' {
			to = append(to, `\u00`...)
			to = append(to, hexDigits[c>>4], hexDigits[c&15])
		} else {
			to = append(to, '\\', c)
		}
	}
	return append(append(to, text[start:]...), '"')
}

// decode undoes encode. It reports false for a message that is no event: what
// others wrote into our streams.
func decode(message string) (event.Event, bool) {
	var e event.Event
	err := json.Unmarshal([]byte(message), &e)
	return e, err == nil && e.ID != "" && utf8.ValidString(message)
}
