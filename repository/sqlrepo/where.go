package sqlrepo

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/fieldindex"
)

// statement is SQL text under construction, with its arguments.
type statement struct {
	dialect dialect
	text    strings.Builder
	args    []any
	joined  bool
}

func (s *statement) add(texts ...string) {
	for _, text := range texts {
		s.text.WriteString(text)
	}
}

// mark remembers the argument and returns the placeholder for it.
func (s *statement) mark(arg any) string {
	s.args = append(s.args, arg)
	return s.dialect.placeholder(len(s.args))
}

// and begins the next condition of the WHERE clause.
func (s *statement) and(condition ...string) {
	if s.joined {
		s.add(" AND ")
	} else {
		s.add(" WHERE ")
	}
	s.joined = true
	s.add(condition...)
}

// where adds the conditions that make a row match the filter. It returns false
// when no row can, because the filter asks for a time that none has.
func (s *statement) where(f event.Filter) bool {
	for _, field := range f.Fields() {
		s.equal(f, field)
	}
	if f.From.After(latest) || !f.To.IsZero() && !f.To.After(earliest) {
		return false
	}
	if f.From.After(earliest) {
		s.and(s.timestamp(), " >= ", s.mark(s.dialect.bindTime(roundUp(f.From))))
	}
	if !f.To.IsZero() && !f.To.After(latest) {
		s.and(s.timestamp(), " < ", s.mark(s.dialect.bindTime(roundUp(f.To))))
	}
	return true
}

// equal adds the condition that the field has the value that the filter asks
// for.
func (s *statement) equal(f event.Filter, field event.Field) {
	column := s.dialect.quoted(field.Name)
	value, _ := encode(field.Value)
	switch {
	case slices.Contains(s.ranges(f), field.Name):
		s.and(column, " >= ", s.mark(value))
		s.and(column, " <= ", s.mark(value))
		return
	case ofOneRecord(f) && strings.HasPrefix(field.Name, "action_object"):
	case ofOneRecord(f) || field != leading(f):
		column = s.dialect.unindexed + column
	case s.dialect.repeatsWhere && slices.Contains(fieldindex.Fields(), field.Name) && field != successes:
		s.and(fieldindex.Where(s.dialect.name, field.Name))
	}
	s.and(column, " = ", s.mark(value))
}

// successes is what the index on the outcome leaves out.
var successes = event.Field{Name: "outcome", Value: string(event.OutcomeSuccess)}

// ranges returns the fields to be asked for as a range whose ends are equal:
// those in front of the time in the index that the list is to be read from.
func (s *statement) ranges(f event.Filter) []string {
	switch {
	case !s.dialect.equalsAsRange:
		return nil
	case ofOneRecord(f):
		return []string{"action_object", "action_object_id"}
	case f.TargetID != "":
		return []string{"target_id"}
	case f.Actor != "":
		return []string{"actor"}
	case f.ActionObject != "":
		return []string{"action_object"}
	}
	return nil
}

// ofOneRecord reports whether all events that the filter asks for are about
// the same record, which the index on it finds at once.
func ofOneRecord(f event.Filter) bool {
	return f.ActionObject != "" && f.ActionObjectID != ""
}

// bySelectivity are the fields, those first of whose values there are many.
var bySelectivity = []string{
	"id", "transaction_id", "request_id", "trace_id", "target_id", "action_object_id", "error", "reason", "actor",
	"on_behalf_of", "ip_address", "user_agent", "action_object", "tenant", "target_type", "outcome", "action", "category",
}

// leading returns the field whose index a list by several of them is best read
// from. A database that keeps no statistics has to be told.
func leading(f event.Filter) event.Field {
	return slices.MinFunc(f.Fields(), func(a, b event.Field) int {
		return slices.Index(bySelectivity, a.Name) - slices.Index(bySelectivity, b.Name)
	})
}

func (s *statement) timestamp() string { return s.dialect.quoted("timestamp") }

// behind adds the condition that a row comes after the position in the order.
//
// The databases without row comparison get it spelled out, with a bound on the
// timestamp in front, which is what their index needs to start in the middle.
func (s *statement) behind(at time.Time, id string, order event.Order) {
	than := " > "
	if order == event.NewestFirst {
		than = " < "
	}
	stored, _ := encode(id)
	moment, column := s.dialect.bindTime(at), s.dialect.quoted("id")
	if s.dialect.comparesRows {
		s.and("(", s.timestamp(), ",", column, ")", than, "(", s.mark(moment), ",", s.mark(stored), ")")
		return
	}
	s.and(s.timestamp(), strings.TrimSuffix(than, " "), "= ", s.mark(moment))
	s.and("(", s.timestamp(), than, s.mark(moment), " OR ", column, than, s.mark(stored), ")")
}

// matching adds the conditions of the filter and of its cursor, or returns
// false when no row can match. The filter has been validated.
func (s *statement) matching(f event.Filter) bool {
	if !s.where(f) {
		return false
	}
	if s.joined && s.dialect.always != "" {
		s.and(fmt.Sprintf(s.dialect.always, s.mark(true)))
	}
	if f.After == "" {
		return true
	}
	at, id, err := f.After.Position()
	if err != nil {
		return false
	}
	s.behind(at, id, f.Order)
	return true
}

// orderBy adds the order of the list.
func (s *statement) orderBy(f event.Filter) {
	var columns []string
	for _, name := range append(s.ranges(f), "timestamp", "id") {
		columns = append(columns, s.dialect.quoted(name))
	}
	direction := ""
	if f.Order == event.NewestFirst {
		direction = " DESC"
	}
	s.add(" ORDER BY ", strings.Join(columns, direction+", "), direction)
}
