package admin

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/lifeline"
)

// recordPage is the life of one record.
type recordPage struct {
	frame
	Object, ID string
	At         moments
	AtExact    string
	State      []column
	Unknown    string
	Absent     bool
	// Last is the event before the moment, when there was no record then.
	Last     *row
	Timeline []step
	// Cut says that there are older events that were not read, Elsewhere leads
	// to all of them.
	Cut       bool
	Elsewhere string
	Problem   string
}

// column is what a column was, and who set it so.
type column struct {
	Name    string
	Cell    *cell
	Setter  *row
	Unknown bool
}

// step is an event of the timeline.
type step struct {
	row
	// State leads to what the record was right after it.
	State  string
	Chosen bool
}

// inLife is how many events of a record are read, the newest ones.
const inLife = 1000

// record shows the life of a record.
func (h *panel) record(w http.ResponseWriter, r *http.Request) error {
	asked := r.URL.Query()
	life := life{handler: h, object: asked.Get("object")}
	page := recordPage{Object: life.object, ID: asked.Get("id")}
	if page.Object == "" || page.ID == "" {
		return &event.FieldError{Field: "id", Value: page.ID, Reason: "needs an object beside it; say which record"}
	}
	page.frame = h.frame(r, "events", brief(page.Object)+" "+brief(page.ID))
	page.Elsewhere = address("./", url.Values{"action_object": {page.Object}, "action_object_id": {page.ID}})
	at := time.Now()
	if given := asked.Get("at"); given != "" {
		var err error
		if at, err = parseTime("at", given, h.options.Location); err != nil {
			return err
		}
		page.AtExact = h.moment(at).Exact
	}
	page.At = moments{at.In(h.options.Location).Format("2006-01-02T15:04:05"), "datetime-local"}
	if page.AtExact == "" {
		page.At.Value = ""
	}
	events, err := life.events(r.Context(), page.ID)
	if err != nil {
		return err
	}
	page.Cut = life.cut
	page.Timeline = h.timeline(r.Context(), events, page, at)
	if err := page.state(r.Context(), h, life, at); err != nil {
		return err
	}
	return h.show(w, http.StatusOK, "record.html", page)
}

// timeline are the events, newest first: those that say what became of the row
// in the order in which the database took them, the others by their time.
func (h *panel) timeline(ctx context.Context, events []event.Event, page recordPage, at time.Time) (timeline []step) {
	chosen := page.AtExact == "" // the newest state is that of the newest event
	for _, e := range events {
		s := step{row: h.row(e)}
		if lifeline.AboutRow(e) {
			h.images(ctx, e) // for the log; the row has the rest
			s.State = address("record", url.Values{"object": {page.Object}, "id": {page.ID}, "at": {stamp(e.Timestamp)}})
			s.Chosen = !chosen && !e.Timestamp.After(at)
			chosen = chosen || s.Chosen
		}
		timeline = append(timeline, s)
	}
	return timeline
}

// state fills in what the record was at the moment.
func (p *recordPage) state(ctx context.Context, h *panel, life life, at time.Time) error {
	state, err := lifeline.At(ctx, &life, p.ID, at, nil)
	if errors.Is(err, lifeline.ErrNothingKnown) || errors.Is(err, lifeline.ErrContradiction) {
		p.Problem = err.Error()
		return nil
	}
	if err != nil {
		return err
	}
	if p.Absent = !state.Exists; p.Absent {
		if state.Last != nil {
			last := h.row(state.Last.Event)
			p.Last = &last
		}
		return nil
	}
	steps, err := life.Steps(ctx, p.ID)
	if err != nil {
		return err
	}
	steps = slices.DeleteFunc(slices.Clone(steps), func(s lifeline.Step) bool { return s.Event.Timestamp.After(at) })
	setters := lifeline.Setters(steps)
	for _, name := range slices.Sorted(maps.Keys(setters)) {
		if _, known := state.Row[name]; !known && !slices.Contains(state.Unknown, name) {
			state.Unknown = append(state.Unknown, name)
		}
	}
	names := slices.Concat(slices.Collect(maps.Keys(state.Row)), state.Unknown)
	slices.Sort(names)
	for _, name := range names {
		p.State = append(p.State, h.column(name, state.Row[name], setters))
	}
	return nil
}

func (h *panel) column(name string, value json.RawMessage, setters map[string]lifeline.Step) column {
	c := column{Name: name, Unknown: value == nil}
	s, set := setters[name]
	if set {
		r := h.row(s.Event)
		c.Setter = &r
		if value == nil && isMask(s.New[name]) {
			value = s.New[name]
		}
	}
	if value != nil {
		c.Cell, c.Unknown = cellOf(value), false
	}
	return c
}

// life reads the events of a record, and of the records that it was before its
// key changed. It is the lifeline.Source of the panel, which does not look at
// the tables of the app.
type life struct {
	handler *panel
	object  string
	read    map[string][]event.Event
	cut     bool
}

// events returns what happened to the record and what it was involved in,
// newest first.
func (l *life) events(ctx context.Context, id string) ([]event.Event, error) {
	if events, ok := l.read[id]; ok {
		return events, nil
	}
	var events []event.Event
	for _, f := range []event.Filter{{ActionObject: l.object, ActionObjectID: id}, {TargetType: l.object, TargetID: id}} {
		f.Order, f.Limit = event.NewestFirst, inLife+1
		found, err := l.handler.audit.Events(ctx, f)
		if err != nil {
			return nil, err
		}
		if len(found) > inLife {
			found, l.cut = found[:inLife], true
		}
		events = append(events, found...)
	}
	slices.SortFunc(events, func(a, b event.Event) int { return event.Compare(b, a) })
	events = slices.CompactFunc(events, func(a, b event.Event) bool { return a.ID == b.ID })
	if l.read == nil {
		l.read = map[string][]event.Event{}
	}
	l.read[id] = events
	return events, nil
}

// Steps implements [lifeline.Source].
func (l *life) Steps(ctx context.Context, id string) ([]lifeline.Step, error) {
	events, err := l.events(ctx, id)
	if err != nil {
		return nil, err
	}
	var own []event.Event
	for _, e := range events {
		if e.ActionObject == l.object {
			own = append(own, e)
		}
	}
	return lifeline.Steps(own), nil
}

// Live implements [lifeline.Source].
func (l *life) Live(context.Context, string) (lifeline.Row, bool, error) { return nil, false, nil }
