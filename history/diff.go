package history

import (
	"maps"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/eventaudit/eventaudit/internal/lifeline"
)

// Diff returns the columns that differ between two snapshots, by name. A column
// that is unknown in one of them is in the list, and marked so. A snapshot
// without a record has no columns.
func Diff[T any](db *gorm.DB, a, b Snapshot[T]) ([]Change, error) {
	statement := &gorm.Statement{DB: db}
	if err := statement.Parse(new(T)); err != nil {
		return nil, err
	}
	var differing []Change
	for _, column := range columnsOf(a, b) {
		c := Change{Column: column, Old: a.Cells[column], New: b.Cells[column]}
		c.Unknown = slices.Contains(a.Unknown, column) || slices.Contains(b.Unknown, column)
		if !c.Unknown && c.Old != nil && c.New != nil && lifeline.Same(c.Old, c.New) {
			continue
		}
		c.Field = fieldName(statement.Schema, column)
		differing = append(differing, c)
	}
	return differing, nil
}

func fieldName(model *schema.Schema, column string) string {
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
