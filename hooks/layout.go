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
	// names are those of the key, and rules is the version of the rules that it was made by.
	names []string
	rules int
	// catalogued says that the catalog names these columns, and no other.
	catalogued bool
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

// layouts remembers the layouts of a table.
type layouts struct {
	kept [8]atomic.Pointer[layout]
	next atomic.Uint32
	// odd says that the catalog names other columns even when asked again.
	odd atomic.Bool
}

// find returns a layout that is still true and meets the condition, nil when
// there is none.
func (t *table) find(meets func(*layout) bool) *layout {
	t.rules.mutex.RLock()
	defer t.rules.mutex.RUnlock()
	for i := range t.layouts.kept {
		if l := t.layouts.kept[i].Load(); l != nil && l.rules == t.rules.version && slices.Equal(l.names, t.keys) && meets(l) {
			return l
		}
	}
	return nil
}

// layoutOf returns the layout of rows with these columns, and remembers it.
func (c *capturer) layoutOf(t *table, names []string) *layout {
	if known := t.find(func(l *layout) bool { return l.has(names) }); known != nil {
		return known
	}
	l := c.layOut(t, names)
	t.layouts.kept[t.layouts.next.Add(1)%uint32(len(t.layouts.kept))].Store(l)
	return l
}

// layOut makes a layout.
func (c *capturer) layOut(t *table, names []string) *layout {
	t.rules.mutex.RLock()
	defer t.rules.mutex.RUnlock()
	l := &layout{columns: make([]imageColumn, len(names)), names: t.keys, rules: t.rules.version}
	l.catalogued = t.facts != nil && t.sameColumns(names, t.facts.columns)
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
