package hooks

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// PostgreSQL returns each row as one JSON document, made by row_to_json. A
// statement that returned the columns themselves would fail once on every
// connection after an ALTER TABLE ("cached plan must not change result type"),
// where the app's own statement would not.

// documentRow is the select list of a whole row as a document. In it a null of
// SQL is the same as one of JSON, so that before it stand, as texts of JSON, the
// names of the columns that hold the latter.
func documentRow(t *table, name string) string {
	var list strings.Builder
	for _, column := range t.facts.columns {
		if kind := t.facts.types[column]; isJSON(kind) {
			mark := strings.ReplaceAll(string(appendString(nil, column)), "'", "''")
			list.WriteString("CASE " + kind + "_typeof(" + name + "." + t.quote(column) + ") WHEN 'null' THEN '" + mark + "' ELSE '' END||")
		}
	}
	return list.String() + "row_to_json(" + name + ".*)::text"
}

func isJSON(typeName string) bool { return typeName == "json" || typeName == "jsonb" }

// jsonNull is the cell of a column of JSON that holds its null.
const jsonNull = `"null"`

// cutNulls cuts the names of columns that hold the null of JSON from what
// documentRow selects.
func cutNulls(text []byte) (columns []string, document []byte, err error) {
	if len(text) == 0 || text[0] != '"' {
		return nil, text, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	at := 0
	for at < len(text) && text[at] == '"' {
		var column string
		if err := decoder.Decode(&column); err != nil {
			return nil, nil, err
		}
		columns, at = append(columns, column), int(decoder.InputOffset())
	}
	return columns, text[at:], nil
}

// fromDocuments reads the images from a buffer whose first column has the
// documents.
func (c *capturer) fromDocuments(t *table, b *buffer) (*images, error) {
	if len(b.values) == 0 {
		return noImages(), nil
	}
	set := &images{rows: make([]image, len(b.values))}
	for i, values := range b.values {
		text, ok := values[0].(string)
		if !ok {
			return nil, fmt.Errorf("hooks: a row came as %T instead of a document", values[0])
		}
		row := &set.rows[i]
		nulls, document, err := cutNulls([]byte(text))
		if err == nil {
			err = c.split(set, t, row, document)
		}
		if err != nil {
			return nil, fmt.Errorf("hooks: a row came as a broken document: %w", err)
		}
		if len(values) > 1 {
			row.place = values[1]
		}
		row.raw = make([]any, len(set.keys))
		for j, place := range set.keys {
			row.raw[j] = parameter(row.cells[place])
		}
		for place := range set.columns {
			row.cells[place] = presentDocument(row.cells[place], set.columns[place].kind)
			if slices.Contains(nulls, set.columns[place].name) {
				row.cells[place] = []byte(jsonNull)
			}
		}
		row.key = set.keyOf(row)
	}
	return set, nil
}

// split cuts a document into the cells of the row. The first row of a set
// names the columns, unless they are known.
func (c *capturer) split(set *images, t *table, row *image, text []byte) (err error) {
	fits := func(l *layout) (ok bool) {
		row.cells, ok = l.cells(text)
		return ok
	}
	if set.layout == nil {
		if set.layout = t.find(fits); set.layout != nil {
			return nil
		}
	} else if fits(set.layout) {
		return nil
	}
	var names []string
	if names, row.cells, err = splitObject(text); err != nil {
		return err
	}
	if row == &set.rows[0] {
		set.layout = c.layoutOf(t, names)
	}
	if !set.has(names) {
		return errors.New("its columns are not those of the row before")
	}
	return nil
}

// cells cuts a document that has the columns of the layout, as row_to_json
// writes them; ok is false for any other.
func (l *layout) cells(text []byte) (cells [][]byte, ok bool) {
	cells = make([][]byte, len(l.columns))
	before := byte('{')
	for i := range l.columns {
		if len(text) == 0 || text[0] != before {
			return nil, false
		}
		label := l.columns[i].label
		if text = text[1:]; len(text) < len(label) || string(text[:len(label)]) != label {
			return nil, false
		}
		text = text[len(label):]
		end := valueEnd(text)
		if end <= 0 {
			return nil, false
		}
		cells[i], text = text[:end:end], text[end:]
		before = ','
	}
	return cells, string(text) == "}"
}

// parameter turns a cell into a value that PostgreSQL takes for the column it
// came from: its text.
func parameter(cell []byte) any {
	if string(cell) == "null" {
		return nil
	}
	return plainText(cell)
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
		if len(cell) > 2 && inUTC(cell[1:len(cell)-1]) {
			return append(cell[:len(cell)-len(`+00:00"`)], `Z"`...)
		}
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
// values.
func splitObject(text []byte) (names []string, cells [][]byte, err error) {
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
		var name string
		if err := json.Unmarshal(rest[:end], &name); err != nil {
			return nil, nil, err
		}
		if rest, ok = bytes.CutPrefix(bytes.TrimLeft(rest[end:], " \t\r\n"), []byte(":")); !ok {
			return nil, nil, fmt.Errorf("no value for %q", name)
		}
		rest = bytes.TrimLeft(rest, " \t\r\n")
		if end = valueEnd(rest); end < 0 {
			return nil, nil, fmt.Errorf("the value of %q does not end", name)
		}
		names, cells = append(names, name), append(cells, rest[:end:end])
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
