package hooks

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/eventaudit/eventaudit/event"
)

// summarized is the payload of the one event that stands for all rows of a
// statement that changed more than MaxRows.
type summarized struct {
	Verb         string           `json:"verb"`
	RowsAffected int64            `json:"rows_affected"`
	RowsRecorded int64            `json:"rows_recorded"`
	Actions      map[string]int64 `json:"actions"`
	Condition    string           `json:"condition,omitempty"`
}

// summary returns the event that stands for the rows of a statement, when
// there are more than the app wants events of. Rows are counted as they would
// have been recorded: one that is the same before and after does not count.
func (s *statement) summary(done outcome) (e event.Event, over bool, err error) {
	if s.MaxRows == 0 {
		return event.Event{}, false, nil
	}
	payload := summarized{Actions: map[string]int64{}}
	count := func(set *images, changes []change) error {
		for _, c := range changes {
			if action, _, ok := s.actionOf(set, c); ok {
				payload.Actions[action]++
				payload.RowsAffected++
			}
		}
		return nil
	}
	err = count(done.images, done.changes)
	if err == nil && done.rest != nil {
		err = done.rest(count)
	}
	if err != nil || payload.RowsAffected <= int64(s.MaxRows) {
		return event.Event{}, false, err
	}
	verb, _, _ := strings.Cut(strings.TrimSpace(s.query), " ")
	payload.Verb, payload.Condition = strings.ToUpper(verb), s.condition()
	e = event.Event{
		Category: event.CategoryModel, Action: event.ActionSummarized, ActionObject: s.table.object,
		Payload: event.JSON(payload), TransactionID: s.Transactions.ID(s.ConnPool),
	}
	e.Complete(time.Now())
	return e, true, nil
}

// condition is the statement's WHERE without any value; empty when it has
// none, and when another plugin wrote the SQL.
func (s *statement) condition() string {
	if !s.has("WHERE") {
		return ""
	}
	q := s.fresh()
	q.Build("WHERE")
	where := s.withoutValues(q.SQL.String())
	if !strings.Contains(s.withoutValues(s.db.Statement.SQL.String()), where) {
		return ""
	}
	const limit = 2000
	where = listOfValues.ReplaceAllString(strings.TrimPrefix(where, "WHERE "), "?, …")
	if len(where) > limit {
		where = strings.ToValidUTF8(where[:limit], "") + "…"
	}
	return where
}

var listOfValues = regexp.MustCompile(`\?(?:\s*,\s*\?)+`)

// withoutValues returns SQL with a question mark in the place of every
// parameter and of every value in the text itself. Comments are left out.
func (s *statement) withoutValues(sql string) string {
	var out strings.Builder
	for scan := (scanner{syntax: s.dialect.syntax, rest: sql}); ; {
		behind := len(scan.rest)
		scan.skipBlank()
		blank := len(scan.rest) < behind
		t := scan.next()
		if t.kind == endToken {
			return out.String()
		}
		if blank && out.Len() > 0 {
			out.WriteByte(' ')
		}
		switch {
		case t.symbol('$') && s.dialect.syntax == postgresSyntax:
			scan.next() // the number of the parameter
			out.WriteByte('?')
		case t.kind == stringToken, t.kind == numberToken, s.mayBeText(t):
			out.WriteByte('?')
		default:
			out.WriteString(t.text)
		}
	}
}

// mayBeText reports whether something in double quotes may be a string, which
// MySQL always and SQLite sometimes takes it for.
func (s *statement) mayBeText(t token) bool {
	if t.kind != quotedToken || t.text[0] != '"' || s.dialect.syntax == postgresSyntax {
		return false
	}
	name := strings.Trim(t.text, `"`)
	return name != s.db.Statement.Table && !slices.ContainsFunc(s.table.facts.columns, func(column string) bool {
		return s.table.same(column, name)
	})
}
