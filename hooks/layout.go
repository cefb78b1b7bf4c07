package hooks

import (
	"slices"
	"sync/atomic"
)

// layout is what is known of the columns that rows come with. It is never
// changed, so that all rows of a table share it.
type layout struct {
	columns []imageColumn
	keys    []int // places of the key columns; empty when the table has none
	// rules is the version of the rules that it was made by.
	rules int
}

// imageColumn is a column with what the rules say about it.
type imageColumn struct {
	name string
	// label is the name as it stands in a JSON object, with the colon.
	label string
	// kind is the type that the catalog declares; empty where it is not asked.
	kind           string
	redact, ignore bool
	// soft marks a column that says whether the row is soft-deleted.
	soft bool
	// drop keeps the column out of the trail.
	drop bool
}

// layouts remembers the last layout of a table, which is nearly always the
// next one too.
type layouts struct{ last atomic.Pointer[layout] }

// known returns the layout that rows of the table had last; nil when there is
// none, or the rules are others by now.
func (t *table) known() *layout {
	last := t.layouts.last.Load()
	if last == nil {
		return nil
	}
	t.rules.mutex.RLock()
	defer t.rules.mutex.RUnlock()
	if last.rules != t.rules.version {
		return nil
	}
	return last
}

// layoutOf returns the layout of rows with these columns, and remembers it.
func (c *capturer) layoutOf(t *table, names []string) *layout {
	if last := t.known(); last != nil && last.has(names) {
		return last
	}
	l := c.layOut(t, names)
	t.layouts.last.Store(l)
	return l
}

// layOut makes a layout.
func (c *capturer) layOut(t *table, names []string) *layout {
	t.rules.mutex.RLock()
	defer t.rules.mutex.RUnlock()
	l := &layout{columns: make([]imageColumn, len(names)), rules: t.rules.version}
	for i, name := range names {
		l.columns[i] = imageColumn{
			name:   name,
			label:  string(appendString(nil, name)) + ":",
			redact: c.mask.Match(name) || t.among(t.rules.redact, name),
			ignore: t.among(t.rules.ignore, name),
			soft:   t.among(t.rules.erase, name),
			drop:   t.among(t.rules.drop, name),
		}
		if t.facts != nil {
			l.columns[i].kind = t.facts.types[name]
		}
	}
	for _, key := range t.keys {
		if place := slices.Index(names, key); place >= 0 { // without rows there are no names
			l.keys = append(l.keys, place)
		}
	}
	return l
}

// has reports whether these are the columns.
func (l *layout) has(names []string) bool {
	return slices.EqualFunc(l.columns, names, func(column imageColumn, name string) bool { return column.name == name })
}
