package repositorytest

import (
	"fmt"
	"testing"
	"time"

	"github.com/eventaudit/eventaudit/event"
)

func timestampCases() []testCase {
	return []testCase{
		{
			"range", "Timestamps of the years 1 to 9999 are kept to the microsecond, found by their bounds and listed in their order.", timestampRange,
		},
		{
			"zones", "Timestamps come back in UTC, whatever zone they were given in.",
			func(t *testing.T, s *store) {
				var events []event.Event
				for hours := -12; hours <= 14; hours += 2 {
					e := plain(fmt.Sprintf("zone%+03d", hours))
					e.Timestamp = noon.In(time.FixedZone("zone", hours*3600))
					events = append(events, e)
				}
				s.expectAll(t, s.write(t, events...))
			},
		},
		{
			"precision", "Timestamps are cut to microseconds, not rounded.",
			func(t *testing.T, s *store) {
				var events []event.Event
				for _, ns := range []time.Duration{0, 1, 499, 500, 999, 1000, 1999, 999_999_499, 999_999_999} {
					e := plain(fmt.Sprintf("ns-%09d", ns))
					e.Timestamp = noon.Add(ns)
					events = append(events, e)
				}
				s.expectAll(t, s.write(t, events...))
			},
		},
		{
			"bounds", "From is inclusive and To exclusive, exact to the nanosecond although timestamps have microseconds, in any zone.", bounds,
		},
	}
}

func timestampRange(t *testing.T, s *store) {
	moments := []time.Time{
		time.Date(1, time.January, 1, 0, 0, 0, 1000, time.UTC),
		time.Date(1582, time.October, 10, 1, 2, 3, 4000, time.UTC),
		time.Date(1969, time.December, 31, 23, 59, 59, 999_999_000, time.UTC),
		time.Unix(0, 0).UTC(),
		time.Date(1970, time.January, 1, 0, 0, 0, 1000, time.UTC),
		time.Date(2016, time.December, 31, 23, 59, 59, 999_999_000, time.UTC),
		time.Date(2024, time.February, 29, 0, 0, 0, 0, time.UTC),
		time.Date(2038, time.January, 19, 3, 14, 8, 0, time.UTC),
		time.Date(2262, time.April, 12, 0, 0, 0, 0, time.UTC), // beyond nanoseconds in 64 bits
		time.Date(9999, time.December, 31, 23, 59, 59, 999_999_000, time.UTC),
	}
	var events []event.Event
	for i, moment := range moments {
		e := plain(fmt.Sprintf("event-%d", len(moments)-i)) // IDs in the other direction
		e.Timestamp = moment
		events = append(events, e)
	}
	stored := s.write(t, events...)
	s.expectAll(t, stored)
	s.expect(t, event.Filter{Order: event.NewestFirst}, stored)
	for _, e := range stored {
		s.expect(t, event.Filter{From: e.Timestamp}, stored)
		s.expect(t, event.Filter{To: e.Timestamp}, stored)
		s.expect(t, event.Filter{After: e.Cursor()}, stored)
		s.expect(t, event.Filter{After: e.Cursor(), Order: event.NewestFirst}, stored)
	}
}

func bounds(t *testing.T, s *store) {
	var events []event.Event
	for _, us := range []time.Duration{-2, -1, 0, 1, 2} {
		e := plain(fmt.Sprintf("us%+d", us))
		e.Timestamp = noon.Add(us * time.Microsecond)
		events = append(events, e)
	}
	stored := s.write(t, events...)
	far := time.FixedZone("far", 14*3600)
	for _, ns := range []time.Duration{-2500, -2000, -1001, -1000, -999, -500, -1, 0, 1, 499, 500, 999, 1000, 1001, 2000, 2500} {
		bound := noon.Add(ns)
		s.expect(t, event.Filter{From: bound}, stored)
		s.expect(t, event.Filter{To: bound}, stored)
		s.expect(t, event.Filter{From: bound, To: bound}, stored)
		s.expect(t, event.Filter{From: bound, To: bound.Add(time.Nanosecond)}, stored)
		s.expect(t, event.Filter{From: bound.In(far), To: bound.In(far).Add(time.Microsecond)}, stored)
		s.expect(t, event.Filter{To: bound, Order: event.NewestFirst, Limit: 1}, stored)
	}
}
