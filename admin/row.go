package admin

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/lifeline"
	"github.com/eventaudit/eventaudit/internal/redact"
)

// row is an event in a list.
type row struct {
	event.Event
	When moment
	// Kind is the class of its colour.
	Kind string
	// Link leads to the event, Record to its record, if it has one.
	Link, Record string
	// Changes are the first columns, More how many there are besides.
	Changes []change
	More    int
	// Document is what there is instead of columns.
	Document string
}

// change is a column in an event.
type change struct {
	Column string
	// Old and New are nil when the event does not say.
	Old, New *cell
}

// cell is a value of a column.
type cell struct {
	value
	// Marked is Short, or Whole if there is one, with what changed.
	Marked []segment
	// Masked says that the value was kept out of the trail.
	Masked bool
}

// inRow is how many columns a list shows of an event.
const inRow = 3

func (h *panel) rows(events []event.Event) []row {
	rows := make([]row, len(events))
	for i, e := range events {
		rows[i] = h.row(e)
	}
	return rows
}

func (h *panel) row(e event.Event) row {
	r := row{
		Event: e, When: h.moment(e.Timestamp), Kind: kindOf(e),
		Link: eventLink(e.ID), Record: recordLink(e.ActionObject, e.ActionObjectID),
	}
	images, err := lifeline.ImagesOf(e)
	if err != nil {
		r.Document = strings.TrimSpace(clip(readable(e.Payload), 2*inList) + " " + clip(readable(e.Result), 2*inList))
		return r
	}
	columns := columnsOf(images)
	r.More = max(0, len(columns)-inRow)
	for _, column := range columns[:min(inRow, len(columns))] {
		r.Changes = append(r.Changes, change{column, glance(images.Old, column), glance(images.New, column)})
	}
	return r
}

func columnsOf(images lifeline.Images) []string {
	columns := map[string]bool{}
	for column := range images.Old {
		columns[column] = true
	}
	for column := range images.New {
		columns[column] = true
	}
	return slices.Sorted(maps.Keys(columns))
}

// glance is a value as a list has it.
func glance(image lifeline.Row, column string) *cell {
	raw, told := image[column]
	if !told {
		return nil
	}
	c := &cell{value: value{Short: clip(readable(raw), inList/2)}, Masked: lifeline.Masked(raw)}
	if isMask(raw) {
		c.Short = redact.Mask
	}
	return c
}

// changes are the columns of an event, side by side.
func changes(images lifeline.Images) (all []change) {
	for _, column := range columnsOf(images) {
		c := change{Column: column}
		old, had := images.Old[column]
		new, has := images.New[column]
		if had {
			c.Old = cellOf(old)
		}
		if has {
			c.New = cellOf(new)
		}
		if had && has {
			c.Old.Marked, c.New.Marked = diff(c.Old.widest(), c.New.widest())
		}
		all = append(all, c)
	}
	return all
}

func cellOf(raw json.RawMessage) *cell {
	c := &cell{value: block(readable(raw)), Masked: isMask(raw)}
	c.Marked = []segment{{Text: c.widest()}}
	return c
}

// isMask reports whether nothing of a value is in the trail.
func isMask(raw json.RawMessage) bool { return bytes.Equal(raw, []byte(`"`+redact.Mask+`"`)) }

func (v value) widest() string {
	if v.Whole != "" {
		return v.Whole
	}
	return v.Short
}

// kindOf is the class of an event's colour; never a word of the event's own.
func kindOf(e event.Event) string {
	switch {
	case e.Outcome == event.OutcomeFailure, e.Outcome == event.OutcomeDenied:
		return "bad"
	case e.Category == event.CategoryAudit:
		return "audit"
	case e.Category != event.CategoryModel:
		return "other"
	}
	switch e.Action {
	case event.ActionCreated, event.ActionRestored, event.ActionAttached:
		return "created"
	case event.ActionDeleted, event.ActionDetached:
		return "deleted"
	case event.ActionChanged:
		return "changed"
	}
	return "other"
}

func eventLink(id string) string { return address("event", url.Values{"id": {id}}) }

func recordLink(object, id string) string {
	if object == "" || id == "" {
		return ""
	}
	return address("record", url.Values{"object": {object}, "id": {id}})
}

// groupLink leads to a page of events that belong together.
func groupLink(page, id string) string {
	if id == "" {
		return ""
	}
	return address(page, url.Values{"id": {id}})
}
