package event

import (
	"encoding/base64"
	"encoding/binary"
	"strings"
	"time"
	"unicode/utf8"
)

// Cursor is a place in a list of events: the event it was taken from, by
// timestamp and ID. A Filter with a cursor in After goes on behind that event,
// at any depth at the same cost, and is not disturbed by events written
// meanwhile. It is opaque text that is safe in a URL; the zero value is the
// start of the list. A broken one is reported by Filter.Validate.
type Cursor string

// cursorVersion is the first byte of a cursor's binary form; behind it stand
// the microseconds since 1970 as eight bytes, big endian, and the ID.
const cursorVersion = 1

// Cursor returns the cursor that stands behind the event.
func (e Event) Cursor() Cursor {
	return position{e.Timestamp, e.ID}.cursor()
}

// Position returns the timestamp and ID the cursor stands behind. The error is
// a *FieldError that wraps ErrInvalid.
func (c Cursor) Position() (timestamp time.Time, id string, err error) {
	p, ok := c.decode()
	if !ok {
		return time.Time{}, "", &FieldError{
			Field: "after", Value: string(c),
			Reason: "is not a cursor; pass one that Event.Cursor returned, unchanged",
		}
	}
	return p.timestamp, p.id, nil
}

// decode refuses all text that Event.Cursor does not return for some valid
// event, so that repositories get nothing from it that they cannot compare.
func (c Cursor) decode() (p position, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(string(c))
	if err != nil || len(raw) < 10 || raw[0] != cursorVersion {
		return position{}, false
	}
	micros := int64(binary.BigEndian.Uint64(raw[1:9]))
	p = position{time.UnixMicro(micros).UTC(), string(raw[9:])}
	return p, inCalendar(p.timestamp) && utf8.ValidString(p.id) && p.cursor() == c
}

// position is what lists are ordered by.
type position struct {
	timestamp time.Time
	id        string
}

func (p position) cursor() Cursor {
	raw := make([]byte, 0, 9+len(p.id))
	raw = append(raw, cursorVersion)
	raw = binary.BigEndian.AppendUint64(raw, uint64(p.timestamp.UnixMicro()))
	raw = append(raw, p.id...)
	return Cursor(base64.RawURLEncoding.EncodeToString(raw))
}

func (p position) compare(q position) int {
	if c := p.timestamp.Compare(q.timestamp); c != 0 {
		return c
	}
	return strings.Compare(p.id, q.id)
}
