package cloudwatchrepo

import (
	"context"
	"iter"
	"slices"

	"github.com/eventaudit/eventaudit/event"
)

// list yields the records that match the filter, in its order, each ID once
// for each timestamp.
func (r *Repository) list(ctx context.Context, f event.Filter) iter.Seq2[record, error] {
	return merge(order(f), r.timelyOf(ctx, f), r.clampedOf(ctx, f))
}

// order compares events as the filter's list does.
func order(f event.Filter) func(a, b record) int {
	if f.Order == event.NewestFirst {
		return func(a, b record) int { return event.Compare(b.event, a.event) }
	}
	return func(a, b record) int { return event.Compare(a.event, b.event) }
}

// wanted is how many records a list is read for, 0 for all. One more shows
// that the last millisecond is complete.
func wanted(f event.Filter) int {
	if n := f.Limit + f.Offset + 1; f.Limit > 0 && n > 0 {
		return n
	}
	return 0
}

// timelyOf yields the records that match under their own time. CloudWatch
// sorts them by milliseconds; those of one are sorted here.
func (r *Repository) timelyOf(ctx context.Context, f event.Filter) iter.Seq2[record, error] {
	from, to := bounds(f)
	q := request{r.timelySpan(from, to), f.Fields(), f.Order == event.NewestFirst, wanted(f)}
	return func(yield func(record, error) bool) {
		var same []record // those of one millisecond
		flush := func() bool {
			for _, rec := range firstCome(same, order(f)) {
				if !yield(rec, nil) {
					return false
				}
			}
			same = same[:0]
			return true
		}
		for rec, err := range r.read(ctx, q) {
			if err != nil {
				yield(record{}, err)
				return
			}
			if !f.Match(rec.event) {
				continue
			}
			if len(same) > 0 && rec.at != same[0].at && !flush() {
				return
			}
			same = append(same, rec)
		}
		flush()
	}
}

// firstCome sorts the records, in place, and keeps of those with one ID and one
// timestamp the one that came first.
func firstCome(records []record, compare func(a, b record) int) []record {
	slices.SortFunc(records, func(a, b record) int {
		if c := compare(a, b); c != 0 {
			return c
		}
		if a.cameBefore(b) {
			return -1
		}
		return 1
	})
	return slices.CompactFunc(records, func(a, b record) bool { return compare(a, b) == 0 })
}

// clampedOf yields the records that match under another time. CloudWatch sorts
// them by that time, so all are read, and those that come next are kept: again
// for as many as fit into memory, until there are no others.
func (r *Repository) clampedOf(ctx context.Context, f event.Filter) iter.Seq2[record, error] {
	return func(yield func(record, error) bool) {
		for {
			next := selection{compare: order(f), count: selected, bytes: selectedBytes}
			if n := wanted(f); n > 0 {
				next.count = min(n, selected)
			}
			from, to := bounds(f)
			for _, span := range r.clampedSpans(from, to) {
				for rec, err := range r.read(ctx, request{span: span, fields: f.Fields()}) {
					if err != nil {
						yield(record{}, err)
						return
					}
					if f.Match(rec.event) {
						next.add(rec)
					}
				}
			}
			next.trim()
			for _, rec := range next.records {
				if !yield(rec, nil) {
					return
				}
			}
			if !next.more {
				return
			}
			f.After = next.records[len(next.records)-1].event.Cursor()
		}
	}
}

// How many clamped records are held at once, and how many bytes of JSON.
const (
	selected      = 10_000
	selectedBytes = 64 << 20
)

// selection keeps the records that come first in an order, out of many that
// come in any.
type selection struct {
	compare      func(a, b record) int
	count, bytes int // at most
	records      []record
	size         int
	more         bool // there were others
}

func (s *selection) add(r record) {
	s.records = append(s.records, r)
	if s.size += r.size; len(s.records) >= 2*s.count || s.size >= 2*s.bytes {
		s.trim()
	}
}

// trim keeps what fits, one record at least.
func (s *selection) trim() {
	all := firstCome(s.records, s.compare)
	s.size = 0
	for i, r := range all {
		if s.size += r.size; i > 0 && (i == s.count || s.size > s.bytes) {
			clear(all[i:])
			s.records, s.more, s.size = all[:i], true, s.size-r.size
			return
		}
	}
	s.records = all
}
