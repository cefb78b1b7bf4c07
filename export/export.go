// Package export writes events to files that people and programs read: CSV,
// TSV, a JSON array and JSON Lines. Excel's format is in export/xlsx.
//
//	err := export.WriteFile("trail.csv", export.CSV{}, audit.All(ctx, event.Filter{Category: "model"}))
//
// Events are written as they are read, so that memory does not grow with their
// number. The zero value of every exporter writes all fields, in UTC.
//
// # Choosing what is written
//
// Options choose fields and their order, their labels, the time zone and the
// format of times:
//
//	export.CSV{Options: export.Options{
//		Fields:   []string{"timestamp", "actor", "action", "action_object_id"},
//		Labels:   map[string]string{"actor": "Who"},
//		Location: berlin,
//	}}
//
// # Formulas
//
// A cell that begins like a formula is run by spreadsheets. CSV, TSV and XLSX
// therefore put an apostrophe in front of such cells; see [Guard].
package export

import (
	"io"
	"iter"

	"github.com/eventaudit/eventaudit/event"
)

// Exporter writes events in one format. Implementations are values that may be
// used by several goroutines.
type Exporter interface {
	// Export writes the events to w until there are no more. It ends with the
	// first error of the events, which it returns as it is; w then holds a
	// part that is not to be taken for the whole. WriteFile sees to that.
	Export(w io.Writer, events iter.Seq2[event.Event, error]) error
}
