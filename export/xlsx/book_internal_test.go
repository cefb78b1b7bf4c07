package xlsx

import (
	"encoding/xml"
	"fmt"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/export"
)

// newReasons returns a workbook of one column.
func newReasons(t *testing.T) *book {
	t.Helper()
	options := export.Options{Fields: []string{"reason"}}
	columns, err := options.Columns()
	if err != nil {
		t.Fatal(err)
	}
	b, err := newBook(excelize.NewFile(), options, columns)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func add(t *testing.T, b *book, reason string) {
	t.Helper()
	if err := b.add(&event.Event{Reason: reason}); err != nil {
		t.Fatal(err)
	}
}

// A sheet has 1,048,576 rows; the next event begins another.
func TestSheetsEndWhereExcelEndsThem(t *testing.T) {
	t.Parallel()
	b := newReasons(t)
	b.row = maxRows - 1
	add(t, b, "last")
	add(t, b, "first")
	add(t, b, "second")
	if err := b.finish(); err != nil {
		t.Fatal(err)
	}
	archive, err := b.file.WriteToBuffer()
	if err != nil {
		t.Fatal(err)
	}
	file, err := excelize.OpenReader(archive)
	if err != nil {
		t.Fatal(err)
	}
	last, err := file.GetCellValue("Events", "A1048576")
	if err != nil || last != "last" {
		t.Errorf("the last row of the first sheet is %q (error %v)", last, err)
	}
	second, err := file.GetRows("Events 2")
	if err != nil || fmt.Sprint(second) != "[[reason] [first] [second]]" {
		t.Errorf("the second sheet has %v (error %v)", second, err)
	}
}

// A sheet of 4 GiB would make an archive that Excel cannot read.
func TestSheetsStayBelow4GiB(t *testing.T) {
	t.Parallel()
	b := newReasons(t)
	add(t, b, strings.Repeat("a", 1000))
	if b.bytes < 1000 {
		t.Errorf("%d bytes are counted for a cell of 1000", b.bytes)
	}
	b.bytes = maxBytes + 1
	add(t, b, "next")
	if got := fmt.Sprint(b.file.GetSheetList()); got != "[Events Events 2]" {
		t.Errorf("sheets are %s", got)
	}
}

// What is counted for a text is no less than what it takes.
func FuzzInXML(f *testing.F) {
	f.Add(`<a href="x">'&'</a>`)
	f.Add("\x00\t\r\n_x000D_")
	f.Fuzz(func(t *testing.T, text string) {
		var out strings.Builder
		if err := xml.EscapeText(&out, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if strings.ToValidUTF8(text, "") == text && inXML(text) < out.Len() {
			t.Errorf("%q takes %d bytes, %d are counted", text, out.Len(), inXML(text))
		}
	})
}
