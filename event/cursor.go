package event

import (
	"encoding/base64"
	"encoding/binary"
	"strings"
	"time"
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
	raw := make([]byte, 0, 9+len(e.ID))
	raw = append(raw, cursorVersion)
	raw = binary.BigEndian.AppendUint64(raw, uint64(e.Timestamp.UnixMicro()))
	raw = append(raw, e.ID...)
	return Cursor(base64.RawURLEncoding.EncodeToString(raw))
}

// Position returns the timestamp and ID the cursor stands behind. The error is
// a *FieldError that wraps ErrInvalid.
func (c Cursor) Position() (timestamp time.Time, id string, err error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(string(c))
	if err != nil || len(raw) < 10 || raw[0] != cursorVersion {
		return time.Time{}, "", &FieldError{
			Field: "after", Value: string(c),
			Reason: "is not a cursor; pass one that Event.Cursor returned, unchanged",
		}
	}
	micros := int64(binary.BigEndian.Uint64(raw[1:9]))
	return time.UnixMicro(micros).UTC(), string(raw[9:]), nil
}

// position is what lists are ordered by.
type position struct {
	timestamp time.Time
	id        string
}

func (p position) compare(q position) int {
	if c := p.timestamp.Compare(q.timestamp); c != 0 {
		return c
	}
	return strings.Compare(p.id, q.id)
}
