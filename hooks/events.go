package hooks

import (
	"encoding/json"
	"time"

	"github.com/eventaudit/eventaudit/event"
)

// events turns the changes of a statement into events; a row that is the same
// before and after yields none.
func (i *interceptor) events(set *images, changes []change) []event.Event {
	if len(changes) == 0 {
		return nil
	}
	events := make([]event.Event, 0, len(changes))
	for _, c := range changes {
		if e, ok := i.eventOf(set, c); ok {
			events = append(events, e)
		}
		if e, ok := i.linked(set, c); ok {
			events = append(events, e)
		}
	}
	if len(events) == 0 {
		return nil
	}
	id, now := i.transactions.of(i.ConnPool), time.Now()
	for n := range events {
		events[n].TransactionID = id
		events[n].Complete(now)
	}
	return events
}

func (i *interceptor) eventOf(set *images, c change) (event.Event, bool) {
	e := event.Event{Category: event.CategoryModel, ActionObject: i.table.object}
	all := func(int) bool { return true }
	switch {
	case c.before == nil && c.after == nil:
		return event.Event{}, false
	case c.unknown:
		e.Action, e.BeforeUnknown = event.ActionChanged, true
		e.Result = i.result(set, nil, c.after, all)
	case c.before == nil:
		e.Action = event.ActionCreated
		e.Result = i.result(set, nil, c.after, all)
	case c.after == nil:
		e.Action = event.ActionDeleted
		e.Result = i.result(set, c.before, nil, all)
	default:
		differs, counts := set.changes(*c.before, *c.after)
		if !counts {
			return event.Event{}, false
		}
		changed := func(column int) bool { return differs[column] }
		e.Action = i.action(set, c)
		if e.Action == event.ActionDeleted {
			e.Result = i.softDeleted(set, c, changed)
		} else {
			if i.State == StateFull {
				changed = all
			}
			e.Result = i.result(set, c.before, c.after, changed)
		}
	}
	i.name(&e, set, c)
	return e, true
}

// name says which row the event is about. A row whose key changed is named by
// its old key; the new one is the event's target, so that the history of
// either leads to the other.
func (i *interceptor) name(e *event.Event, set *images, c change) {
	if c.before == nil {
		e.ActionObjectID = set.objectID(*c.after)
		return
	}
	e.ActionObjectID = set.objectID(*c.before)
	if c.after != nil && c.after.key != c.before.key {
		e.TargetType, e.TargetID = e.ActionObject, set.objectID(*c.after)
	}
}

// action tells a soft delete and its undoing from an ordinary change.
func (i *interceptor) action(set *images, c change) string {
	switch was, is := set.erased(*c.before), set.erased(*c.after); {
	case !was && is:
		return event.ActionDeleted
	case was && !is:
		return event.ActionRestored
	default:
		return event.ActionChanged
	}
}

// result returns {"old": ..., "new": ...} with the chosen columns.
func (i *interceptor) result(set *images, before, after *image, chosen func(int) bool) json.RawMessage {
	if before != nil && i.State == StateOff {
		before = nil
		if after == nil {
			return nil
		}
	}
	document := make([]byte, 0, 512)
	document = append(document, '{')
	if before != nil {
		document = append(document, `"old":`...)
		document = set.document(document, *before, i.mask, chosen)
	}
	if after != nil {
		if before != nil {
			document = append(document, ',')
		}
		document = append(document, `"new":`...)
		document = set.document(document, *after, i.mask, chosen)
	}
	return append(document, '}')
}

// softDeleted returns the whole row as it was and the columns that the soft
// delete set.
func (i *interceptor) softDeleted(set *images, c change, changed func(int) bool) json.RawMessage {
	if i.State == StateOff {
		return i.result(set, nil, c.after, changed)
	}
	document := append(make([]byte, 0, 512), `{"old":`...)
	document = set.document(document, *c.before, i.mask, func(int) bool { return true })
	document = append(document, `,"new":`...)
	document = set.document(document, *c.after, i.mask, changed)
	return append(document, '}')
}
