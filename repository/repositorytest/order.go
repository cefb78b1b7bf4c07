package repositorytest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/eventaudit/eventaudit/event"
)

func orderCases() []testCase {
	return []testCase{
		{
			"time", "Lists are ordered by timestamp, in both directions, whatever the order of writing and the order of IDs.",
			func(t *testing.T, s *store) {
				events := series(30)
				for i, e := range events {
					events[i].ID = fmt.Sprintf("event-%d", (i*7)%30)
					events[i].Timestamp = e.Timestamp
				}
				slices.SortFunc(events, func(a, b event.Event) int { return -event.Compare(a, b) })
				s.expectBothOrders(t, s.write(t, events...))
			},
		},
		{
			"ties", "Events of the same timestamp are ordered by ID as bytes, not by a language's rules.",
			func(t *testing.T, s *store) {
				var events []event.Event
				for _, id := range []string{
					"b", "B", "a", "A", "Z", "z", "_", "-", "~", "10", "9", "1", "aa", "a-b", "ab", "a b", "a.b",
					"é", "e", "f", "ä", "ß", "ｚ", "\uFFFD", "😀", "\uE000", "ÿ", "Ā", " ", "  ", "a ", "\x01", "\x7f",
				} {
					events = append(events, plain(id))
				}
				s.expectBothOrders(t, s.write(t, events...))
			},
		},
		{
			"limit", "Limit cuts the list; zero does not, and one beyond the end is no error.",
			func(t *testing.T, s *store) {
				stored := s.write(t, series(10)...)
				for _, limit := range []int{0, 1, 9, 10, 11, 1 << 40} {
					s.expect(t, event.Filter{Limit: limit}, stored)
					s.expect(t, event.Filter{Limit: limit, Order: event.NewestFirst}, stored)
					s.expect(t, event.Filter{Limit: limit, From: noon.Add(5 * time.Second)}, stored)
				}
			},
		},
		{
			"offset", "Offset passes over matching events first; one beyond the end yields nothing. Without the feature it is refused.", offset,
		},
	}
}

// expectBothOrders checks the whole list in both directions.
func (s *store) expectBothOrders(t *testing.T, stored []event.Event) {
	t.Helper()
	s.expect(t, event.Filter{}, stored)
	s.expect(t, event.Filter{Order: event.NewestFirst}, stored)
}

func offset(t *testing.T, s *store) {
	stored := s.write(t, series(10)...)
	if s.features.NoOffset {
		if found, err := collect(s.repo.Find(t.Context(), event.Filter{Offset: 1})); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("Find with an offset: %d events, error %v, want errors.ErrUnsupported", len(found), err)
		}
		return
	}
	for _, offset := range []int{0, 1, 9, 10, 11, 1 << 40} {
		for _, limit := range []int{0, 1, 3, 20} {
			s.expect(t, event.Filter{Offset: offset, Limit: limit}, stored)
			s.expect(t, event.Filter{Offset: offset, Limit: limit, Order: event.NewestFirst}, stored)
			s.expect(t, event.Filter{Offset: offset, Limit: limit, After: stored[4].Cursor()}, stored)
			s.expect(t, event.Filter{Offset: offset, Limit: limit, From: noon.Add(3 * time.Second)}, stored)
		}
	}
}
