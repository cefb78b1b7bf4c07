package sqlrepo

import "github.com/eventaudit/eventaudit/event"

// Statement returns the SELECT that Find runs for the filter.
func (r *Repository) Statement(f event.Filter) (text string, args []any) {
	s, _ := r.list(f)
	return s.text.String(), s.args
}

// Columns returns the columns that an event is written to.
func Columns() []string { return columnNames() }
