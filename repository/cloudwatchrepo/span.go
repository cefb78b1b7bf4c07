package cloudwatchrepo

import (
	"math"
	"time"

	"github.com/eventaudit/eventaudit/event"
)

// span is a stretch of time, in milliseconds with both ends, in the streams
// whose names start with the prefix.
type span struct {
	prefix   string
	from, to int64
}

// beginning is before everything that this package has written: newest-first
// searches cannot reach further back.
var beginning = time.Date(2024, time.January, 1, 0, 0, 0, 0, time.UTC).UnixMilli()

const forever = math.MaxInt64

func (s span) isEmpty() bool { return s.from > s.to }

// bounds returns what From, To and the cursor leave of time, in milliseconds
// with both ends.
func bounds(f event.Filter) (from, to int64) {
	from, to = math.MinInt64, forever
	if !f.From.IsZero() {
		from = f.From.UnixMilli()
	}
	if !f.To.IsZero() {
		to = f.To.UnixMilli()
	}
	if f.After == "" {
		return from, to
	}
	at, _, err := f.After.Position()
	switch {
	case err != nil: // Filter.Validate has refused it
	case f.Order == event.NewestFirst:
		to = min(to, at.UnixMilli())
	default:
		from = max(from, at.UnixMilli())
	}
	return from, to
}

// timelySpan is where events with these bounds are under their own time.
func (r *Repository) timelySpan(from, to int64) span {
	return span{r.prefix(timely), max(from, beginning), to}
}

// clampedSpans are where events with these bounds are under another time:
// late ones under one after their own, early ones under one before.
func (r *Repository) clampedSpans(from, to int64) []span {
	if from < beginning && to == forever {
		return []span{{r.prefix(clamped), beginning, forever}}
	}
	return []span{
		{r.prefix(late), max(from, beginning), forever},
		{r.prefix(early), beginning, to},
	}
}

// spansOfID are where an event with the ID can be: first where it nearly
// always is, then everywhere else. A UUIDv7 says when it was made, which was
// before the event was written, and an event is at most so old when it is
// stored under its own time.
func (r *Repository) spansOfID(id string) (likely, all []span) {
	made, ok := timeOf(id)
	if !ok {
		return nil, append(r.clampedSpans(math.MinInt64, forever), r.timelySpan(math.MinInt64, forever))
	}
	from, to := made.Add(-r.timing.skew).UnixMilli(), made.Add(r.timing.skew).UnixMilli()
	likely = []span{{r.prefix(timely), max(from, beginning), to}, {r.prefix(clamped), max(from, beginning), to}}
	all = []span{
		r.timelySpan(made.Add(-r.timing.skew-maxAge).UnixMilli(), forever),
		{r.prefix(clamped), max(from, beginning), forever},
	}
	return likely, all
}
