package sqlrepo

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/eventaudit/eventaudit/event"
)

// SQLite's drivers spend more time on the columns of a row than on the row: a
// page is read twice as fast when all short columns come as one text.

// fieldEnd ends a field of the text; the escapes of stored text never look
// like it.
const fieldEnd = escapeMark + "1"

// packedColumns are the columns in the text, in order.
func packedColumns() []string {
	names := make([]string, 0, len(textColumns)+3)
	for _, column := range textColumns {
		names = append(names, column.name)
	}
	return append(names, "timestamp", "schema_version", "before_unknown")
}

// packed is the expression for the text.
func (d dialect) packed() string {
	names := packedColumns()
	for i, name := range names {
		names[i] = d.quoted(name)
	}
	return strings.Join(names, "||'"+fieldEnd+"'||")
}

// unpack reads the text into the event.
func unpack(text string, e *event.Event) (err error) {
	for _, column := range textColumns {
		*column.field(e), text = nextField(text)
	}
	var moment, version, unknown string
	moment, text = nextField(text)
	version, text = nextField(text)
	unknown, _ = nextField(text)
	if e.Timestamp, err = time.Parse(textTime, moment); err != nil {
		return fmt.Errorf("event %q: timestamp: %w", e.ID, err)
	}
	if e.SchemaVersion, err = strconv.Atoi(version); err != nil {
		return fmt.Errorf("event %q: schema_version: %w", e.ID, err)
	}
	e.BeforeUnknown = unknown == "1"
	return nil
}

// nextField returns the first field as it was before it was stored, and the
// text behind it.
func nextField(text string) (field, rest string) {
	plain := strings.Index(text, escapeMark)
	if plain < 0 {
		return text, ""
	}
	if rest, ended := strings.CutPrefix(text[plain:], fieldEnd); ended {
		return text[:plain], rest
	}
	for at := plain; at >= 0; {
		if rest, ended := strings.CutPrefix(text[at:], fieldEnd); ended {
			return unescape(text[:at]), rest
		}
		at += len(escapeMark)
		if strings.HasPrefix(text[at:], escapeMark) {
			at += len(escapeMark)
		}
		next := strings.Index(text[at:], escapeMark)
		if next < 0 {
			break
		}
		at += next
	}
	return unescape(text), ""
}
