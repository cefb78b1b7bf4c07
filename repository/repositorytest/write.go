package repositorytest

import (
	"encoding/json"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/eventaudit/eventaudit/event"
)

func writeCases() []testCase {
	return []testCase{
		{
			"every_field", "Every field of an event comes back as it was written.",
			func(t *testing.T, s *store) { s.expectAll(t, s.write(t, full())) },
		},
		{
			"few_fields", "Fields that were not set come back empty; they take nothing from other events.",
			func(t *testing.T, s *store) {
				before, after := plain("before"), plain("after")
				after.Timestamp = full().Timestamp.Add(time.Minute)
				s.expectAll(t, s.write(t, before, full(), after))
			},
		},
		{
			"completed", "Write completes an event without ID, timestamp, outcome and version.", completed,
		},
		{
			"from_elsewhere", "An event that another repository has stored comes back as it was, also one of an ancestor, which had no version.",
			func(t *testing.T, s *store) {
				ancestor := plain("ancestor")
				ancestor.Outcome = event.OutcomeSuccess
				s.write(t, ancestor, full())
				for _, e := range s.find(t, event.Filter{ID: "ancestor"}) {
					if e.SchemaVersion != 0 {
						t.Errorf("version is %d, want 0", e.SchemaVersion)
					}
				}
			},
		},
		{
			"meta", "Facts in Meta come back as they were, with any text as key and value; none come back as none.", meta,
		},
		{
			"nothing", "Write without events does nothing and is no error.",
			func(t *testing.T, s *store) {
				must(t, "Write of nothing", s.repo.Write(t.Context()))
				s.expectAll(t, nil)
			},
		},
		{
			"many", "One call may hold thousands of events, in any order.",
			func(t *testing.T, s *store) {
				events := series(3000)
				for i := range events {
					j := (i * 7919) % len(events)
					events[i], events[j] = events[j], events[i]
				}
				s.expectAll(t, s.write(t, events...))
			},
		},
		{
			"several_calls", "Every call adds to what is stored.",
			func(t *testing.T, s *store) {
				var stored []event.Event
				for _, e := range series(5) {
					stored = append(stored, s.write(t, e)...)
				}
				s.expectAll(t, stored)
			},
		},
		{
			"arguments", "Write leaves the caller's events alone; it works on copies.", argumentsUntouched,
		},
		{
			"sequence", "Where a repository assigns sequences they rise in the order in which the events of a record were written, whatever their timestamps say.", sequence,
		},
	}
}

func completed(t *testing.T, s *store) {
	before := time.Now().Truncate(time.Microsecond)
	must(t, "Write", s.repo.Write(t.Context(), event.Event{Category: "custom", Action: "tested"}))
	s.awaitCount(t, 1)
	found := s.find(t, event.Filter{})
	if len(found) != 1 {
		t.Fatalf("Find yields %d events, want 1", len(found))
	}
	e := found[0]
	if e.ID == "" || e.Outcome != event.OutcomeSuccess || e.SchemaVersion != event.SchemaVersion {
		t.Errorf("ID %q, outcome %q, version %d; want an ID, %q and %d", e.ID, e.Outcome, e.SchemaVersion, event.OutcomeSuccess, event.SchemaVersion)
	}
	if e.Timestamp.Before(before) || e.Timestamp.After(time.Now()) {
		t.Errorf("timestamp %v is not the time of the call, which began at %v", e.Timestamp, before)
	}
}

func meta(t *testing.T, s *store) {
	var events []event.Event
	for i, facts := range []map[string]string{
		nil,
		{},
		{"key": "value"},
		{"": ""},
		{`"quoted" \ key`: "line\nbreak\ttab", "\x00": "a\x00b"},
		{"Key": "1", "key": "2", "key ": "3", "ключ": "значение", "😀": "e\u0301"},
		{"null": "null", "list": "[1,2]", "object": `{"a":1}`},
	} {
		e := plain(fmt.Sprintf("meta-%d", i))
		e.Meta = facts
		events = append(events, e)
	}
	s.expectAll(t, s.write(t, events...))
}

func argumentsUntouched(t *testing.T, s *store) {
	given := []event.Event{full(), {Category: "custom", Action: "tested"}}
	given[0].Timestamp = time.Date(2025, time.March, 1, 12, 0, 0, 123456789, time.FixedZone("east", 3600))
	before := append([]event.Event(nil), given...)
	before[0].Payload = append(json.RawMessage(nil), given[0].Payload...)
	before[0].Result = append(json.RawMessage(nil), given[0].Result...)
	before[0].Meta = maps.Clone(given[0].Meta)

	must(t, "Write", s.repo.Write(t.Context(), given...))
	s.awaitCount(t, len(given))

	if got := given[0].Timestamp; got != before[0].Timestamp {
		t.Errorf("Write changed the caller's timestamp from %v to %v", before[0].Timestamp, got)
	}
	strict := &store{} // compares sequences, too
	for i := range given {
		given[i].Timestamp, before[i].Timestamp = noon, noon
		if problem := strict.compare(before[i], given[i]); problem != "" {
			t.Errorf("Write changed the caller's event: %s", problem)
		}
	}
	if given[1].Sequence != 0 {
		t.Errorf("Write set the caller's Sequence to %d", given[1].Sequence)
	}
}

func sequence(t *testing.T, s *store) {
	const n = 6
	for i := range n {
		e := plain(fmt.Sprint("event-", i))
		e.ActionObject, e.ActionObjectID = "Order", "1"
		e.Timestamp = noon.Add(-time.Duration(i) * time.Second) // clocks run backwards
		s.write(t, e)
	}
	found := s.find(t, event.Filter{ActionObject: "Order", ActionObjectID: "1", Order: event.NewestFirst})
	if len(found) != n {
		t.Fatalf("Find yields %d events, want %d", len(found), n)
	}
	if assigned := found[0].Sequence != 0; !assigned {
		for _, e := range found {
			if e.Sequence != 0 {
				t.Errorf("event %q has sequence %d, another has none", e.ID, e.Sequence)
			}
		}
		return
	}
	for i := 1; i < n; i++ {
		if earlier, later := found[i-1], found[i]; later.Sequence <= earlier.Sequence {
			t.Errorf("event %q was written after %q but has sequence %d, not above %d", later.ID, earlier.ID, later.Sequence, earlier.Sequence)
		}
	}
}
