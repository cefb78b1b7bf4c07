package xlsx

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/xuri/excelize/v2"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/export"
)

const (
	// maxRows is how many rows a sheet can have, the header among them.
	maxRows = 1_048_576
	// maxBytes is how much XML a sheet may have. An archive with a part of
	// 4 GiB or more needs the Zip64 format, which Excel reads only in part.
	maxBytes = 7 << 29
)

// book is a workbook that is being written.
type book struct {
	file    *excelize.File
	options export.Options
	columns []export.Column
	dates   int // the style of dates
	heading int // the style of the header

	sheet  *excelize.StreamWriter
	sheets int
	row    int
	bytes  int
	cells  []any
}

func newBook(file *excelize.File, options export.Options, columns []export.Column) (*book, error) {
	b := &book{file: file, options: options, columns: columns, cells: make([]any, len(columns))}
	format := "yyyy-mm-dd hh:mm:ss.000"
	var err error
	if b.dates, err = file.NewStyle(&excelize.Style{CustomNumFmt: &format}); err != nil {
		return nil, err
	}
	if b.heading, err = file.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true}}); err != nil {
		return nil, err
	}
	return b, b.begin()
}

// begin begins the next sheet with its header.
func (b *book) begin() error {
	name := "Events"
	if b.sheets++; b.sheets == 1 {
		if err := b.file.SetSheetName(b.file.GetSheetName(0), name); err != nil {
			return err
		}
	} else {
		name = fmt.Sprint(name, " ", b.sheets)
		if _, err := b.file.NewSheet(name); err != nil {
			return err
		}
	}
	var err error
	if b.sheet, err = b.file.NewStreamWriter(name); err != nil {
		return err
	}
	// Excelize puts each in front of those before, and they have to ascend.
	for i, column := range slices.Backward(b.columns) {
		if err := b.sheet.SetColWidth(i+1, i+1, width(column.Name)); err != nil {
			return err
		}
	}
	for i, column := range b.columns {
		label, err := b.options.Cell(column.Label)
		if err != nil {
			return err
		}
		b.cells[i] = excelize.Cell{StyleID: b.heading, Value: cut(label)}
	}
	err = b.sheet.SetPanes(&excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"})
	if err != nil {
		return err
	}
	b.row, b.bytes = 0, 0
	return b.write()
}

// width is how many characters wide a column is.
func width(name string) float64 {
	switch name {
	case "id", "transaction_id":
		return 38
	case "timestamp":
		return 24
	case "result", "payload":
		return 60
	}
	return 18
}

func (b *book) add(e *event.Event) error {
	if b.row == maxRows || b.bytes > maxBytes {
		if err := b.finish(); err != nil {
			return err
		}
		if err := b.begin(); err != nil {
			return err
		}
	}
	for i, column := range b.columns {
		cell, err := b.cell(column.Value(e))
		if err != nil {
			return err
		}
		b.cells[i] = cell
	}
	return b.write()
}

// cell returns the value as a date or a text, nil for an empty cell. Dates are
// cut to the milliseconds that are shown: rounded, the last one of a day would
// be of the next.
func (b *book) cell(value any) (any, error) {
	if at, ok := value.(time.Time); ok && b.options.TimeFormat == "" && at.Year() >= 1901 {
		return excelize.Cell{StyleID: b.dates, Value: b.options.In(at.Truncate(time.Millisecond))}, nil
	}
	text, err := b.options.Cell(value)
	if err != nil || text == "" {
		return nil, err
	}
	b.bytes += inXML(text)
	return cut(text), nil
}

func (b *book) write() error {
	b.row++
	return b.sheet.SetRow(fmt.Sprint("A", b.row), b.cells)
}

func (b *book) finish() error { return b.sheet.Flush() }

// inXML is how many bytes a cell has at most.
func inXML(text string) int {
	const around = 60
	special := 0
	for i := range len(text) {
		if text[i] < ' ' || strings.IndexByte(`"&'<>_`, text[i]) >= 0 {
			special++
		}
	}
	return around + len(text) + 6*special
}
