package redisrepo

import (
	"math"
	"time"

	"github.com/eventaudit/eventaudit/event"
)

// bounds are the ends of a range of members, as Redis wants them: "(" is
// without the member that follows, "[" with it, "-" and "+" are no bound.
type bounds struct{ from, to string }

// boundsOf returns the range that the filter's times and cursor leave.
func boundsOf(f event.Filter) bounds {
	b := bounds{"-", "+"}
	if !f.From.IsZero() {
		b.from = "[" + moment(firstMicro(f.From))
	}
	if !f.To.IsZero() {
		b.to = "(" + moment(firstMicro(f.To))
	}
	if f.After == "" {
		return b
	}
	timestamp, id, err := f.After.Position()
	if err != nil {
		return b // Filter.Validate has refused it
	}
	switch at := member(timestamp, id); f.Order {
	case event.NewestFirst:
		if b.to == "+" || at < b.to[1:] {
			b.to = "(" + at
		}
	default:
		if b.from == "-" || at > b.from[1:] {
			b.from = "(" + at
		}
	}
	return b
}

// firstMicro is the first microsecond that is not before the time. Times
// beyond the calendar of events stay beyond it.
func firstMicro(t time.Time) int64 {
	switch year := t.UTC().Year(); {
	case year < 0:
		return math.MinInt64
	case year > 10000:
		return math.MaxInt64
	}
	micros := t.UnixMicro() // rounds down
	if time.UnixMicro(micros).Before(t) {
		micros++
	}
	return micros
}
