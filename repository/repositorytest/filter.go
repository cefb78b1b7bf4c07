package repositorytest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
)

func filterCases() []testCase {
	return []testCase{
		{
			"each_field", "A field of the filter matches its own field only, exactly: not a prefix, a suffix, another case or spaces around it.", eachField,
		},
		{
			"all_fields", "An event must match all fields of the filter; one that differs keeps it out.", allFields,
		},
		{
			"outcome", "Outcome matches exactly.",
			func(t *testing.T, s *store) {
				var events []event.Event
				for _, outcome := range []event.Outcome{"", event.OutcomeSuccess, event.OutcomeFailure, event.OutcomeDenied} {
					e := plain("outcome-" + string(outcome))
					e.Outcome = outcome
					events = append(events, e)
				}
				stored := s.write(t, events...)
				for _, outcome := range []event.Outcome{event.OutcomeSuccess, event.OutcomeFailure, event.OutcomeDenied} {
					s.expect(t, event.Filter{Outcome: outcome}, stored)
				}
			},
		},
		{
			"no_match", "A filter that matches nothing yields nothing, and no error.",
			func(t *testing.T, s *store) {
				s.expect(t, event.Filter{Actor: "nobody"}, nil)
				stored := s.write(t, series(3)...)
				s.expect(t, event.Filter{Actor: "nobody"}, stored)
				s.expect(t, event.Filter{Category: "nothing", From: noon}, stored)
			},
		},
		{
			"broken", "A filter that does not validate yields its error once, with a zero event, and reads nothing.", brokenFilter,
		},
	}
}

func eachField(t *testing.T, s *store) {
	const value = "Value one"
	neighbours := []string{
		value, "Value on", "Value one2", "alue one", "2Value one", "value one", "VALUE ONE",
		"Value one ", " Value one", "Value  one", "Value\tone", "Valué one", "Value",
	}
	var events []event.Event
	for _, field := range stringFields() {
		for i, neighbour := range neighbours {
			e := plain(fmt.Sprintf("%s-%02d", field, i))
			field.set(&e, neighbour)
			events = append(events, e)
		}
	}
	// What is in one field is not found by another: IDs repeat nothing.
	stored := s.write(t, events...)
	for _, field := range stringFields() {
		s.expect(t, field.is(value), stored)
		s.expect(t, field.is(strings.ToLower(value)), stored)
		s.expect(t, field.is(value+" "), stored)
	}
}

func allFields(t *testing.T, s *store) {
	whole := full()
	filter := event.Filter{
		Outcome: whole.Outcome,
		From:    whole.Timestamp, To: whole.Timestamp.Add(time.Microsecond),
		Limit: 10,
	}
	var others []event.Event
	for i, field := range stringFields() {
		field.ask(&filter, field.of(whole))
		other := whole
		other.ID = fmt.Sprintf("other-%02d", i)
		field.set(&other, field.of(whole)+"x")
		others = append(others, other)
	}
	stored := s.write(t, append(others, whole)...)
	s.expect(t, filter, stored)

	filter.ID = "" // leaves the others to the fields in which they differ
	for _, field := range stringFields() {
		without := filter
		field.ask(&without, "")
		s.expect(t, without, stored)
	}
}

// brokenFilters are filters that do not validate, by the field to blame.
func brokenFilters() map[string]event.Filter {
	return map[string]event.Filter{
		"limit":   {Limit: -1},
		"offset":  {Offset: -1},
		"order":   {Order: 7},
		"outcome": {Outcome: "maybe"},
		"from":    {From: noon, To: noon.Add(-time.Microsecond)},
		"after":   {After: "not a cursor"},
		"actor":   {Actor: "a\xc3"},
		"tenant":  {Tenant: "\xff"},
	}
}

func brokenFilter(t *testing.T, s *store) {
	s.write(t, series(3)...)
	for field, filter := range brokenFilters() {
		calls := 0
		for e, err := range s.repo.Find(t.Context(), filter) {
			calls++
			blames(t, fmt.Sprintf("Find(%s)", describe(filter)), err, field)
			if problem := s.compare(event.Event{}, withoutTime(e)); problem != "" || !e.Timestamp.IsZero() {
				t.Errorf("Find(%s): the error comes with an event: %s", describe(filter), problem)
			}
		}
		if calls != 1 {
			t.Errorf("Find(%s): yields %d times, want once", describe(filter), calls)
		}
		_, err := repository.Count(t.Context(), s.repo, filter)
		blames(t, fmt.Sprintf("Count(%s)", describe(filter)), err, field)
	}
}

// withoutTime blanks the timestamp, which is compared apart.
func withoutTime(e event.Event) event.Event {
	e.Timestamp = time.Time{}
	return e
}

// blames checks that the error is a *event.FieldError for the field.
func blames(t *testing.T, call string, err error, field string) {
	t.Helper()
	var broken *event.FieldError
	if !errors.As(err, &broken) || broken.Field != field || !errors.Is(err, event.ErrInvalid) {
		t.Errorf("%s: error %v, want a *event.FieldError for %q", call, err, field)
	}
}
