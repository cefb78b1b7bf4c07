package cloudwatchrepo

import (
	"slices"
	"strings"

	"github.com/eventaudit/eventaudit/event"
)

// maxPattern is how many characters a filter pattern may have, from the
// reference of FilterLogEvents.
const maxPattern = 1024

// selective are the fields that few events share, those that fewer share
// first. They go into a pattern that has no room for all.
var selective = []string{"id", "action_object_id", "transaction_id", "request_id", "trace_id", "target_id", "actor"}

// filterPattern returns a pattern that lets every event pass that has the
// fields, and others too: values that a pattern cannot hold safely are left
// out of it, as an asterisk is a wildcard even in quotes and nobody documents
// how a quote is escaped. Every event is checked again when it is here. exact
// reports whether all of the fields are in the pattern.
func filterPattern(fields []event.Field) (pattern string, exact bool) {
	var conditions []string
	free := maxPattern - len("{  }")
	exact = true
	for _, field := range bySelectivity(fields) {
		condition := `($.` + field.Name + ` = "` + field.Value + `")`
		if free -= len(condition) + len(" && "); !isPlain(field.Value) || free < 0 {
			free += len(condition) + len(" && ")
			exact = false
			continue
		}
		conditions = append(conditions, condition)
	}
	if len(conditions) == 0 {
		return "", exact
	}
	return "{ " + strings.Join(conditions, " && ") + " }", exact
}

func bySelectivity(fields []event.Field) []event.Field {
	rank := func(f event.Field) int {
		if i := slices.Index(selective, f.Name); i >= 0 {
			return i
		}
		return len(selective)
	}
	sorted := slices.Clone(fields)
	slices.SortStableFunc(sorted, func(a, b event.Field) int { return rank(a) - rank(b) })
	return sorted
}

// isPlain reports whether the value means itself in quotes, in a pattern, in a
// query, and in the JSON of an event alike.
func isPlain(value string) bool {
	for i := range len(value) {
		c := value[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && !strings.ContainsRune(" _.:@/+-", rune(c)) {
			return false
		}
	}
	return strings.TrimSpace(value) == value
}
