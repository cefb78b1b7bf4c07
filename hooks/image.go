package hooks

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/eventaudit/eventaudit/internal/redact"
)

// image is one row as it was at one moment, each cell as JSON.
type image struct {
	// key is the identity of the row within its table, empty when nothing
	// identifies it; raw are the values of the key columns as the database
	// takes them.
	key string
	raw []any
	// place is where PostgreSQL has the row, in tables with triggers.
	place any
	cells [][]byte
	// identity is what a trace of an upsert knows the row by.
	identity string
}

// images are rows of one table with the same columns.
type images struct {
	*layout
	types []string // of the columns; empty where rows are documents
	rows  []image
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
	set := &images{layout: c.layoutOf(t, names), types: types, rows: make([]image, len(b.values))}
	for i, values := range b.values {
		row := &set.rows[i]
		row.cells = c.encodeRow(values, types)
		if !set.nullKey(row.cells) {
			row.key = set.keyOf(row.cells)
		}
		for _, place := range set.keys {
			row.raw = append(row.raw, values[place])
		}
	}
	return set, nil
}

// encodeRow encodes the cells of a row into one piece of memory.
func (c *capturer) encodeRow(values []any, types []string) [][]byte {
	cells, memory := make([][]byte, len(values)), make([]byte, 0, 24*len(values))
	for i, value := range values {
		start := len(memory)
		memory = c.dialect.encode(memory, value, types[i])
		cells[i] = memory[start:len(memory):len(memory)]
	}
	return cells
}

// keyOf returns the identity of a row by its cells.
func (set *images) keyOf(cells [][]byte) string {
	var memory [64]byte
	key := memory[:0]
	for _, place := range set.keys {
		key = append(append(key, cells[place]...), ',')
	}
	return string(key)
}

// nullKey reports whether a part of the key is null. SQLite allows any number
// of rows with the same such key, and nothing finds them by it.
func (set *images) nullKey(cells [][]byte) bool {
	return slices.ContainsFunc(set.keys, func(place int) bool { return string(cells[place]) == "null" })
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
			return redact.Digest(row.cells[place])
		}
		return row.cells[place]
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
		into = append(into, masked(column, row.cells[i], mask)...)
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
	for i, cell := range row.cells {
		if chosen(i) {
			size += len(set.columns[i].label) + len(cell) + 1
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
func (set *images) changes(before, after image) (differs []bool, counts bool) {
	differs = make([]bool, len(set.columns))
	for i := range set.columns {
		column := &set.columns[i]
		differs[i] = !bytes.Equal(before.cells[i], after.cells[i])
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
		switch string(row.cells[i]) {
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
func (row image) content() string { return string(bytes.Join(row.cells, []byte(","))) }
