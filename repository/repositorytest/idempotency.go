package repositorytest

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
)

func idempotencyCases() []testCase {
	return []testCase{
		{
			"written_again", "Writing an event again stores nothing more and is no error.",
			func(t *testing.T, s *store) {
				stored := s.write(t, full())
				s.write(t, stored...)
				s.write(t, stored...)
				s.expectAll(t, stored)
			},
		},
		{
			"first_stays", "An ID that is stored keeps its first content, whatever comes later under the same ID. With the feature the later content may show beside it, once, and never in its place.",
			firstStays,
		},
		{
			"twice_in_one_call", "An ID that comes twice in one call is stored once, with its first content.",
			func(t *testing.T, s *store) {
				first := full()
				stored := s.write(t, first, otherwise(first), first)
				s.expectAll(t, stored[:1])
			},
		},
		{
			"batch_again", "A batch delivered again with new events among the old ones stores the new ones only.",
			func(t *testing.T, s *store) {
				events := series(7)
				stored := s.write(t, events[1], events[3], events[5])
				stored = append(stored, s.write(t, events[0])...)
				second := s.write(t, otherwise(events[1]), events[2], otherwise(events[3]), events[4], events[6], events[2])
				s.expectFirst(t, append(stored, second[1], second[3], second[4]), second[0], second[2])
			},
		},
		{
			"similar_ids", "IDs that differ in case, spaces or accents are different IDs.",
			func(t *testing.T, s *store) {
				var events []event.Event
				for _, id := range []string{"id", "ID", "Id", "id ", " id", "íd", "i\u0301d", "id\u200b", "ｉd"} {
					events = append(events, plain(id))
				}
				s.expectAll(t, s.write(t, events...))
			},
		},
	}
}

func firstStays(t *testing.T, s *store) {
	first := full()
	stored := s.write(t, first)
	later := s.write(t, otherwise(first))
	s.write(t, later...)
	s.expectFirst(t, stored, later...)
	if !s.features.LaterContents {
		s.expect(t, event.Filter{Actor: otherwise(first).Actor}, stored)
	}
}

// expectFirst checks that exactly these events are stored, whatever came later
// under the same IDs. With the feature LaterContents that may be listed too.
func (s *store) expectFirst(t *testing.T, stored []event.Event, later ...event.Event) {
	t.Helper()
	if !s.features.LaterContents {
		s.expectAll(t, stored)
		return
	}
	var firsts []event.Event
	shown := map[int]bool{}
	for _, e := range s.find(t, event.Filter{}) {
		i := slices.IndexFunc(later, func(l event.Event) bool { return s.compare(l, e) == "" })
		if i < 0 {
			firsts = append(firsts, e)
		} else if shown[i] {
			t.Errorf("the later content of %q is listed twice", e.ID)
		}
		shown[i] = true
	}
	if problem := s.compareLists(answer(stored, event.Filter{}), firsts); problem != "" {
		t.Errorf("without later contents: %s", problem)
	}
	for _, e := range stored {
		s.expect(t, event.Filter{ID: e.ID}, stored)
		got, err := repository.Get(t.Context(), s.repo, e.ID)
		must(t, "Get", err)
		if problem := s.compare(e, got); problem != "" {
			t.Errorf("Get(%q): %s", e.ID, problem)
		}
	}
}

// otherwise returns an event with the ID of e and nothing else of it.
func otherwise(e event.Event) event.Event {
	return event.Event{
		ID: e.ID, Category: "other", Action: "forged", Actor: "mallory",
		Timestamp: e.Timestamp.Add(-time.Hour), Payload: json.RawMessage(`{"forged":true}`),
	}
}
