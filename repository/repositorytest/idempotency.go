package repositorytest

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/eventaudit/eventaudit/event"
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
			"first_stays", "An ID that is stored keeps its first content, whatever comes later under the same ID.",
			func(t *testing.T, s *store) {
				first := full()
				stored := s.write(t, first)
				s.write(t, otherwise(first))
				s.expectAll(t, stored)
				s.expect(t, event.Filter{Actor: otherwise(first).Actor}, stored)
			},
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
				s.expectAll(t, append(stored, second[1], second[3], second[4]))
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

// otherwise returns an event with the ID of e and nothing else of it.
func otherwise(e event.Event) event.Event {
	return event.Event{
		ID: e.ID, Category: "other", Action: "forged", Actor: "mallory",
		Timestamp: e.Timestamp.Add(-time.Hour), Payload: json.RawMessage(`{"forged":true}`),
	}
}
