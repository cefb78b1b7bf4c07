package hooks

import (
	"slices"
	"strings"

	"github.com/eventaudit/eventaudit/internal/connpool"
)

// marked returns a text of the app's statement with the mark of those that may
// reach the database before the events of the ones that came before, because
// they cannot look for them.
func (s *statement) marked(text string) string {
	if !s.dialect.documents || s.table.facts.fires || s.table.facts.composed || readsOthers(s.query) {
		return text
	}
	return connpool.Ahead + text
}

// readsOthers reports whether a statement may read tables besides its own. It
// is true of some that do not, and of all that are long.
func readsOthers(query string) bool {
	if len(query) > longText {
		return true
	}
	query = strings.TrimPrefix(strings.ToLower(query), "delete from ")
	return slices.ContainsFunc([]string{"select", "from", "using", "join", "with", "table"}, func(word string) bool { return strings.Contains(query, word) })
}
