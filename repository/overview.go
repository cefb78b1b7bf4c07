package repository

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/eventaudit/eventaudit/event"
)

// LimitedCounter is a repository that counts up to a limit at a cost that does
// not grow with what is beyond it.
type LimitedCounter interface {
	// CountUpTo returns how many events the filter matches, or most when there
	// are more. Limit, Offset and Order are ignored, except that Order says on
	// which side of After to count.
	CountUpTo(ctx context.Context, f event.Filter, most int) (int64, error)
}

// Histogrammer is a repository that says how its events are spread over time
// at a cost that does not grow with their number.
type Histogrammer interface {
	// Histogram returns a Slice for each span of time, for the events that the
	// filter matches. A span with no more than most events, whether they match
	// or not, is counted exactly.
	// The spans are valid (see Histogram), and the filter has no From, To,
	// Limit, Offset and After.
	Histogram(ctx context.Context, f event.Filter, spans []Span, most int) ([]Slice, error)
}

// Span is a time from a moment on and before another.
type Span struct{ From, To time.Time }

// Slice says how many events there are in a Span.
type Slice struct {
	Span
	// Counts are by category; there is none for a category without events.
	Counts map[string]int64
	// Exact says that Counts were counted. Otherwise there are more events
	// than were looked at, and Counts are what these let expect.
	Exact bool
	// Unread says that nothing is known of the span.
	Unread bool
}

// Total returns how many events there are of all categories.
func (s Slice) Total() (n int64) {
	for _, count := range s.Counts {
		n += count
	}
	return n
}

// CountUpTo returns how many events the filter matches, or most when there are
// more. Limit, Offset and Order are ignored, except that Order says on which
// side of After to count. Without a LimitedCounter it reads that many.
func CountUpTo(ctx context.Context, r Repository, f event.Filter, most int) (int64, error) {
	f.Limit, f.Offset = 0, 0
	if err := f.Validate(); err != nil {
		return 0, err
	}
	if most <= 0 {
		return 0, &event.FieldError{Field: "most", Value: most, Reason: "is not positive; say how far to count"}
	}
	if counter, ok := r.(LimitedCounter); ok {
		return counter.CountUpTo(ctx, f, most)
	}
	f.Limit = most
	var n int64
	for _, err := range r.Find(ctx, f) {
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

// Histogram says how the events that the filter matches are spread over time,
// looking at no more than about most of them in each span. The spans are in
// their order and do not overlap. From, To, Limit, Offset and After of the filter
// are ignored. Without a Histogrammer it reads the newest events, most for each
// span, and leaves older spans Unread.
func Histogram(ctx context.Context, r Repository, f event.Filter, spans []Span, most int) ([]Slice, error) {
	f.From, f.To, f.Limit, f.Offset, f.After, f.Order = time.Time{}, time.Time{}, 0, 0, "", event.OldestFirst
	if err := f.Validate(); err != nil {
		return nil, err
	}
	if err := checkSpans(spans, most); err != nil {
		return nil, err
	}
	if h, ok := r.(Histogrammer); ok && len(spans) > 0 {
		return h.Histogram(ctx, f, spans, most)
	}
	return newest(ctx, r, f, spans, most)
}

func checkSpans(spans []Span, most int) error {
	if most <= 0 {
		return &event.FieldError{Field: "most", Value: most, Reason: "is not positive; say how many events to look at"}
	}
	for i, s := range spans {
		if !s.From.Before(s.To) || i > 0 && s.From.Before(spans[i-1].To) {
			return &event.FieldError{Field: "spans", Value: i, Reason: fmt.Sprintf("is from %v to %v; put the spans in order, each with its beginning first", s.From, s.To)}
		}
	}
	return nil
}

// newest counts the newest events and leaves the spans unread that they do not
// reach.
func newest(ctx context.Context, r Repository, f event.Filter, spans []Span, most int) ([]Slice, error) {
	if len(spans) == 0 {
		return nil, nil
	}
	budget := most * len(spans)
	f.From, f.To, f.Order, f.Limit = spans[0].From, spans[len(spans)-1].To, event.NewestFirst, budget+1
	n, last := 0, time.Time{}
	counted, err := Tally(r.Find(ctx, f), spans, func(e event.Event) {
		n, last = n+1, e.Timestamp
	})
	for i := range counted {
		if s := &counted[i]; n > budget && !s.From.After(last) {
			s.Exact, s.Unread = false, !s.To.After(last)
		}
	}
	return counted, err
}

// Tally counts events by span and category, and shows each to seen, which may
// be nil. It is for repositories that find their events by looking at them.
func Tally(events iter.Seq2[event.Event, error], spans []Span, seen func(event.Event)) ([]Slice, error) {
	counted := make([]Slice, len(spans))
	for i, s := range spans {
		counted[i] = Slice{Span: s, Counts: map[string]int64{}, Exact: true}
	}
	for e, err := range events {
		if err != nil {
			return nil, err
		}
		if seen != nil {
			seen(e)
		}
		i, found := slices.BinarySearchFunc(spans, e.Timestamp, func(s Span, at time.Time) int { return s.From.Compare(at) })
		if !found {
			i--
		}
		if i >= 0 && e.Timestamp.Before(spans[i].To) {
			counted[i].Counts[e.Category]++
		}
	}
	return counted, nil
}
