package hooks

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/eventaudit/eventaudit/internal/redact"
)

// image is one row as it was at one moment, each cell as JSON.
type image struct {
	// key is the identity of the row within its table.
	key   string
	cells [][]byte
}

// images are rows of one table with the same columns.
type images struct {
	columns []imageColumn
	types   []string
	keys    []int // places of the key columns; empty when the table has none
	rows    []image
}

// imageColumn is a column with what the rules say about it.
type imageColumn struct {
	name           string
	redact, ignore bool
	// soft marks a column that says whether the row is soft-deleted.
	soft bool
	// drop keeps the column out of the trail.
	drop bool
}

// imagesOf encodes the rows of a buffer that holds whole rows of the table.
func (c *capturer) imagesOf(t *table, b *buffer) *images {
	set := &images{columns: make([]imageColumn, len(b.columns)), rows: make([]image, len(b.values))}
	t.rules.mutex.RLock()
	for i, column := range b.columns {
		set.columns[i] = imageColumn{
			name:   column.name,
			redact: c.mask.Match(column.name) || slices.Contains(t.rules.redact, column.name),
			ignore: slices.Contains(t.rules.ignore, column.name),
			soft:   slices.Contains(t.rules.erase, column.name),
			drop:   slices.Contains(t.rules.drop, column.name),
		}
	}
	t.rules.mutex.RUnlock()
	set.keys = places(b.columns, t.keys)
	set.types = typeNames(t, b)
	for i, values := range b.values {
		set.rows[i] = c.imageOf(set, values)
	}
	return set
}

func (c *capturer) imageOf(set *images, values []any) image {
	row := image{cells: make([][]byte, len(values))}
	cells := make([]byte, 0, 24*len(values))
	for i, value := range values {
		start := len(cells)
		cells = c.dialect.encode(cells, value, set.types[i])
		row.cells[i] = cells[start:len(cells):len(cells)]
	}
	for _, place := range set.keys {
		row.key += string(row.cells[place]) + ","
	}
	return row
}

// typeNames returns the type of every column: the declared one where the
// catalog knows it, for drivers that cannot tell.
func typeNames(t *table, b *buffer) []string {
	names := make([]string, len(b.columns))
	for i, column := range b.columns {
		names[i] = column.typeName
		if i < len(t.facts.columns) && t.facts.columns[i].name == column.name {
			names[i] = t.facts.columns[i].typeName
		}
	}
	return names
}

// places finds the columns by name; nil when one is missing.
func places(columns []bufferColumn, names []string) []int {
	found := make([]int, 0, len(names))
	for _, name := range names {
		place := slices.IndexFunc(columns, func(c bufferColumn) bool { return c.name == name })
		if place < 0 {
			return nil
		}
		found = append(found, place)
	}
	return found
}

// objectID returns the identity of a row as events carry it: the key as text,
// a composite key as a JSON array. The key of a masked column is a hash of
// it, which still tells records apart.
func (set *images) objectID(row image) string {
	id := func(place int) []byte {
		if set.columns[place].redact {
			return redact.Digest(row.cells[place])
		}
		return row.cells[place]
	}
	switch len(set.keys) {
	case 0:
		return ""
	case 1:
		cell := id(set.keys[0])
		var plain string
		if err := json.Unmarshal(cell, &plain); err == nil && cell[0] == '"' {
			return plain
		}
		return string(cell)
	default:
		list := []byte{'['}
		for i, place := range set.keys {
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
	for i, column := range set.columns {
		if column.drop || !chosen(i) {
			continue
		}
		if !first {
			into = append(into, ',')
		}
		first = false
		into = appendString(into, column.name)
		into = append(into, ':')
		into = append(into, masked(column, row.cells[i], mask)...)
	}
	return append(into, '}')
}

// masked returns a cell as it may be stored. Text that is a JSON document is
// masked by its keys.
func masked(column imageColumn, cell []byte, mask *redact.Matcher) []byte {
	if string(cell) == "null" {
		return cell
	}
	if column.redact {
		return []byte(`"` + redact.Mask + `"`)
	}
	if len(cell) < 2 || cell[0] != '"' || (cell[1] != '{' && cell[1] != '[') {
		return cell
	}
	var document string
	if err := json.Unmarshal(cell, &document); err != nil {
		return cell
	}
	if clean := mask.JSON(json.RawMessage(document)); string(clean) != document {
		return appendString(nil, string(clean))
	}
	return cell
}

// changes reports which columns differ, and whether any of them counts.
func (set *images) changes(before, after image) (differs []bool, counts bool) {
	differs = make([]bool, len(set.columns))
	for i, column := range set.columns {
		differs[i] = !bytes.Equal(before.cells[i], after.cells[i])
		counts = counts || differs[i] && !column.ignore && !column.drop
	}
	return differs, counts
}

// erased reports whether a row is soft-deleted: one of the columns that say
// so is neither null nor zero.
func (set *images) erased(row image) bool {
	for i, column := range set.columns {
		if !column.soft {
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

// content is everything in the row, for rows that have no key.
func (row image) content() string { return string(bytes.Join(row.cells, []byte(","))) }
