package redisrepo

import (
	"strconv"
	"time"
)

// retention says which bucket an event belongs into.
type retention struct {
	keep, width int64 // milliseconds; no width is forever
}

// newRetention cuts the time into buckets of a tenth of the retention: as many
// as a list can read from without noticing.
func newRetention(keep time.Duration) retention {
	if keep == 0 {
		return retention{}
	}
	ms := keep.Milliseconds()
	return retention{ms, max(ms/10, 1)}
}

// forever is the bucket of events that do not expire.
const forever = "0"

// bucket names the bucket of an event by the moment at which Redis drops it, in
// milliseconds since 1970. So a bucket needs no further description, and a
// changed retention begins new buckets instead of changing old ones.
//
// The moment depends on the event's own time alone, never on the clock of who
// writes it.
func (r retention) bucket(timestamp time.Time) string {
	if r.width == 0 {
		return forever
	}
	expiry := ((timestamp.UnixMilli()+r.keep)/r.width + 1) * r.width
	return strconv.FormatInt(max(expiry, 1), 10)
}
