package hooks

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// PostgreSQL returns each row as one JSON document, made by row_to_json. A
// statement that returned the columns themselves would fail once on every
// connection after an ALTER TABLE ("cached plan must not change result type"),
// where the app's own statement would not.

// documentRow is the select list of a whole row as a document.
func documentRow(_ *table, name string) string {
	return "row_to_json(" + name + ".*)::text"
}

// fromDocuments reads the images from a buffer of one column of documents.
func (c *capturer) fromDocuments(t *table, b *buffer) (*images, error) {
	set := &images{rows: make([]image, len(b.values))}
	var names []string
	for i, values := range b.values {
		text, ok := values[0].(string)
		if !ok {
			return nil, fmt.Errorf("hooks: a row came as %T instead of a document", values[0])
		}
		var cells [][]byte
		var err error
		if names, cells, err = splitObject([]byte(text), names); err != nil {
			return nil, fmt.Errorf("hooks: a row came as a broken document: %w", err)
		}
		set.rows[i].cells = cells
		if len(values) > 1 {
			set.rows[i].place = values[1]
		}
	}
	c.setColumns(set, t, names)
	for i := range set.rows {
		row := &set.rows[i]
		for _, place := range set.keys {
			row.raw = append(row.raw, parameter(row.cells[place]))
		}
		for place, column := range set.columns {
			row.cells[place] = presentDocument(row.cells[place], t.facts.types[column.name])
		}
		row.key = set.keyOf(row.cells)
	}
	return set, nil
}

// parameter turns a cell into a value that PostgreSQL takes for the column it
// came from: its text.
func parameter(cell []byte) any {
	if string(cell) == "null" {
		return nil
	}
	var text string
	if cell[0] == '"' && json.Unmarshal(cell, &text) == nil {
		return text
	}
	return string(cell)
}

// presentDocument brings a cell to the form that events have on every
// database: bytes as base64, documents as text, instants in UTC.
func presentDocument(cell []byte, typeName string) []byte {
	if string(cell) == "null" {
		return cell
	}
	switch typeName {
	case "json", "jsonb":
		return appendString(nil, string(cell))
	case "bytea":
		if text, ok := parameter(cell).(string); ok {
			if raw, err := bytesOf(text); err == nil {
				return appendBytes(nil, raw)
			}
		}
	case "timestamptz":
		if text, ok := parameter(cell).(string); ok {
			if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
				return appendTime(nil, at.UTC(), time.RFC3339Nano)
			}
		}
	}
	return cell
}

// bytesOf reads the text of a bytea in either form of bytea_output.
func bytesOf(text string) ([]byte, error) {
	if digits, ok := strings.CutPrefix(text, `\x`); ok {
		return hex.DecodeString(digits)
	}
	var raw []byte
	for len(text) > 0 {
		escaped, ok := strings.CutPrefix(text, `\`)
		switch {
		case !ok:
			raw, text = append(raw, text[0]), text[1:]
		case strings.HasPrefix(escaped, `\`):
			raw, text = append(raw, '\\'), escaped[1:]
		case len(escaped) < 3:
			return nil, fmt.Errorf("%q is no bytea", text)
		default:
			octal, err := strconv.ParseUint(escaped[:3], 8, 8)
			if err != nil {
				return nil, err
			}
			raw, text = append(raw, byte(octal)), escaped[3:]
		}
	}
	return raw, nil
}

// splitObject cuts a JSON object that the database wrote into its names and
// values. Known names, from a row before, are not decoded again.
func splitObject(text []byte, known []string) (names []string, cells [][]byte, err error) {
	names = known
	rest, ok := bytes.CutPrefix(text, []byte("{"))
	if !ok {
		return nil, nil, fmt.Errorf("%.40q is not an object", text)
	}
	for {
		if rest = bytes.TrimLeft(rest, " \t\r\n,"); len(rest) > 0 && rest[0] == '}' {
			return names, cells, nil
		}
		end := valueEnd(rest)
		if end < 0 || rest[0] != '"' {
			return nil, nil, fmt.Errorf("no name at %.40q", rest)
		}
		if len(cells) == len(names) {
			var name string
			if err := json.Unmarshal(rest[:end], &name); err != nil {
				return nil, nil, err
			}
			names = append(names, name)
		}
		if rest, ok = bytes.CutPrefix(bytes.TrimLeft(rest[end:], " \t\r\n"), []byte(":")); !ok {
			return nil, nil, fmt.Errorf("no value for name %d", len(cells)+1)
		}
		rest = bytes.TrimLeft(rest, " \t\r\n")
		if end = valueEnd(rest); end < 0 {
			return nil, nil, fmt.Errorf("value %d does not end", len(cells)+1)
		}
		cells = append(cells, rest[:end:end])
		rest = rest[end:]
	}
}

// valueEnd returns where the JSON value that text begins with ends, -1 when it
// does not.
func valueEnd(text []byte) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
			if i >= len(text) {
				return -1
			}
			if depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ' ', '\n', '\t', '\r', ':':
			if depth == 0 {
				return i
			}
		}
	}
	return -1
}
