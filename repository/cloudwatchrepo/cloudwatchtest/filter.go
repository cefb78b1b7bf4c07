package cloudwatchtest

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// The limits of FilterLogEvents, from its reference.
const (
	maxPageEvents = 10_000
	maxPageBytes  = 1 << 20
	maxPattern    = 1024
	tokenLife     = 24 * time.Hour
)

// backwardsSince is the earliest start of a search that goes backwards.
var backwardsSince = time.Date(2024, time.January, 1, 0, 0, 0, 0, time.UTC).UnixMilli()

// search is a search of FilterLogEvents.
type search struct {
	group     *group
	within    func(*stream) bool // is searched
	match     func(record) bool
	from, to  int64
	backwards bool
	limit     int
	// at is where the page begins: its first record, or the first one after
	// it, in the direction of the search.
	at place
}

func (s *Server) filterLogEvents(in request) (any, *failure) {
	q, err := s.search(in)
	if err != nil {
		return nil, err
	}
	answer := map[string]any{"events": []any{}, "searchedLogStreams": []any{}}
	if in.empty {
		answer["nextToken"] = s.token(q, q.at)
		return answer, nil
	}
	visible := s.options.Now().Add(-s.options.Delay).UnixMilli()
	events, next := q.page(visible, s.options.Delay > 0, s.options.ScanPerPage)
	answer["events"] = events
	if next != nil {
		answer["nextToken"] = s.token(q, *next)
	}
	return answer, nil
}

func (s *Server) search(in request) (search, *failure) {
	g, err := s.group(in.LogGroupName)
	if err != nil {
		return search{}, err
	}
	pattern, problem := parsePattern(in.FilterPattern)
	q := search{group: g, to: math.MaxInt64, limit: maxPageEvents, backwards: in.StartFromHead != nil && !*in.StartFromHead}
	if in.StartTime != nil {
		q.from = *in.StartTime
	}
	if in.EndTime != nil {
		q.to = *in.EndTime
	}
	if in.Limit != nil {
		q.limit = *in.Limit
	}
	switch {
	case problem != nil:
		return search{}, invalid("Invalid filter pattern: " + problem.Error())
	case len(in.FilterPattern) > maxPattern, q.limit < 1, q.limit > maxPageEvents, q.from < 0, q.to < q.from,
		len(in.LogStreamNames) > 100, len(in.LogStreamNames) > 0 && in.LogStreamNamePrefix != "":
		return search{}, invalid("1 validation error detected")
	case q.backwards && q.from < backwardsSince:
		return search{}, invalid("startFromHead=false needs a startTime of 2024-01-01 or later")
	}
	q.match = pattern.matches
	q.within = func(s *stream) bool {
		return strings.HasPrefix(s.name, in.LogStreamNamePrefix) && (len(in.LogStreamNames) == 0 || slices.Contains(in.LogStreamNames, s.name))
	}
	q.at = place{time: q.from}
	if q.backwards {
		q.at = place{q.to, math.MaxInt64, math.MaxInt64}
	}
	if in.NextToken != "" {
		return s.resume(q, in.NextToken)
	}
	return q, nil
}

// page returns the events of one page, and where the next one begins.
func (q search) page(visible int64, delayed bool, scan int) (events []any, next *place) {
	events = []any{}
	bytes := 0
	for r := range q.records() {
		if !q.within(r.stream) {
			continue
		}
		if len(events) == q.limit || scan == 0 {
			return events, &r.place
		}
		scan--
		if delayed && r.ingested > visible || !q.match(r) {
			continue
		}
		if bytes += len(r.message); bytes > maxPageBytes && len(events) > 0 {
			return events, &r.place
		}
		events = append(events, map[string]any{
			"eventId": r.id(), "ingestionTime": r.ingested, "timestamp": r.time,
			"logStreamName": r.stream.name, "message": string(r.message),
		})
	}
	return events, nil
}

// records yields those of the range, in the direction of the search.
func (q search) records() func(yield func(record) bool) {
	return func(yield func(record) bool) {
		records := q.group.sorted()
		if q.backwards {
			for i := q.group.from(place{q.at.time, q.at.ingested, q.at.number}.after()) - 1; i >= 0 && records[i].time >= q.from; i-- {
				if !yield(records[i]) {
					return
				}
			}
			return
		}
		for i := q.group.from(q.at); i < len(records) && records[i].time <= q.to; i++ {
			if !yield(records[i]) {
				return
			}
		}
	}
}

// after is the place directly behind.
func (p place) after() place {
	if p.number < math.MaxInt64 {
		p.number++
	}
	return p
}

// id looks like those of AWS, digits only.
func (p place) id() string { return fmt.Sprintf("%020d%020d%016d", p.time, p.ingested, p.number) }

// token stands for the rest of a search.
func (s *Server) token(q search, next place) string {
	return fmt.Sprintf("%v/%d/%d/%d/%d", q.backwards, s.options.Now().UnixMilli(), next.time, next.ingested, next.number)
}

func (s *Server) resume(q search, token string) (search, *failure) {
	var issued int64
	n, err := fmt.Sscanf(strings.ReplaceAll(token, "/", " "), "%t %d %d %d %d", &q.backwards, &issued, &q.at.time, &q.at.ingested, &q.at.number)
	if n != 5 || err != nil || s.options.Now().UnixMilli()-issued > tokenLife.Milliseconds() {
		return search{}, invalid("The specified nextToken is invalid.")
	}
	return q, nil
}
