package hooks

import (
	"slices"
	"strings"
)

// Locks that capture takes must not bring deadlocks into an app that has none,
// so they follow the order in which the app's own statements take them: that
// of the keys.

// byPrimary stands behind the name of the table when its rows are looked for
// by these columns and they are its primary key. MySQL reads, and locks, a
// small table from its first row on rather than look for a few keys in it.
func (s *statement) byPrimary(columns []string) string {
	for _, index := range s.table.facts.uniques {
		if index.primary && len(index.columns) == len(columns) && !slices.ContainsFunc(columns, func(column string) bool {
			return !s.table.among(index.columns, column)
		}) {
			return s.dialect.byPrimary
		}
	}
	return ""
}

// inOrder sorts rows that are looked for by these columns, where they are
// locked in that order.
func (s *statement) inOrder(columns []string) string {
	if !s.dialect.orderedLocks {
		return ""
	}
	quoted := make([]string, len(columns))
	for i, column := range columns {
		quoted[i] = s.table.quote(column)
	}
	return " ORDER BY " + strings.Join(quoted, ",")
}

// searchesText reports whether the statement has a MATCH ... AGAINST, which
// may fail when another index is forced upon it.
func (s *statement) searchesText() bool {
	in := scanner{syntax: s.dialect.syntax, rest: s.query}
	for t := in.next(); t.kind != endToken; t = in.next() {
		if t.is("AGAINST") {
			return true
		}
	}
	return false
}
