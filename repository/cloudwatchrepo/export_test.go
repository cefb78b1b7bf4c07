package cloudwatchrepo

import (
	"time"

	"github.com/eventaudit/eventaudit/event"
)

// SetClock gives the repository another clock.
func SetClock(r *Repository, now func() time.Time) { r.now = now }

// AllowSkew lets clocks be that far apart.
func AllowSkew(r *Repository, skew time.Duration) { r.timing.skew = skew }

// Hurry shortens the pauses between attempts, and what one call may take.
func Hurry(r *Repository, call time.Duration) {
	r.timing.call, r.timing.pause, r.timing.poll = call, 2*time.Millisecond, time.Millisecond
}

// FilterPattern and IsPlain are tested by themselves.
func FilterPattern(f event.Filter) (pattern string, exact bool) { return filterPattern(f.Fields()) }

// Encode and Decode are tested by themselves.
func Encode(e event.Event, limit int) (message []byte, shortened bool, err error) {
	return encode(e, false, limit)
}

func Decode(message string) (event.Event, bool) { return decode(message) }

// QueryRows is how many rows a query has at most.
const QueryRows = queryRows

// BatchSizes cuts n events into batches that are shorter than any event is.
func BatchSizes(n int) (sizes []int) {
	entries := make([]entry, n)
	for _, b := range batches(entries) {
		sizes = append(sizes, len(b))
	}
	return sizes
}
