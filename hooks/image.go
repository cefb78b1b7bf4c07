package hooks

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strings"

	"github.com/eventaudit/eventaudit/internal/redact"
)

// image is one row as it was at one moment.
type image struct {
	// key is the identity of the row within its table, empty when nothing
	// identifies it; raw are the values of the key columns as the database
	// takes them.
	key string
	raw []any
	// place is where PostgreSQL has the row, in tables with triggers.
	place any
	// cells are its cells as JSON, see cell; the nil ones are made of the
	// values as the set of the row encodes them.
	cells  [][]byte
	values []any
	of     *images
	// identity is what a trace of an upsert knows the row by.
	identity string
}

// images are rows of one table with the same columns.
type images struct {
	*layout
	types []string // of the columns; empty where rows are documents
	rows  []image
	// texts says that texts are keys as they are.
	texts bool
	// encode and memory make cells of values.
	encode func(into []byte, value any, typeName string) []byte
	memory []byte
}

// noImages are no rows, of no columns.
func noImages() *images { return &images{layout: &layout{}} }

// imagesOf returns the rows of a buffer that holds whole rows of the table.
func (c *capturer) imagesOf(t *table, b *buffer) (*images, error) {
	if c.dialect.documents {
		return c.fromDocuments(t, b)
	}
	names, types := make([]string, len(b.columns)), make([]string, len(b.columns))
	for i, column := range b.columns {
		names[i], types[i] = column.name, column.typeName
		if declared, ok := t.facts.types[column.name]; ok {
			types[i] = declared
		}
	}
	set := &images{layout: c.layoutOf(t, names), types: types, rows: make([]image, len(b.values)), texts: c.dialect.writeLock, encode: c.dialect.encode}
	cells := make([][]byte, len(b.values)*len(names))
	for i, values := range b.values {
		row := &set.rows[i]
		row.of, row.values, row.raw = set, values, make([]any, len(set.keys))
		row.cells, cells = cells[:len(names):len(names)], cells[len(names):]
		for j, place := range set.keys {
			row.raw[j] = values[place]
		}
		// SQLite allows any number of rows with the same key if a part of it is
		// null, and nothing finds them by it.
		if !slices.Contains(row.raw, nil) {
			row.key = set.keyOf(row)
		}
	}
	return set, nil
}

// cell returns a cell of the row as JSON.
func (row *image) cell(i int) []byte {
	if row.cells[i] == nil {
		row.cells[i] = row.of.encoded(row.values[i], row.of.types[i])
	}
	return row.cells[i]
}

// encoded encodes a value into memory that many share.
func (set *images) encoded(value any, typeName string) []byte {
	const room, most = 64, 1 << 16
	if cap(set.memory)-len(set.memory) < room {
		set.memory = make([]byte, 0, min(max(4*room, 2*cap(set.memory)), most))
	}
	start := len(set.memory)
	set.memory = set.encode(set.memory, value, typeName)
	return set.memory[start:len(set.memory):len(set.memory)]
}

// same reports whether two rows have the same in a column. Most values need not
// be encoded for that.
func (row *image) same(other *image, i int) bool {
	if row.cells[i] == nil && other.cells[i] == nil && row.of.types[i] == other.of.types[i] && identical(row.values[i], other.values[i]) {
		return true
	}
	return bytes.Equal(row.cell(i), other.cell(i))
}

// identical reports whether two values of a driver are the same; it may be
// false where they are.
func identical(a, b any) bool {
	switch a := a.(type) {
	case nil:
		return b == nil
	case int64:
		b, ok := b.(int64)
		return ok && a == b
	case float64:
		b, ok := b.(float64)
		return ok && math.Float64bits(a) == math.Float64bits(b) // -0 is another number
	case string:
		b, ok := b.(string)
		return ok && a == b
	case []byte:
		b, ok := b.([]byte)
		return ok && bytes.Equal(a, b)
	}
	return false
}

// keyOf returns the identity of a row by its cells. SQLite keeps times as texts
// with their zone, so that one moment may be the key of several rows.
func (set *images) keyOf(row *image) string {
	var memory [64]byte
	key := memory[:0]
	for i, place := range set.keys {
		text, ok := row.raw[i].(string)
		if ok && set.texts {
			key = appendString(key, text)
		} else {
			key = append(key, row.cell(place)...)
		}
		key = append(key, ',')
	}
	return string(key)
}

