package admin

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
)

// page is a part of the list, newest first.
type page struct {
	events []event.Event
	// newer and older say that there are others.
	newer, older bool
	// unfinished are the fields in which the search was given up.
	unfinished []string
}

// page reads the page that the query asks for.
//
// Back to what is newer it reads in the opposite order, from the first event of
// the page that was left, so that it costs the same at any depth.
func (h *panel) page(ctx context.Context, q query) (page, error) {
	if q.before == "" && !q.oldest {
		p, more, err := h.read(ctx, q, event.NewestFirst, q.after)
		p.older, p.newer = more, q.after != ""
		return p, err
	}
	p, more, err := h.read(ctx, q, event.OldestFirst, q.before)
	if err != nil {
		return p, err
	}
	if !more && q.before != "" { // it is the first page, which is to be full
		q.before = ""
		return h.page(ctx, q)
	}
	slices.Reverse(p.events)
	p.newer, p.older = more, q.before != ""
	return p, nil
}

// read reads a page behind the cursor, and whether there is more.
func (h *panel) read(ctx context.Context, q query, order event.Order, after event.Cursor) (p page, more bool, err error) {
	f := q.filter
	f.Order, f.After, f.Limit = order, after, q.size+1
	if q.text == "" {
		p.events, err = h.audit.Events(ctx, f)
	} else {
		p.events, p.unfinished, err = h.search(ctx, f, q.text)
	}
	if len(p.events) > q.size {
		p.events, more = p.events[:q.size], true
	}
	return p, more, err
}

// searched are the fields that hold ids, in which free text is looked for.
var searched = []string{"id", "action_object_id", "target_id", "transaction_id", "request_id", "trace_id", "actor"}

// patience is how long the search in one field may take: a repository without
// an index on it reads the whole trail.
const patience = 2 * time.Second

// search returns the events that have the text in one of the fields, in the
// order of the filter, and the fields in which it was given up.
func (h *panel) search(ctx context.Context, f event.Filter, text string) (found []event.Event, unfinished []string, err error) {
	for _, name := range searched {
		narrowed, possible := with(f, name, text)
		if !possible {
			continue
		}
		events, err := h.within(ctx, narrowed)
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			unfinished = append(unfinished, name)
		} else if err != nil {
			return nil, nil, err
		}
		found = append(found, events...)
	}
	found = repository.Page(found, event.Filter{Order: f.Order})
	found = slices.CompactFunc(found, func(a, b event.Event) bool { return a.ID == b.ID })
	return found[:min(f.Limit, len(found))], unfinished, nil
}

// within returns the events that are found in time.
func (h *panel) within(ctx context.Context, f event.Filter) (found []event.Event, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for e, err := range h.audit.All(ctx, f) {
		if err != nil {
			return found, err
		}
		found = append(found, e)
	}
	return found, nil
}

// with asks for the text in one more field; false says that the filter asks for
// something else there.
func with(f event.Filter, name, text string) (event.Filter, bool) {
	for _, field := range f.Fields() {
		if field.Name == name {
			return f, field.Value == text
		}
	}
	return f, f.Set(name, text) == nil
}

// all yields every event that the query asks for, oldest first.
func (h *panel) all(ctx context.Context, q query) iter.Seq2[event.Event, error] {
	if q.text == "" {
		return h.audit.All(ctx, q.filter)
	}
	return func(yield func(event.Event, error) bool) {
		for q.size = maxSize; ; {
			p, more, err := h.read(ctx, q, event.OldestFirst, q.after)
			if err == nil && len(p.unfinished) > 0 {
				err = errUnfinished(p.unfinished)
			}
			if err != nil {
				yield(event.Event{}, err)
				return
			}
			for _, e := range p.events {
				if !yield(e, nil) {
					return
				}
			}
			if !more {
				return
			}
			q.after = p.events[len(p.events)-1].Cursor()
		}
	}
}

func errUnfinished(fields []string) error {
	return errors.New("the search in " + strings.Join(fields, ", ") + " took too long; narrow it by other fields or by time")
}
