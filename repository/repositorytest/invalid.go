package repositorytest

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/eventaudit/eventaudit/event"
)

func invalidCases() []testCase {
	return []testCase{
		{
			"refused", "An invalid event is refused with an error that wraps event.ErrInvalid, and nothing of its call is stored.",
			func(t *testing.T, s *store) {
				for name, spoil := range invalidEvents() {
					bad := plain("bad")
					spoil(&bad)
					for _, call := range [][]event.Event{
						{bad},
						{bad, plain("good")},
						{plain("good"), plain("better"), bad},
					} {
						if err := s.repo.Write(t.Context(), call...); !errors.Is(err, event.ErrInvalid) {
							t.Errorf("Write of an event with %s: error %v, want one that wraps event.ErrInvalid", name, err)
						}
					}
				}
				s.expectAll(t, nil)
			},
		},
		{
			"large_batch", "An invalid event at the end of a large call keeps all of the call out.",
			func(t *testing.T, s *store) {
				err := s.repo.Write(t.Context(), append(series(1500), event.Event{ID: "bad"})...)
				if !errors.Is(err, event.ErrInvalid) {
					t.Errorf("Write: error %v, want one that wraps event.ErrInvalid", err)
				}
				s.expectAll(t, nil)
			},
		},
	}
}

// invalidEvents are ways to spoil an event.
func invalidEvents() map[string]func(*event.Event) {
	spoiled := map[string]func(*event.Event){
		"no category":        func(e *event.Event) { e.Category = "" },
		"no action":          func(e *event.Event) { e.Action = "" },
		"an unknown outcome": func(e *event.Event) { e.Outcome = "maybe" },
		"a broken payload":   func(e *event.Event) { e.Payload = json.RawMessage(`{"cut":`) },
		"a broken result":    func(e *event.Event) { e.Result = json.RawMessage(`{} {}`) },
		"no JSON value":      func(e *event.Event) { e.Payload = event.JSON(func() {}) },
		"broken meta":        func(e *event.Event) { e.Meta = map[string]string{"key": "\xff"} },
		"a broken meta key":  func(e *event.Event) { e.Meta = map[string]string{"\xc3": "value"} },
		"too long an ID":     func(e *event.Event) { e.ID = strings.Repeat("x", event.MaxIDLength+1) },
		"the year 10000":     func(e *event.Event) { e.Timestamp = time.Date(10000, time.January, 1, 0, 0, 0, 0, time.UTC) },
	}
	for _, field := range stringFields() {
		spoiled["broken UTF-8 in "+string(field)] = func(e *event.Event) { field.set(e, "a\xc3") }
	}
	return spoiled
}
