package sqlrepo

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/eventaudit/eventaudit/internal/connpool"
)

// shape is what the text of an INSERT depends on. Most columns are empty in
// most events, and the events of one statement share most of the others: those
// are said once or not at all.
type shape struct {
	// rows is how many rows the VALUES list has; zero for any number, which
	// come as arrays.
	rows int
	// same are the columns with one value for all rows, empty those with none
	// at all, each a bit.
	same, empty uint32
	// again says that the ids may be stored already.
	again bool
}

// shapeOf looks at the values of whole rows, one behind the other.
func (d dialect) shapeOf(values []any) shape {
	s := shape{rows: len(values) / written}
	for column := range written {
		if s.rows > 1 && (column == 0 || !constant(values, column)) { // ids are never the same
			continue
		}
		s.same |= 1 << column
		switch values[column] {
		case "", nil, false:
			s.empty |= 1 << column
		}
	}
	if d.unnests && s.rows > 1 {
		s.rows = 0
	}
	return s
}

// constant reports whether all rows have the same value in the column.
func constant(values []any, column int) bool {
	for at := column + written; at < len(values); at += written {
		if values[at] != values[column] {
			return false
		}
	}
	return true
}

// nothing returns an empty column as SQL has it.
func nothing(column int) string {
	switch {
	case column < len(textColumns):
		return "''"
	case column == beforeUnknown:
		return "false"
	default:
		return "NULL"
	}
}

// arguments returns what the text has placeholders for, in their order.
func (d dialect) arguments(s shape, values []any) []any {
	if s.rows == 0 {
		return arrays(s, values)
	}
	args := make([]any, 0, len(values))
	for at, value := range values {
		column := at % written
		said := d.shares && at >= written && s.shared(column)
		if !said && s.empty&(1<<column) == 0 {
			args = append(args, value)
		}
	}
	return args
}

// arrays returns the values that all rows share, and then the others, those of
// each column as the text of a PostgreSQL array, which every driver takes.
func arrays(s shape, values []any) []any {
	var args, own []any
	for column := range written {
		switch {
		case s.shared(column):
			args = append(args, values[column])
		case s.empty&(1<<column) == 0:
			own = append(own, array(values, column))
		}
	}
	return append(args, own...)
}

// shared reports whether a column has one value that is not empty.
func (s shape) shared(column int) bool { return (s.same&^s.empty)&(1<<column) != 0 }

// array returns the values of a column as the text of an array.
func array(values []any, column int) string {
	size := 2
	for at := column; at < len(values); at += written {
		size += 8
		if text, ok := values[at].(string); ok {
			size += len(text) + len(text)/4
		}
	}
	var into strings.Builder
	into.Grow(size)
	for at := column; at < len(values); at += written {
		into.WriteString(separator(at-column, "{"))
		switch value := values[at].(type) {
		case string:
			writeElement(&into, value)
		case time.Time:
			writeElement(&into, value.UTC().Format(time.RFC3339Nano))
		case nil:
			into.WriteString("NULL")
		default:
			fmt.Fprint(&into, value)
		}
	}
	into.WriteByte('}')
	return into.String()
}

// writeElement writes text as an element of an array.
func writeElement(into *strings.Builder, text string) {
	into.WriteByte('"')
	for i := range len(text) {
		if text[i] == '"' || text[i] == '\\' {
			into.WriteByte('\\')
		}
		into.WriteByte(text[i])
	}
	into.WriteByte('"')
}

// inserts holds the texts of INSERTs by their shapes.
type inserts struct {
	prefix string
	mutex  sync.RWMutex
	texts  map[shape]string
}

// maxTexts is how many of them are kept. An app has a few dozen.
const maxTexts = 1000

func (i *inserts) text(d dialect, s shape) string {
	i.mutex.RLock()
	text, ok := i.texts[s]
	i.mutex.RUnlock()
	if ok {
		return text
	}
	text = i.prefix + d.source(s)
	if s.again {
		text += d.passOver
	}
	i.mutex.Lock()
	defer i.mutex.Unlock()
	if i.texts == nil {
		i.texts = map[shape]string{}
	}
	if len(i.texts) < maxTexts {
		i.texts[s] = text
	}
	return text
}

// source is where an INSERT of the shape takes its rows from.
func (d dialect) source(s shape) string {
	if s.rows == 0 {
		return d.arraySource(s)
	}
	var text strings.Builder
	text.WriteString("VALUES ")
	var first [written]int // the numbers of the first row's arguments
	n := 0
	for row := range s.rows {
		text.WriteString(separator(row, ""))
		for column := range written {
			text.WriteString(separator(column, "("))
			switch {
			case s.empty&(1<<column) != 0:
				text.WriteString(nothing(column))
			case row > 0 && d.shares && s.shared(column):
				text.WriteString("?" + strconv.Itoa(first[column]))
			default:
				n++
				text.WriteString(d.placeholder(n))
				if row == 0 {
					first[column] = n
				}
			}
		}
		text.WriteByte(')')
	}
	return text.String()
}

// arraySource is a SELECT of the shared values and from arrays of the others.
func (d dialect) arraySource(s shape) string {
	var list, names, own strings.Builder
	n := bits.OnesCount32(s.same &^ s.empty)
	shared := 0
	for column := range written {
		list.WriteString(separator(column, "SELECT "))
		switch kind := typeOf(column); {
		case s.empty&(1<<column) != 0:
			list.WriteString(nothing(column) + "::" + kind)
		case s.shared(column):
			shared++
			list.WriteString(d.placeholder(shared) + "::" + kind)
		default:
			n++
			name := "c" + strconv.Itoa(column)
			list.WriteString("a." + name)
			names.WriteString(separator(names.Len(), "") + name)
			own.WriteString(separator(own.Len(), "") + d.placeholder(n) + "::" + kind + "[]")
		}
	}
	return list.String() + " FROM unnest(" + own.String() + ") AS a(" + names.String() + ")"
}

// separator stands in front of the nth thing of a list.
func separator(n int, first string) string {
	if n == 0 {
		return first
	}
	return ","
}

// insertPrefix is the beginning of every INSERT.
func insertPrefix(d dialect, table string) string {
	names := columnNames()
	for i, name := range names {
		names[i] = d.quoted(name)
	}
	return connpool.Deferred + "INSERT INTO " + d.quoted(table) + " (" + strings.Join(names, ",") + ") "
}
