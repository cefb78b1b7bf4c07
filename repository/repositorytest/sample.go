package repositorytest

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/eventaudit/eventaudit/event"
)

// noon is when most events of the suite happen.
var noon = time.Date(2025, time.March, 1, 12, 0, 0, 0, time.UTC)

// plain returns an event with nothing special about it.
func plain(id string) event.Event {
	return event.Event{ID: id, Category: "custom", Action: "tested", Timestamp: noon}
}

// series returns n plain events, one per second.
func series(n int) []event.Event {
	events := make([]event.Event, n)
	for i := range events {
		events[i] = plain(fmt.Sprintf("event-%04d", i))
		events[i].Timestamp = noon.Add(time.Duration(i) * time.Second)
	}
	return events
}

// full returns an event with every field set.
func full() event.Event {
	return event.Event{
		ID:             event.NewID(),
		Category:       event.CategoryModel,
		Action:         event.ActionChanged,
		Actor:          "user-123",
		ActionObject:   "Order",
		ActionObjectID: `["a,b",2]`,
		TargetType:     "Invoice",
		TargetID:       "2025/77",
		Timestamp:      time.Date(2025, time.March, 1, 12, 34, 56, 789012000, time.UTC),
		Result:         json.RawMessage(`{"old":{"total":"1.50"},"new":{"total":"2.50"}}`),
		Payload:        json.RawMessage(`{"note":"rounded up","lines":[1,2,3]}`),
		Outcome:        event.OutcomeDenied,
		Error:          "not yours",
		TransactionID:  "tx-9",
		RequestID:      "req-8",
		TraceID:        "4bf92f3577b34da6a3ce929d0e0e4736",
		Tenant:         "acme",
		Reason:         "ticket 4711",
		OnBehalfOf:     "user-456",
		IPAddress:      "2001:db8::1",
		UserAgent:      "Mozilla/5.0 (X11; Linux x86_64)",
		Meta:           map[string]string{"region": "eu", "": "no key", "no value": ""},
		SchemaVersion:  7,
		Sequence:       4711,
		BeforeUnknown:  true,
	}
}
