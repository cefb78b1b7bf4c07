package repositorytest

import (
	"iter"
	"reflect"
	"slices"

	"github.com/eventaudit/eventaudit/event"
)

// answer is the reference: what Find has to yield for the filter when these
// events are stored.
func answer(stored []event.Event, f event.Filter) []event.Event {
	var list []event.Event
	for _, e := range stored {
		if f.Match(e) {
			list = append(list, e)
		}
	}
	slices.SortFunc(list, event.Compare)
	if f.Order == event.NewestFirst {
		slices.Reverse(list)
	}
	list = list[min(f.Offset, len(list)):]
	if f.Limit > 0 {
		list = list[:min(f.Limit, len(list))]
	}
	return list
}

// collect reads a sequence to its end or its first error.
func collect(events iter.Seq2[event.Event, error]) ([]event.Event, error) {
	var list []event.Event
	for e, err := range events {
		if err != nil {
			return list, err
		}
		list = append(list, e)
	}
	return list, nil
}

// stringField is a field of Filter that asks for the field of Event with the
// same name.
type stringField string

// stringFields are all of them, found by reflection so that a field added to
// Filter is checked without a change here. Outcome, which takes no free text,
// is left out.
func stringFields() []stringField {
	var fields []stringField
	filter, events := reflect.TypeFor[event.Filter](), reflect.TypeFor[event.Event]()
	for f := range filter.Fields() {
		if _, shared := events.FieldByName(f.Name); shared && f.Type.Kind() == reflect.String && f.Name != "Outcome" {
			fields = append(fields, stringField(f.Name))
		}
	}
	return fields
}

// of returns the field's value in the event.
func (f stringField) of(e event.Event) string {
	return reflect.ValueOf(e).FieldByName(string(f)).String()
}

// set changes the field of the event.
func (f stringField) set(e *event.Event, value string) {
	reflect.ValueOf(e).Elem().FieldByName(string(f)).SetString(value)
}

// ask makes the filter ask for the value.
func (f stringField) ask(filter *event.Filter, value string) {
	reflect.ValueOf(filter).Elem().FieldByName(string(f)).SetString(value)
}

// is returns the filter that asks for the field only.
func (f stringField) is(value string) event.Filter {
	var filter event.Filter
	f.ask(&filter, value)
	return filter
}
