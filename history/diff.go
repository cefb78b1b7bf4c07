package history

import (
	"cmp"
	"maps"
	"slices"

	"gorm.io/gorm/schema"

	"github.com/eventaudit/eventaudit/internal/lifeline"
)

// Diff returns the columns that differ between two snapshots, by name. A column
// that is unknown in one of them is in the list, and marked so. A snapshot
// without a record has no columns.
func Diff[T any](a, b Snapshot[T]) []Change {
	var differing []Change
	for _, column := range columnsOf(a, b) {
		c := Change{Column: column, Old: a.Cells[column], New: b.Cells[column], Field: fieldName(cmp.Or(a.model, b.model), column)}
		c.Unknown = slices.Contains(a.Unknown, column) || slices.Contains(b.Unknown, column)
		if c.Unknown || c.Old == nil || c.New == nil || !lifeline.Same(c.Old, c.New) {
			differing = append(differing, c)
		}
	}
	return differing
}

// fieldName returns the model's name of a column, empty where it has none.
func fieldName(model *schema.Schema, column string) string {
	if model == nil {
		return ""
	}
	if field := model.LookUpField(column); field != nil {
		return field.Name
	}
	return ""
}

// columnsOf returns the columns of the snapshots, sorted.
func columnsOf[T any](snapshots ...Snapshot[T]) []string {
	columns := map[string]bool{}
	for _, s := range snapshots {
		for column := range s.Cells {
			columns[column] = true
		}
		for _, column := range s.Unknown {
			columns[column] = true
		}
	}
	return slices.Sorted(maps.Keys(columns))
}
