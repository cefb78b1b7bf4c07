package history

import (
	"context"
	"iter"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
)

// pageSize is how many events are read at once. No connection is held between
// pages, so that what reads them may ask the same database.
const pageSize = 500

// pages yields the events that the filter asks for, page by page. The filter has
// no offset.
func pages(ctx context.Context, r repository.Repository, f event.Filter) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		for left := f.Limit; ; {
			page := f
			page.Limit = pageSize
			if left > 0 {
				page.Limit = min(left, pageSize)
			}
			var events []event.Event
			for e, err := range r.Find(ctx, page) {
				if err != nil {
					yield(event.Event{}, err)
					return
				}
				events = append(events, e)
			}
			for _, e := range events {
				if !yield(e, nil) {
					return
				}
			}
			left -= len(events)
			if len(events) < page.Limit || f.Limit > 0 && left == 0 {
				return
			}
			f.After = events[len(events)-1].Cursor()
		}
	}
}

// merged yields the events of several sequences as one, in order and each once.
func merged(order event.Order, sequences ...iter.Seq2[event.Event, error]) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		var heads []*head
		defer func() {
			for _, h := range heads {
				h.stop()
			}
		}()
		for _, sequence := range sequences {
			h := &head{}
			h.next, h.stop = iter.Pull2(sequence)
			heads = append(heads, h)
			h.advance()
		}
		last := ""
		for {
			h := first(order, heads)
			if h == nil {
				return
			}
			if h.err != nil {
				yield(event.Event{}, h.err)
				return
			}
			e := h.event
			h.advance()
			if e.ID != last && !yield(e, nil) {
				return
			}
			last = e.ID
		}
	}
}

// head is the first event of a sequence that is not taken.
type head struct {
	next  func() (event.Event, error, bool)
	stop  func()
	event event.Event
	err   error
	ok    bool
}

func (h *head) advance() { h.event, h.err, h.ok = h.next() }

// first returns the head that comes first, nil when all are at their ends.
func first(order event.Order, heads []*head) *head {
	var found *head
	for _, h := range heads {
		switch {
		case !h.ok:
		case h.err != nil:
			return h
		case found == nil:
			found = h
		case (event.Compare(h.event, found.event) < 0) == (order == event.OldestFirst):
			found = h
		}
	}
	return found
}
