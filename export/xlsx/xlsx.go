// Package xlsx exports events as an Excel workbook, by way of excelize. It is
// apart from package export so that apps without it do not link excelize.
// Importing it registers the format "xlsx".
//
//	err := export.WriteFile("trail.xlsx", xlsx.Exporter{}, audit.All(ctx, event.Filter{}))
//
// The header stays in view, timestamps are dates that can be sorted and
// calculated with, and a new sheet begins when one is full. All other cells are
// text, so that no number loses a digit.
//
// # Limits
//
// A workbook cannot hold everything that an event can; JSON Lines can.
//
//   - A cell has at most 32,767 characters, counted in UTF-16. What is longer is
//     cut and ends in "… [cut]".
//   - Dates have milliseconds, and begin in 1900. Earlier ones are text.
//   - Control characters cannot be in XML and appear as U+FFFD.
//
// The limits are those of Microsoft's page "Excel specifications and limits".
// While it writes, the sheets lie uncompressed in a temporary folder of the
// system (see os.TempDir), a gigabyte or so for a million events, and up to
// 32 MiB of each sheet in memory.
package xlsx

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/xuri/excelize/v2"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/export"
)

func init() {
	export.Register("xlsx", export.Format{
		MediaType: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
		New:       func(o export.Options) export.Exporter { return Exporter{o} },
	})
}

// Exporter writes an Excel workbook. The zero value writes all fields. With a
// TimeFormat timestamps are text in that format and no dates.
type Exporter struct{ export.Options }

// Export implements [export.Exporter].
func (x Exporter) Export(w io.Writer, events iter.Seq2[event.Event, error]) (err error) {
	columns, err := x.Columns()
	if err != nil {
		return err
	}
	// A folder of our own: where excelize cannot make a file it goes on in
	// memory and does not say so.
	temporary, err := os.MkdirTemp("", "eventaudit-xlsx-")
	if err != nil {
		return fmt.Errorf("xlsx: %w", err)
	}
	file := excelize.NewFile(excelize.Options{TmpDir: temporary})
	defer func() { err = errors.Join(err, file.Close(), os.RemoveAll(temporary)) }()
	book, err := newBook(file, x.Options, columns)
	if err != nil {
		return fmt.Errorf("xlsx: %w", err)
	}
	for e, err := range events {
		if err != nil {
			return err
		}
		if err := book.add(&e); err != nil {
			return fmt.Errorf("xlsx: event %q: %w", e.ID, err)
		}
	}
	if err := book.finish(); err != nil {
		return fmt.Errorf("xlsx: %w", err)
	}
	// Excelize would collect the archive in memory; this goes straight out.
	file.SetZipWriter(func(io.Writer) excelize.ZipWriter { return zip.NewWriter(w) })
	if err := file.Write(io.Discard); err != nil {
		return fmt.Errorf("xlsx: %w", err)
	}
	return nil
}
