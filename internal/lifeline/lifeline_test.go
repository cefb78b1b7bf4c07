package lifeline_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/lifeline"
)

// table is a source that holds everything in memory.
type table struct {
	events []event.Event
	live   map[string]lifeline.Row
	closed bool // cannot be asked for live rows
}

func (s table) Steps(_ context.Context, id string) ([]lifeline.Step, error) {
	return lifeline.Steps(slices.DeleteFunc(slices.Clone(s.events), func(e event.Event) bool {
		return e.ActionObjectID != id && e.TargetID != id
	})), nil
}

func (s table) Live(_ context.Context, id string) (lifeline.Row, bool, error) {
	return s.live[id], !s.closed, nil
}

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// happened is what happened to row 1 of Thing that many minutes after start.
func happened(minute int, action, result string) event.Event {
	e := event.Event{
		ID: event.NewID(), Category: event.CategoryModel, Action: action, ActionObject: "Thing", ActionObjectID: "1",
		Timestamp: start.Add(time.Duration(minute) * time.Minute), Sequence: int64(100 + minute),
	}
	if result != "" {
		e.Result = []byte(result)
	}
	return e
}

func moved(e event.Event, from, to string) event.Event {
	e.ActionObjectID, e.TargetType, e.TargetID = from, "Thing", to
	return e
}

func row(pairs ...string) lifeline.Row {
	r := lifeline.Row{}
	for i := 0; i < len(pairs); i += 2 {
		r[pairs[i]] = []byte(pairs[i+1])
	}
	return r
}

