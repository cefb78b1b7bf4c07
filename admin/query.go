package admin

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/days"
)

// query is what the address of the events page asks for. Everything that
// narrows the list is in it, so that it can be shared.
type query struct {
	// filter has the fields and the times.
	filter event.Filter
	// text is searched in the fields that hold ids.
	text string
	// quick is the name of a quick range, which counts back from now.
	quick string
	// size is how many events there are on a page.
	size int
	// after and before are where the page begins or ends; oldest asks for the
	// last page.
	after, before event.Cursor
	oldest        bool
	// given is what the form showed, as it was typed.
	given url.Values
}

// The names in the address besides those of the fields.
const (
	paramText   = "q"
	paramFrom   = "from"
	paramTo     = "to"
	paramQuick  = "range"
	paramSize   = "limit"
	paramAfter  = "after"
	paramBefore = "before"
	paramOldest = "oldest"
)

const (
	defaultSize = 50
	maxSize     = 200
	// maxValue is how long what is asked for may be.
	maxValue = 2000
)

// sizes are what the form offers.
var sizes = []int{25, 50, 100, maxSize}

// quickRange is a time that counts back from now.
type quickRange struct {
	Name, Label string
	begin       func(now time.Time) time.Time
}

var quickRanges = []quickRange{
	{"1h", "Last hour", func(now time.Time) time.Time { return now.Add(-time.Hour) }},
	{"today", "Today", func(now time.Time) time.Time {
		year, month, day := now.Date()
		return days.Begin(year, month, day, now.Location())
	}},
	{"7d", "7 days", func(now time.Time) time.Time { return now.AddDate(0, 0, -7) }},
	{"30d", "30 days", func(now time.Time) time.Time { return now.AddDate(0, 0, -30) }},
}

// parseQuery reads an address. The error joins what is wrong with it; the query
// then holds what is right, and asks for nothing that was not asked for.
func parseQuery(values url.Values, now time.Time) (query, error) {
	q := query{size: defaultSize, given: url.Values{}}
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(values)) {
		value := meant(name, values.Get(name))
		if value == "" {
			continue
		}
		q.given.Set(name, value)
		if len(values[name]) > 1 {
			problems = append(problems, &event.FieldError{Field: name, Value: value, Reason: "is there more than once; name it once"})
		} else if err := q.set(name, value, now); err != nil {
			problems = append(problems, err)
		}
	}
	if q.quick != "" && !q.filter.From.IsZero() {
		q.quick = ""
	}
	for _, r := range quickRanges {
		if r.Name == q.quick {
			q.filter.From = r.begin(now).Truncate(time.Second)
		}
	}
	if len(problems) == 0 {
		problems = append(problems, q.check())
	}
	return q, errors.Join(problems...)
}

// meant takes the blanks around a value away that are no part of it. What a field
// of an event has to be is taken as it is: events may have blanks there.
func meant(name, value string) string {
	if slices.Contains(event.FilterFields(), name) {
		return value
	}
	return strings.TrimSpace(value)
}

// check reports what is wrong with the whole.
func (q query) check() error {
	f := q.filter
	f.After = q.after
	err := f.Validate()
	f.After = q.before
	return errors.Join(err, f.Validate())
}

func (q *query) set(name, value string, now time.Time) (err error) {
	if len(value) > maxValue {
		return &event.FieldError{Field: name, Value: value, Reason: fmt.Sprintf("is longer than %d bytes; shorten it", maxValue)}
	}
	switch name {
	case paramText:
		q.text = value
	case paramFrom:
		q.filter.From, err = parseTime(name, value, now.Location())
	case paramTo:
		q.filter.To, err = parseTime(name, value, now.Location())
	case paramQuick:
		if !slices.ContainsFunc(quickRanges, func(r quickRange) bool { return r.Name == value }) {
			return &event.FieldError{Field: name, Value: value, Reason: "is unknown; use 1h, today, 7d or 30d"}
		}
		q.quick = value
	case paramSize:
		size, failed := strconv.Atoi(value)
		if failed != nil || size < 1 || size > maxSize {
			return &event.FieldError{Field: name, Value: value, Reason: fmt.Sprintf("is no number from 1 to %d", maxSize)}
		}
		q.size = size
	case paramAfter:
		q.after = event.Cursor(value)
	case paramBefore:
		q.before = event.Cursor(value)
	case paramOldest:
		q.oldest = true
	default:
		return q.filter.Set(name, value)
	}
	return err
}

// clockLayouts are how times may be written: as browsers do, and as people do.
// Programs write RFC 3339.
var clockLayouts = []string{
	"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly,
}

func parseTime(name, value string, zone *time.Location) (time.Time, error) {
	t, ok := timeOf(value, zone)
	switch {
	case !ok:
		return time.Time{}, &event.FieldError{Field: name, Value: value, Reason: "is no time; write it as 2026-01-31 14:00"}
	case t.IsZero(): // a filter would take it for none
		return time.Time{}, &event.FieldError{Field: name, Value: value, Reason: "is where time begins, which bounds nothing; leave it empty"}
	}
	return t, nil
}

func timeOf(value string, zone *time.Location) (t time.Time, ok bool) {
	if t, err := time.ParseInLocation(time.RFC3339Nano, value, zone); err == nil {
		return t, true
	}
	for _, layout := range clockLayouts {
		if t, err := time.ParseInLocation(layout, value, zone); err == nil {
			return atMidnight(layout, value, t), true
		}
	}
	return time.Time{}, false
}

// atMidnight returns the time, and where midnight is written the beginning of
// the day: the clocks may pass over its midnight.
func atMidnight(layout, value string, t time.Time) time.Time {
	written, err := time.Parse(layout, value)
	if err != nil || !written.Equal(written.Truncate(24*time.Hour)) {
		return t
	}
	year, month, day := written.Date()
	return days.Begin(year, month, day, t.Location())
}

// narrowing returns what narrows the list, without the place in it.
func (q query) narrowing() url.Values {
	values := url.Values{}
	for _, field := range q.filter.Fields() {
		values.Set(field.Name, field.Value)
	}
	set := func(name, value string) {
		if value != "" {
			values.Set(name, value)
		}
	}
	set(paramText, q.text)
	set(paramQuick, q.quick)
	if q.quick == "" {
		set(paramFrom, stamp(q.filter.From))
	}
	set(paramTo, stamp(q.filter.To))
	if q.size != defaultSize {
		set(paramSize, strconv.Itoa(q.size))
	}
	return values
}

// stamp writes a time so that nothing of it is lost.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339Nano)
}

// link is the address of the events page for the query with something else in
// it: pairs of names and values, of which an empty value takes the name out.
func (q query) link(changes ...string) string {
	values := q.narrowing()
	for i := 0; i < len(changes); i += 2 {
		if changes[i+1] == "" {
			values.Del(changes[i])
		} else {
			values.Set(changes[i], changes[i+1])
		}
	}
	return address("./", values)
}

// between is the address of the list within a span.
func (q query) between(from, to time.Time) string {
	return q.link(paramQuick, "", paramFrom, stamp(from), paramTo, stamp(to))
}

func address(page string, values url.Values) string {
	if len(values) == 0 {
		return page
	}
	return page + "?" + values.Encode()
}
