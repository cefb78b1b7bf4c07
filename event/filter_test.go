package event_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/eventaudit/eventaudit/event"
)

// A field of Event that cannot be asked for, or that Fields or Match forgets,
// fails here.
func TestFilterKnowsEveryStringField(t *testing.T) {
	t.Parallel()
	for _, name := range sharedFields() {
		field, ok := reflect.TypeFor[event.Event]().FieldByName(name)
		if !ok {
			t.Fatalf("Event has no field %s", name)
		}
		var f event.Filter
		asked := reflect.ValueOf(&f).Elem().FieldByName(name)
		if !asked.IsValid() {
			t.Errorf("Filter has no field %s", name)
			continue
		}
		asked.SetString("value")
		column, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if diff := cmp.Diff([]event.Field{{Name: column, Value: "value"}}, f.Fields()); diff != "" {
			t.Errorf("Fields of a filter for %s (-want +got):\n%s", name, diff)
		}
		if f.IsZero() {
			t.Errorf("a filter for %s counts as one that narrows nothing", name)
		}

		var e event.Event
		held := reflect.ValueOf(&e).Elem().FieldByName(name)
		for value, want := range map[string]bool{
			"value": true, "": false, "Value": false, "value ": false, " value": false, "values": false, "valu": false,
		} {
			held.SetString(value)
			if got := f.Match(e); got != want {
				t.Errorf("%s %q asked for, %q held: match %t, want %t", name, "value", value, got, want)
			}
		}
	}
}

func TestFilterFieldsAreInColumnOrder(t *testing.T) {
	t.Parallel()
	f := event.Filter{UserAgent: "u", ID: "i", Outcome: event.OutcomeDenied, Actor: "a", Limit: 3, From: noon}
	want := []event.Field{{"id", "i"}, {"actor", "a"}, {"user_agent", "u"}, {"outcome", "denied"}}
	if diff := cmp.Diff(want, f.Fields()); diff != "" {
		t.Errorf("Fields (-want +got):\n%s", diff)
	}
}

func TestFilterMatchTimeAndOutcome(t *testing.T) {
	t.Parallel()
	e := event.Event{ID: "m", Timestamp: noon, Outcome: event.OutcomeFailure}
	earlier := event.Event{ID: "a", Timestamp: noon.Add(-time.Second)}
	for _, test := range []struct {
		name   string
		filter event.Filter
		want   bool
	}{
		{"nothing asked", event.Filter{}, true},
		{"from then", event.Filter{From: noon}, true},
		{"from then, elsewhere", event.Filter{From: noon.In(time.FixedZone("far", 14*3600))}, true},
		{"from a nanosecond later", event.Filter{From: noon.Add(1)}, false},
		{"to then", event.Filter{To: noon}, false},
		{"to a nanosecond later", event.Filter{To: noon.Add(1)}, true},
		{"an empty span", event.Filter{From: noon, To: noon}, false},
		{"the outcome", event.Filter{Outcome: event.OutcomeFailure}, true},
		{"another outcome", event.Filter{Outcome: event.OutcomeSuccess}, false},
		{"behind an earlier one", event.Filter{After: earlier.Cursor()}, true},
		{"behind an earlier one, newest first", event.Filter{After: earlier.Cursor(), Order: event.NewestFirst}, false},
		{"behind itself", event.Filter{After: e.Cursor()}, false},
		{"behind itself, newest first", event.Filter{After: e.Cursor(), Order: event.NewestFirst}, false},
		{"behind a broken cursor", event.Filter{After: "broken"}, false},
		{"paging does not matter", event.Filter{Limit: 1, Offset: 5}, true},
	} {
		if got := test.filter.Match(e); got != test.want {
			t.Errorf("%s: match %t, want %t", test.name, got, test.want)
		}
	}
}

// Repositories ask Match for every event that they look at.
func TestFilterMatchDoesNotAllocate(t *testing.T) { // allocations are counted alone, not in parallel
	e := filledEvent()
	f := event.Filter{Actor: e.Actor, Tenant: e.Tenant, From: e.Timestamp}
	if n := testing.AllocsPerRun(100, func() { f.Match(e) }); n != 0 {
		t.Errorf("Match allocates %v times", n)
	}
}

// A cursor splits a list where Compare says: what is behind it comes later.
func TestCursorAgreesWithCompare(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := anEvent().Draw(t, "a"), anEvent().Draw(t, "b")
		order := event.Compare(b, a)
		if got := (event.Filter{After: a.Cursor()}).Match(b); got != (order > 0) {
			t.Errorf("b is behind a's cursor: %t, Compare(b, a) = %d", got, order)
		}
		if got := (event.Filter{After: a.Cursor(), Order: event.NewestFirst}).Match(b); got != (order < 0) {
			t.Errorf("newest first, b is behind a's cursor: %t, Compare(b, a) = %d", got, order)
		}
	})
}

