package admin

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
)

// histogram shows how the events that are asked for are spread over time. Each
// bar leads to its time.
type histogram struct {
	Bars []bar
	// Legend are the categories, those with the most events first.
	Legend []series
	// Ticks are the moments below the bars.
	Ticks []string
	// Width and Height are those of the drawing, in its own units; Most is what
	// the highest bar stands for.
	Width, Height int
	Most          string
	// Wider is the list within twice the time, when it is bounded at all.
	Wider string
}

// bar is a span of time.
type bar struct {
	X, Width int
	Link     string
	Label    string
	Parts    []part
	Rough    bool
}

// part is a category within a bar.
type part struct {
	Y, Height int
	Class     string
}

// series is a category in the legend.
type series struct{ Class, Label string }

const (
	maxBars    = 48
	minBars    = 23 // fewer would be walls
	barWidth   = 20
	barGap     = 3
	plotHeight = 96
	// lookedAt is how many events of a bar are looked at.
	lookedAt = 32
	// maxSeries is how many categories have a colour of their own.
	maxSeries = 5
)

// steps are how long a bar may be.
var steps = []time.Duration{
	time.Second, 5 * time.Second, 15 * time.Second, 30 * time.Second,
	time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour,
	24 * time.Hour, 2 * 24 * time.Hour, 7 * 24 * time.Hour, 14 * 24 * time.Hour, 28 * 24 * time.Hour,
	91 * 24 * time.Hour, 365 * 24 * time.Hour, 5 * 365 * 24 * time.Hour,
}

// histogram returns nil where there is nothing to draw: free text is searched
// in several lists at once.
func (h *panel) histogram(ctx context.Context, q query) (*histogram, error) {
	if q.text != "" {
		return nil, nil
	}
	from, to, err := h.reach(ctx, q.filter)
	if err != nil || !from.Before(to) {
		return nil, err
	}
	spans := spansOf(from, to)
	slices, err := repository.Histogram(ctx, h.audit.Repository(), q.filter, spans, lookedAt)
	if err != nil {
		return nil, err
	}
	return q.draw(slices, h.options.Location), nil
}

// reach returns the time that the list spans: what is asked for, as far as
// there are events.
func (h *panel) reach(ctx context.Context, f event.Filter) (from, to time.Time, err error) {
	end := func(order event.Order) (time.Time, error) {
		f.Order, f.Limit, f.After = order, 1, ""
		events, err := h.audit.Events(ctx, f)
		if err != nil || len(events) == 0 {
			return time.Time{}, err
		}
		return events[0].Timestamp, nil
	}
	if from, err = end(event.OldestFirst); err != nil || from.IsZero() {
		return from, to, err
	}
	if to, err = end(event.NewestFirst); err != nil {
		return from, to, err
	}
	return from, to.Add(time.Microsecond), nil
}

// spansOf cuts a time into spans of a length that people count in.
func spansOf(from, to time.Time) (spans []repository.Span) {
	step := steps[len(steps)-1]
	for _, shorter := range steps {
		if to.Sub(from)/shorter < maxBars-1 {
			step = shorter
			break
		}
	}
	from = later(from, to.Add(-(maxBars-1)*step)) // the trail is older than bars can be
	from = earlier(from, to.Add(-minBars*step))
	for at := from.Truncate(step); at.Before(to); at = at.Add(step) {
		spans = append(spans, repository.Span{From: at, To: at.Add(step)})
	}
	return spans
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// draw lays the slices out.
func (q query) draw(counted []repository.Slice, zone *time.Location) *histogram {
	h := &histogram{Width: len(counted)*barWidth - barGap, Height: plotHeight}
	order, most := ranked(counted)
	h.Most = number(most)
	for i, category := range order[:min(len(order), maxSeries)] {
		h.Legend = append(h.Legend, series{class(i), clip(category, inList/2)})
	}
	if len(order) > maxSeries {
		h.Legend = append(h.Legend, series{class(maxSeries), "other"})
	}
	for i, s := range counted {
		b := bar{
			X: i * barWidth, Width: barWidth - barGap, Link: q.between(s.From, s.To),
			Label: describe(s, zone), Rough: !s.Exact,
		}
		b.stack(s, order, most)
		h.Bars = append(h.Bars, b)
	}
	for _, s := range []repository.Slice{counted[0], counted[len(counted)/2], counted[len(counted)-1]} {
		h.Ticks = append(h.Ticks, s.From.In(zone).Format(layoutOf(s)))
	}
	if !q.filter.From.IsZero() || !q.filter.To.IsZero() {
		whole := counted[len(counted)-1].To.Sub(counted[0].From)
		h.Wider = q.between(counted[0].From.Add(-whole/2), counted[len(counted)-1].To.Add(whole/2))
	}
	return h
}

// ranked returns the categories by how many events they have, and how many the
// fullest slice has.
func ranked(counted []repository.Slice) (categories []string, most int64) {
	sums := map[string]int64{}
	for _, s := range counted {
		most = max(most, s.Total())
		for category, n := range s.Counts {
			sums[category] += n
		}
	}
	categories = slices.Collect(maps.Keys(sums))
	slices.SortFunc(categories, func(a, b string) int { return cmp.Or(cmp.Compare(sums[b], sums[a]), cmp.Compare(a, b)) })
	return categories, most
}

func class(i int) string { return fmt.Sprintf("c%d", min(i, maxSeries)) }

// stack puts the categories of a slice on top of each other. What is there is
// seen, however little it is.
func (b *bar) stack(s repository.Slice, order []string, most int64) {
	y := plotHeight
	for i, category := range order {
		n := s.Counts[category]
		if n == 0 {
			continue
		}
		height := min(y, max(2, int(n*plotHeight/most)))
		y -= height
		b.Parts = append(b.Parts, part{y, height, class(i)})
	}
}

// layoutOf is how exactly the times of a slice are shown.
func layoutOf(s repository.Slice) string {
	if s.To.Sub(s.From) < time.Minute {
		return "2006-01-02 15:04:05"
	}
	return "2006-01-02 15:04"
}

// describe says what a bar stands for.
func describe(s repository.Slice, zone *time.Location) string {
	layout := layoutOf(s)
	span := s.From.In(zone).Format(layout) + " to " + s.To.In(zone).Format(layout) + ": "
	switch {
	case s.Unread:
		return span + "not counted"
	case !s.Exact:
		return span + "about " + events(s.Total())
	}
	return span + events(s.Total())
}
