package cloudwatchrepo

import (
	"cmp"
	"slices"
	"time"

	"github.com/eventaudit/eventaudit/event"
)

// The limits of PutLogEvents, from its reference.
const (
	maxEvents     = 10_000
	maxBatchBytes = 1 << 20
	eventOverhead = 26 // bytes that each event counts besides its message
	maxSpan       = 24 * time.Hour
	maxAge        = 14 * 24 * time.Hour
	maxFuture     = 2 * time.Hour
)

// batchBytes is how large batches are made: a hundredth stays free, because
// nobody has promised that AWS counts as its documentation says.
const batchBytes = maxBatchBytes / 100 * 99

// clockMargin is how far our clock may be from that of AWS, and how long an
// event may be on its way, before AWS refuses what we took for timely.
const clockMargin = 5 * time.Minute

// entry is an event on its way to CloudWatch.
type entry struct {
	event   *event.Event
	kind    kind
	at      int64 // the time under which CloudWatch is to have it, in milliseconds
	message string
}

func (e entry) size() int { return len(e.message) + eventOverhead }

// placed returns the kind of the event, and the time to store it under. An
// event that has been refused for its time is clamped whatever our clock says.
func placed(e event.Event, now time.Time, refused bool) (kind, int64) {
	if age := now.Sub(e.Timestamp); !refused && age < maxAge-clockMargin && age > clockMargin-maxFuture {
		return timely, e.Timestamp.UnixMilli()
	}
	if e.Timestamp.After(now) {
		return early, now.UnixMilli()
	}
	return late, now.UnixMilli()
}

// batch is what one call sends: events of one kind, in the order of at.
type batch []entry

// batches cuts the entries into as few as the limits allow.
func batches(entries []entry) []batch {
	slices.SortStableFunc(entries, func(a, b entry) int { return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.at, b.at)) })
	var all []batch
	start, bytes := 0, 0
	for i, e := range entries {
		first := entries[start]
		if i > start && (e.kind != first.kind || i-start == maxEvents || bytes+e.size() > batchBytes || e.at-first.at >= maxSpan.Milliseconds()) {
			all = append(all, batch(entries[start:i]))
			start, bytes = i, 0
		}
		bytes += e.size()
	}
	if start < len(entries) {
		all = append(all, batch(entries[start:]))
	}
	return all
}