func TestFilterValidate(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		filter event.Filter
		broken []string
	}{
		{"nothing", event.Filter{}, nil},
		{"an empty span", event.Filter{From: noon, To: noon}, nil},
		{"everything", event.Filter{
			Actor: "é", Outcome: event.OutcomeDenied, From: noon, To: noon.Add(1), Limit: 1, Offset: 1,
			After: event.New("custom", "tested").Cursor(), Order: event.NewestFirst,
		}, nil},
		{"a span the wrong way round", event.Filter{From: noon.Add(1), To: noon}, []string{"from"}},
		{"a negative limit", event.Filter{Limit: -1}, []string{"limit"}},
		{"a negative offset", event.Filter{Offset: -1}, []string{"offset"}},
		{"an unknown order", event.Filter{Order: 2}, []string{"order"}},
		{"an order below zero", event.Filter{Order: -1}, []string{"order"}},
		{"an unknown outcome", event.Filter{Outcome: "Success"}, []string{"outcome"}},
		{"a broken cursor", event.Filter{After: "broken"}, []string{"after"}},
		{"NUL, which is text like any other", event.Filter{Actor: "a\x00"}, nil},
		{"text in no UTF-8", event.Filter{Actor: "\xff", Tenant: "a\xc3"}, []string{"actor", "tenant"}},
		{
			"all at once",
			event.Filter{Reason: "\xff", From: noon, To: noon.Add(-1), Limit: -1, Offset: -1, Order: 7, Outcome: "x", After: "x"},
			[]string{"reason", "from", "limit", "offset", "order", "outcome", "after"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			checkBroken(t, test.filter.Validate(), test.broken)
		})
	}
}

func TestFilterIsZero(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		filter event.Filter
		want   bool
	}{
		{"zero", event.Filter{}, true},
		{"an order", event.Filter{Order: event.NewestFirst}, true},
		{"zero times with a zone", event.Filter{From: time.Time{}.In(time.FixedZone("far", 3600)), To: time.Time{}.Local()}, true},
		{"a time", event.Filter{From: noon}, false},
		{"a bound above and a zero time with a zone below", event.Filter{From: time.Time{}.Local(), To: noon}, false},
		{"an outcome", event.Filter{Outcome: event.OutcomeSuccess}, false},
		{"a limit", event.Filter{Limit: 1}, false},
		{"an offset", event.Filter{Offset: 1}, false},
		{"a cursor", event.Filter{After: "x"}, false},
	} {
		if got := test.filter.IsZero(); got != test.want {
			t.Errorf("%s: IsZero = %t, want %t", test.name, got, test.want)
		}
	}
}

// checkBroken checks that the error joins one *event.FieldError per field, in
// that order, and that each has a reason.
func checkBroken(t *testing.T, err error, fields []string) {
	t.Helper()
	if len(fields) == 0 {
		if err != nil {
			t.Errorf("error %v, want none", err)
		}
		return
	}
	if !errors.Is(err, event.ErrInvalid) {
		t.Fatalf("error %v, want one that wraps event.ErrInvalid", err)
	}
	var got []string
	for _, problem := range err.(interface{ Unwrap() []error }).Unwrap() {
		var broken *event.FieldError
		if !errors.As(problem, &broken) {
			t.Fatalf("%v is no *event.FieldError", problem)
		}
		if broken.Reason == "" {
			t.Errorf("%s: no reason", broken.Field)
		}
		got = append(got, broken.Field)
	}
	if diff := cmp.Diff(fields, got); diff != "" {
		t.Errorf("broken fields (-want +got):\n%s", diff)
	}
}

func TestEveryFieldOfAFilterIsSetByItsName(t *testing.T) {
	t.Parallel()
	for _, name := range event.FilterFields() {
		var f event.Filter
		if err := f.Set(name, "a value"); err != nil {
			t.Error(err)
		}
		if got := f.Fields(); len(got) != 1 || got[0] != (event.Field{Name: name, Value: "a value"}) {
			t.Errorf("Set(%q) asks for %v", name, got)
		}
		if err := f.Set(name, ""); err != nil || !f.IsZero() {
			t.Errorf("Set(%q) to nothing: %v, error %v", name, f, err)
		}
	}
	var f event.Filter
	var wrong *event.FieldError
	if err := f.Set("payload", "x"); !errors.As(err, &wrong) || !f.IsZero() {
		t.Errorf("Set of no field: %v", err)
	}
}