// rawKeys returns the key values of every row.
func (set *images) rawKeys() [][]any {
	keys := make([][]any, len(set.rows))
	for i, row := range set.rows {
		keys[i] = row.raw
	}
	return keys
}

// objectID returns the identity of a row as events carry it: the key as text,
// a composite key as a JSON array. The key of a masked column is a hash of
// it, which still tells records apart.
func (set *images) objectID(row image) string { return set.id(row, set.keys) }

func (set *images) id(row image, keys []int) string {
	id := func(place int) []byte {
		if set.columns[place].redact || set.columns[place].drop {
			return redact.Digest(row.cell(place))
		}
		return row.cell(place)
	}
	switch len(keys) {
	case 0:
		return ""
	case 1:
		cell := id(keys[0])
		if len(cell) > 0 && cell[0] == '"' {
			return plainText(cell)
		}
		return string(cell)
	default:
		list := []byte{'['}
		for i, place := range keys {
			if i > 0 {
				list = append(list, ',')
			}
			list = append(list, id(place)...)
		}
		return string(append(list, ']'))
	}
}

// document appends the row, or only the chosen columns of it, as a JSON
// object.
func (set *images) document(into []byte, row image, mask *redact.Matcher, chosen func(i int) bool) []byte {
	into = append(into, '{')
	first := true
	for i := range set.columns {
		column := &set.columns[i]
		if column.drop || !chosen(i) {
			continue
		}
		if !first {
			into = append(into, ',')
		}
		first = false
		into = append(into, column.label...)
		into = append(into, masked(column, row.cell(i), mask)...)
	}
	return append(into, '}')
}

// size is how long a document of the chosen columns gets, with its name, unless
// something in it is escaped or masked.
func (set *images) size(row *image, chosen func(i int) bool) int {
	size := len(`"old":{},`)
	if row == nil {
		return size
	}
	for i := range row.cells {
		if chosen(i) {
			size += len(set.columns[i].label) + len(row.cell(i)) + 1
		}
	}
	return size
}

// masked returns a cell as it may be stored. Text that is a JSON document is
// masked by its keys.
func masked(column *imageColumn, cell []byte, mask *redact.Matcher) []byte {
	if string(cell) == "null" {
		return cell
	}
	if column.redact {
		return []byte(`"` + redact.Mask + `"`)
	}
	switch cell[0] {
	case '"':
		if mayBeDocument(cell[1:]) {
			if clean, hid := maskText(mask, plainText(cell)); hid {
				return appendString(nil, clean)
			}
		}
		return cell
	case '{':
		if raw, ok := bytesCell(cell); ok {
			if mayBeDocument(raw) {
				if clean, hid := maskText(mask, string(raw)); hid {
					return appendBytes(nil, []byte(clean))
				}
			}
			return cell
		}
	}
	return mask.JSON(cell)
}

// mayBeDocument reports whether text may begin like a JSON document: with white
// space, maybe escaped, or with a bracket.
func mayBeDocument(text []byte) bool {
	if len(text) == 0 {
		return false
	}
	switch text[0] {
	case '{', '[', '\\', ' ', '\t', '\r', '\n':
		return true
	}
	return false
}

// maskText masks text that is a JSON document.
func maskText(mask *redact.Matcher, text string) (clean string, hid bool) {
	if start := strings.TrimLeft(text, " \t\r\n"); start == "" || start[0] != '{' && start[0] != '[' {
		return text, false
	}
	clean = string(mask.JSON(json.RawMessage(text)))
	return clean, clean != text
}

// changes reports which columns differ, and whether any of them counts.
func (set *images) changes(before, after *image) (differs []bool, counts bool) {
	differs = make([]bool, len(set.columns))
	for i := range set.columns {
		column := &set.columns[i]
		differs[i] = !before.same(after, i)
		counts = counts || differs[i] && !column.ignore && !column.drop
	}
	return differs, counts
}

// erased reports whether a row is soft-deleted: one of the columns that say
// so is neither null nor zero.
func (set *images) erased(row image) bool {
	for i := range set.columns {
		if !set.columns[i].soft {
			continue
		}
		switch string(row.cell(i)) {
		case "null", "0", "false", `""`:
		default:
			return true
		}
	}
	return false
}

// nameless reports whether nothing identifies the row.
func (row image) nameless() bool { return row.key == "" }

// content is everything in the row, for rows that have no key.
func (row *image) content() string {
	var all []byte
	for i := range row.cells {
		all = append(append(all, row.cell(i)...), ',')
	}
	return string(all)
}