func TestAt(t *testing.T) {
	t.Parallel()
	created := happened(10, event.ActionCreated, `{"new":{"id":1,"a":1,"b":"x"}}`)
	changed := happened(20, event.ActionChanged, `{"old":{"a":1},"new":{"a":2}}`)
	deleted := happened(30, event.ActionDeleted, `{"old":{"id":1,"a":2,"b":"x"}}`)
	unknown := happened(20, event.ActionChanged, `{"new":{"id":1,"a":2,"b":"x"}}`)
	unknown.BeforeUnknown = true
	oddly := func(action string) event.Event { return happened(20, action, `{"old":{"a":1,"b":"x"},"new":"text"}`) }
	odd := oddly(event.ActionChanged)
	changed2 := happened(30, event.ActionChanged, `{"old":{"a":2},"new":{"a":3}}`)
	for name, c := range map[string]struct {
		events  []event.Event
		live    map[string]lifeline.Row
		closed  bool
		id      string
		minute  int
		want    lifeline.Row // nil: there was none
		unknown []string
		err     error
	}{
		"before it was there":   {events: []event.Event{created}, live: live("1", row("id", "1", "a", "1", "b", `"x"`)), minute: 5},
		"as it was created":     {events: []event.Event{created, changed}, live: live("1", row("id", "1", "a", "2", "b", `"x"`)), minute: 15, want: row("id", "1", "a", "1", "b", `"x"`)},
		"at the very moment":    {events: []event.Event{created, changed}, live: live("1", row("id", "1", "a", "2", "b", `"x"`)), minute: 20, want: row("id", "1", "a", "2", "b", `"x"`)},
		"after it was gone":     {events: []event.Event{created, changed, deleted}, minute: 35},
		"while it was there":    {events: []event.Event{created, changed, deleted}, minute: 25, want: row("id", "1", "a", "2", "b", `"x"`)},
		"older than the trail":  {events: []event.Event{changed}, live: live("1", row("id", "1", "a", "2", "b", `"x"`)), minute: 5, want: row("id", "1", "a", "1", "b", `"x"`)},
		"never changed":         {live: live("1", row("id", "1", "a", "1")), minute: 5, want: row("id", "1", "a", "1")},
		"nothing known":         {minute: 5, err: lifeline.ErrNothingKnown},
		"nothing to be asked":   {minute: 5, closed: true, err: lifeline.ErrNothingKnown},
		"without the table":     {events: []event.Event{changed}, closed: true, minute: 25, want: row("a", "2")},
		"gone outside":          {events: []event.Event{created}, minute: 15, err: lifeline.ErrContradiction},
		"back outside":          {events: []event.Event{deleted}, live: live("1", row("id", "1")), minute: 35, err: lifeline.ErrContradiction},
		"gone outside, earlier": {events: []event.Event{created, changed}, minute: 15, want: row("id", "1", "a", "1", "b", `"x"`)},
		"changed outside":       {events: []event.Event{created}, live: live("1", row("id", "1", "a", "7", "b", `"x"`)), minute: 15, want: row("id", "1", "b", `"x"`), unknown: []string{"a"}},
		"another spelling":      {events: []event.Event{created}, live: live("1", row("id", "1.0", "a", "1", "b", `"\u0078"`)), minute: 15, want: row("id", "1", "a", "1", "b", `"x"`)},
		"values before unknown": {events: []event.Event{unknown}, live: live("1", row("id", "1", "a", "2", "b", `"x"`)), minute: 15, want: row()},
		"only new values":       {events: []event.Event{happened(20, event.ActionChanged, `{"new":{"a":2}}`)}, live: live("1", row("id", "1", "a", "2")), minute: 15, want: row("id", "1"), unknown: []string{"a"}},
		"before an odd result":  {events: []event.Event{created, odd}, live: live("1", row("id", "1", "a", "2", "b", `"y"`)), minute: 15, want: row("id", "1", "a", "1", "b", `"x"`)},
		"after an odd result":   {events: []event.Event{created, odd, changed2}, live: live("1", row("id", "1", "a", "3", "b", `"y"`)), minute: 25, want: row("id", "1", "a", "2", "b", `"y"`)},
		"an odd result alone":   {events: []event.Event{odd}, live: live("1", row("id", "1", "a", "2")), minute: 15, want: row()},
		"oddly created":         {events: []event.Event{oddly(event.ActionCreated)}, live: live("1", row("id", "1", "a", "2")), minute: 15},
		"oddly deleted":         {events: []event.Event{created, oddly(event.ActionDeleted)}, minute: 25},
		"no values":             {events: []event.Event{happened(20, event.ActionChanged, "")}, live: live("1", row("id", "1", "a", "2")), minute: 15, want: row()},
		"masked, as it is":      {events: []event.Event{happened(10, event.ActionCreated, `{"new":{"p":"[redacted]"}}`)}, live: live("1", row("p", `"secret"`)), minute: 15, want: row("p", `"secret"`)},
		"masked, as it was":     {events: []event.Event{happened(20, event.ActionChanged, `{"old":{"p":"[redacted]"},"new":{"p":"[redacted]"}}`)}, live: live("1", row("p", `"secret"`)), minute: 15, want: row(), unknown: []string{"p"}},
		"changes that nobody sees": {
			events: []event.Event{created}, live: live("1", row("id", "1", "a", "1", "b", `"x"`, "seen", "5")), minute: 15,
			want: row("id", "1", "a", "1", "b", `"x"`), unknown: []string{"seen"},
		},
		"soft-deleted": {
			events: []event.Event{created, happened(30, event.ActionDeleted, `{"old":{"id":1,"a":1,"b":"x","d":null},"new":{"d":5}}`)},
			live:   live("1", row("id", "1", "a", "1", "b", `"x"`, "d", "5")), minute: 35, want: row("id", "1", "a", "1", "b", `"x"`, "d", "5"),
		},
		"soft-deleted, without values": {
			events: []event.Event{happened(30, event.ActionDeleted, ""), happened(40, event.ActionRestored, "")},
			live:   live("1", row("id", "1")), minute: 35, want: row(),
		},
		"under the key it had then": {
			events: []event.Event{created, moved(happened(20, event.ActionChanged, `{"old":{"id":1},"new":{"id":2}}`), "1", "2")},
			live:   live("2", row("id", "2", "a", "1", "b", `"x"`)), minute: 15, want: row("id", "1", "a", "1", "b", `"x"`),
		},
		"under the key it got": {
			events: []event.Event{created, moved(happened(20, event.ActionChanged, `{"old":{"id":1,"a":1},"new":{"id":2,"a":3}}`), "1", "2")},
			live:   live("2", row("id", "2", "a", "3", "b", `"x"`)), id: "2", minute: 25, want: row("id", "2", "a", "3", "b", `"x"`),
		},
		"under a key it did not have yet": {
			events: []event.Event{created, moved(happened(20, event.ActionChanged, `{"old":{"id":1},"new":{"id":2}}`), "1", "2")},
			live:   live("2", row("id", "2", "a", "1", "b", `"x"`)), id: "2", minute: 15,
		},
	} {
		id := c.id
		if id == "" {
			id = "1"
		}
		silent := func(column string) bool { return column == "seen" }
		got, err := lifeline.At(t.Context(), table{c.events, c.live, c.closed}, id, start.Add(time.Duration(c.minute)*time.Minute), silent)
		if !errors.Is(err, c.err) {
			t.Errorf("%s: error %v, want %v", name, err, c.err)
		}
		if got.Exists != (c.want != nil) {
			t.Errorf("%s: exists %t", name, got.Exists)
		}
		if c.want != nil && (!maps.EqualFunc(got.Row, c.want, lifeline.Same) || !slices.Equal(got.Unknown, c.unknown)) {
			t.Errorf("%s: %s, unknown %v; want %s, %v", name, got.Row, got.Unknown, c.want, c.unknown)
		}
	}
}

