package sqlrepo

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/eventaudit/eventaudit/event"
)

// Drivers spend more time on the columns of a row than on the row: a page is
// read twice as fast when its short columns come as one text, and the database
// has less to send.

// packing says which columns come as one text.
type packing int

const (
	apart  packing = iota // none
	texts                 // the text columns
	shorts                // those and the shortColumns, where they are text too
)

// shortColumns are read behind the text columns.
var shortColumns = [...]string{"timestamp", "schema_version", "before_unknown"}

// fieldEnd ends a field of the text; the escapes of stored text never look
// like it.
const fieldEnd = escapeMark + "1"

// selected are the expressions that scan reads.
func (d dialect) selected() []string {
	var selected []string
	for _, column := range textColumns {
		selected = append(selected, d.quoted(column.name))
	}
	if d.packs == texts {
		selected = []string{d.packed(selected)}
	}
	for _, name := range shortColumns {
		column := d.quoted(name)
		if name == "timestamp" {
			column = d.readTime
		}
		selected = append(selected, column)
	}
	if d.packs == shorts {
		selected = []string{d.packed(selected)}
	}
	for _, name := range [...]string{"result", "payload", "meta", "overflow", sequence} {
		selected = append(selected, d.quoted(name))
	}
	return selected
}

// packed is the expression for a text of the columns.
func (d dialect) packed(columns []string) string {
	return strings.Join(columns, "||'"+fieldEnd+"'||")
}

// unpack puts the values that were stored as text into the event: from the
// packed text, or as they stand in it.
func (d dialect) unpack(text string, e *event.Event) (err error) {
	for i := range textColumns {
		field := textColumns[i].field(e)
		if d.packs == apart {
			*field = unescape(*field)
		} else {
			*field, text = nextField(text)
		}
	}
	if d.packs != shorts {
		return nil
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
