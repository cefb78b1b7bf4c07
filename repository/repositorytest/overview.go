package repositorytest

import (
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
)

func overviewCases() []testCase {
	return []testCase{
		{
			"count_up_to", "CountUpTo counts what the filter matches, and stops at the limit.",
			func(t *testing.T, s *store) {
				stored := s.write(t, mixed(30)...)
				for _, f := range []event.Filter{
					{},
					{Limit: 3, Offset: 100},
					{Category: "auth"},
					{Category: "nobody"},
					{From: noon.Add(5 * time.Second), To: noon.Add(17 * time.Second)},
					{After: stored[9].Cursor(), Order: event.NewestFirst},
				} {
					for _, most := range []int{1, 7, 29, 30, 31, 1000} {
						f := f
						got, err := repository.CountUpTo(t.Context(), s.repo, f, most)
						must(t, "CountUpTo", err)
						f.Limit, f.Offset = 0, 0
						if want := min(len(answer(stored, f)), most); got != int64(want) {
							t.Errorf("CountUpTo(%s, %d) = %d, want %d", describe(f), most, got, want)
						}
					}
				}
				_, err := repository.CountUpTo(t.Context(), s.repo, event.Filter{}, 0)
				blames(t, "CountUpTo nothing", err, "most")
			},
		},
		{
			"histogram", "Histogram counts by span and category; what it calls exact is, and a span is when all of its events may be looked at.",
			func(t *testing.T, s *store) {
				stored := s.write(t, mixed(120)...)
				for _, f := range []event.Filter{{}, {Category: "auth"}, {Actor: "anna"}, {Actor: "anna", Category: "model"}, {Category: "nobody"}} {
					for _, most := range []int{1, 5, 20, 1000} {
						slices, err := repository.Histogram(t.Context(), s.repo, f, sixSpans(), most)
						must(t, "Histogram", err)
						if problem := heldTo(slices, stored, f, most); problem != "" {
							t.Errorf("Histogram(%s, %d): %s", describe(f), most, problem)
						}
					}
				}
			},
		},
		{
			"histogram_of_all_times", "Histogram takes spans that reach beyond the years of events, and counts the first and the last moment.",
			func(t *testing.T, s *store) {
				first, last := series(2)[0], series(2)[1]
				first.Timestamp = time.Date(1, time.January, 1, 0, 0, 0, 1000, time.UTC) // not the zero time
				last.Timestamp = time.Date(9999, time.December, 31, 23, 59, 59, 999_999_000, time.UTC)
				s.write(t, first, last)
				year := func(n int) time.Time { return time.Date(n, time.January, 1, 0, 0, 0, 0, time.UTC) }
				for _, test := range []struct {
					from, to time.Time
					want     int64
				}{
					{year(-1), year(1), 0},
					{year(0), year(2), 1},
					{year(9999), last.Timestamp, 0},
					{year(9999), last.Timestamp.Add(1), 1},
					{last.Timestamp, year(10000), 1},
					{year(9999), year(10001), 1},
					{year(10000), year(10001), 0},
					{year(0), year(10001), 2},
				} {
					slices, err := repository.Histogram(t.Context(), s.repo, event.Filter{}, []repository.Span{{From: test.from, To: test.to}}, 10)
					must(t, "Histogram", err)
					if got := slices[0]; got.Total() != test.want || !got.Exact {
						t.Errorf("from %v to %v: %+v, want %d", test.from, test.to, got, test.want)
					}
				}
			},
		},
		{
			"histogram_of_nothing", "Histogram refuses spans that are out of order, and counts nothing in an empty repository.",
			func(t *testing.T, s *store) {
				slices, err := repository.Histogram(t.Context(), s.repo, event.Filter{}, sixSpans(), 10)
				must(t, "Histogram", err)
				if problem := heldTo(slices, nil, event.Filter{}, 10); problem != "" {
					t.Error(problem)
				}
				spans := sixSpans()
				spans[0], spans[1] = spans[1], spans[0]
				_, err = repository.Histogram(t.Context(), s.repo, event.Filter{}, spans, 10)
				blames(t, "Histogram", err, "spans")
				_, err = repository.Histogram(t.Context(), s.repo, event.Filter{Outcome: "odd"}, sixSpans(), 10)
				if !errors.Is(err, event.ErrInvalid) {
					t.Errorf("Histogram of an invalid filter: %v", err)
				}
			},
		},
	}
}

// mixed returns a series in several categories, of several actors.
func mixed(n int) []event.Event {
	events := series(n)
	for i := range events {
		events[i].Category = []string{"model", "model", "auth", "an odd\x00category"}[i%4]
		events[i].Actor = []string{"anna", "bert"}[i/3%2]
	}
	return events
}

// sixSpans are of unequal length: one before the series, one within a gap, one
// after it.
func sixSpans() []repository.Span {
	at := func(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }
	return []repository.Span{{From: at(-60), To: at(0)}, {From: at(0), To: at(5)}, {From: at(5), To: at(60)}, {From: at(70), To: at(71)}, {From: at(80), To: at(120)}, {From: at(500), To: at(600)}}
}

// heldTo says what is wrong with a histogram.
func heldTo(slices []repository.Slice, stored []event.Event, f event.Filter, most int) string {
	if len(slices) != len(sixSpans()) {
		return fmt.Sprintf("%d slices", len(slices))
	}
	for i, span := range sixSpans() {
		f.From, f.To = span.From, span.To
		want := map[string]int64{}
		for _, e := range answer(stored, f) {
			want[e.Category]++
		}
		got := slices[i]
		switch all := (repository.Slice{Counts: want}).Total(); {
		case got.Span != span:
			return fmt.Sprintf("slice %d is of another span", i)
		case got.Exact && !maps.Equal(want, got.Counts):
			return fmt.Sprintf("slice %d counts %v, there are %v", i, got.Counts, want)
		case got.Exact && got.Unread, got.Unread && len(got.Counts) > 0:
			return fmt.Sprintf("slice %d contradicts itself: %+v", i, got)
		case !got.Exact && most >= len(stored):
			return fmt.Sprintf("slice %d is not exact, although all events could be looked at", i)
		case !got.Exact && !got.Unread && got.Total() > 5*all+5:
			return fmt.Sprintf("slice %d expects %v, there are %v", i, got.Counts, want)
		}
	}
	return ""
}
