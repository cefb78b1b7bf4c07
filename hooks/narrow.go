package hooks

import (
	"slices"

	"gorm.io/gorm/clause"
)

// row is the select list of the table's rows, with the columns that this
// statement is captured by.
func (s *statement) row(name string) string {
	columns := s.narrow
	if columns == nil {
		columns = s.table.facts.columns
	}
	return s.dialect.row(s.table, columns, name)
}

// assigned returns the columns that an UPDATE can change, with those that name
// the row: all that its events need. It returns nil, which is all columns,
// where others may change or are asked for: by triggers, in a virtual table,
// when keys move, and for a soft delete, whose event has the whole row.
func (s *statement) assigned() []string {
	facts := s.table.facts
	set, ok := s.db.Statement.Clauses["SET"].Expression.(clause.Set)
	if !s.dialect.narrows || !ok || facts.triggers || facts.virtual || s.State == StateFull || len(s.movedKeys()) > 0 {
		return nil
	}
	needed := slices.Concat(s.table.keys, facts.generated)
	for _, assignment := range set {
		column, ok := s.table.column(assignment.Column.Name)
		if !ok || assignment.Column.Raw {
			return nil
		}
		needed = append(needed, column)
	}
	s.table.rules.mutex.RLock()
	defer s.table.rules.mutex.RUnlock()
	if slices.ContainsFunc(needed, func(column string) bool { return s.table.among(s.table.rules.erase, column) }) {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(facts.columns), func(column string) bool { return !slices.Contains(needed, column) })
}
