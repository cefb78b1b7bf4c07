package export

import (
	"bytes"
	"encoding/csv"
	"io"
	"iter"

	"github.com/eventaudit/eventaudit/event"
)

// CSV writes comma-separated values as RFC 4180 describes them, with a header
// and with lines that end in LF. Files are UTF-8 without a byte order mark.
type CSV struct{ Options }

// TSV writes tab-separated values, quoted like CSV: the dialect that Python
// calls excel-tab.
type TSV struct{ Options }

// Export implements [Exporter].
func (c CSV) Export(w io.Writer, events iter.Seq2[event.Event, error]) error {
	return c.export(w, ',', events)
}

// Export implements [Exporter].
func (t TSV) Export(w io.Writer, events iter.Seq2[event.Event, error]) error {
	return t.export(w, '\t', events)
}

func (o Options) export(w io.Writer, comma rune, events iter.Seq2[event.Event, error]) error {
	columns, err := o.Columns()
	if err != nil {
		return err
	}
	labels := make([]string, len(columns))
	for i, column := range columns {
		if labels[i], err = o.Cell(column.Label); err != nil {
			return err
		}
	}
	header := newTable(w, comma)
	if err := header.write(labels); err != nil {
		return err
	}
	if err := header.flush(); err != nil {
		return err
	}
	record := make([]string, len(columns))
	return inBatches(w, events, func(into *bytes.Buffer, events []event.Event) error {
		table := newTable(into, comma)
		for i := range events {
			if err := o.fill(record, columns, &events[i]); err != nil {
				return err
			}
			if err := table.write(record); err != nil {
				return err
			}
		}
		return table.flush()
	})
}

// table writes records.
type table struct {
	to  io.Writer
	csv *csv.Writer
}

func newTable(w io.Writer, comma rune) table {
	t := table{w, csv.NewWriter(w)}
	t.csv.Comma = comma
	return t
}

// write quotes an empty cell that has the line for itself: readers take an
// empty line for no record. The standard library's writer cannot.
func (t table) write(record []string) error {
	if len(record) > 1 || record[0] != "" {
		return t.csv.Write(record)
	}
	if err := t.flush(); err != nil {
		return err
	}
	_, err := io.WriteString(t.to, "\"\"\n")
	return err
}

func (t table) flush() error {
	t.csv.Flush()
	return t.csv.Error()
}

// fill puts the cells of the event into the record.
func (o Options) fill(record []string, columns []Column, e *event.Event) (err error) {
	for i, column := range columns {
		if record[i], err = o.Cell(column.Value(e)); err != nil {
			return err
		}
	}
	return nil
}