func live(id string, r lifeline.Row) map[string]lifeline.Row { return map[string]lifeline.Row{id: r} }

// The sequence is the order, unless the events got it when they were copied.
func TestOrder(t *testing.T) {
	t.Parallel()
	a := happened(1, event.ActionCreated, `{"new":{"n":1}}`)
	b := happened(2, event.ActionChanged, `{"old":{"n":1},"new":{"n":2}}`)
	c := happened(3, event.ActionChanged, `{"old":{"n":2},"new":{"n":3}}`)
	number := func(e event.Event, sequence int64) event.Event { e.Sequence = sequence; return e }
	at := func(e event.Event, minute int) event.Event {
		e.Timestamp = start.Add(time.Duration(minute) * time.Minute)
		return e
	}
	for name, events := range map[string][]event.Event{
		"as they came":          {a, b, c},
		"a clock that is wrong": {a, at(b, 9), c},
		"copied later":          {number(a, 9), number(b, 10), number(c, 3)},
		"without sequences":     {number(c, 0), number(b, 0), number(a, 0)},
	} {
		var got []string
		for _, s := range lifeline.Steps(events) {
			got = append(got, s.Event.ID)
		}
		if diff := cmp.Diff([]string{a.ID, b.ID, c.ID}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestSetters(t *testing.T) {
	t.Parallel()
	a := happened(1, event.ActionCreated, `{"new":{"id":1,"n":1,"s":"x"}}`)
	b := happened(2, event.ActionChanged, `{"old":{"n":1},"new":{"n":2}}`)
	steps := lifeline.Steps([]event.Event{b, a})
	got := map[string]string{}
	for column, s := range lifeline.Setters(steps) {
		got[column] = s.Event.ID
	}
	if diff := cmp.Diff(map[string]string{"id": a.ID, "n": b.ID, "s": a.ID}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestImagesOfOtherEvents(t *testing.T) {
	t.Parallel()
	if _, err := lifeline.ImagesOf(event.New("custom", "created")); !errors.Is(err, lifeline.ErrNoRow) {
		t.Errorf("error %v", err)
	}
	for _, odd := range []string{`{"new":`, `[]`, `5`, `{"new":{"a":1},"old":"text"}`, `{"old":{"a":1},"new":[]}`} {
		e := happened(1, event.ActionCreated, odd)
		if images, err := lifeline.ImagesOf(e); err == nil || errors.Is(err, lifeline.ErrNoRow) || images.Old != nil || images.New != nil {
			t.Errorf("%s: images %s, error %v", odd, images, err)
		}
		if s := lifeline.StepOf(e); !s.Blind || s.From != "" || s.To != "1" {
			t.Errorf("%s: step %+v", odd, s)
		}
	}
}
