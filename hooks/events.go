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
	for _, c := range inSequence(changes) {
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
	id, now := i.Transactions.ID(i.ConnPool), time.Now()
	for n := range events {
		events[n].TransactionID = id
		events[n].Complete(now)
	}
	return events
}

func (i *interceptor) eventOf(set *images, c change) (event.Event, bool) {
	action, differs, ok := i.actionOf(set, c)
	if !ok {
		return event.Event{}, false
	}
	e := event.Event{
		Category: event.CategoryModel, Action: action, ActionObject: i.table.object, BeforeUnknown: c.unknown,
	}
	chosen := func(column int) bool { return differs == nil || i.State == StateFull || differs[column] }
	switch {
	case c.unknown:
		e.Result = i.result(set, nil, c.after, chosen)
	case differs != nil && action == event.ActionDeleted:
		e.Result = i.softDeleted(set, c, func(column int) bool { return differs[column] })
	default:
		e.Result = i.result(set, c.before, c.after, chosen)
	}
	i.name(&e, set, c)
	return e, true
}

// actionOf says what happened to a row, and where it was there before and
// after, which columns differ. A row that stayed the same has no action.
func (i *interceptor) actionOf(set *images, c change) (action string, differs []bool, ok bool) {
	switch {
	case c.before == nil && c.after == nil:
		return "", nil, false
	case c.unknown:
		return event.ActionChanged, nil, true
	case c.before == nil:
		return event.ActionCreated, nil, true
	case c.after == nil:
		return event.ActionDeleted, nil, true
	}
	differs, ok = set.changes(c.before, c.after)
	return i.action(set, c), differs, ok
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
	document := append(make([]byte, 0, set.size(before, chosen)+set.size(after, chosen)), '{')
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
	all := func(int) bool { return true }
	document := append(make([]byte, 0, set.size(c.before, all)+set.size(c.after, changed)), `{"old":`...)
	document = set.document(document, *c.before, i.mask, all)
	document = append(document, `,"new":`...)
	document = set.document(document, *c.after, i.mask, changed)
	return append(document, '}')
}
