package lifeline

import (
	"iter"

	"github.com/eventaudit/eventaudit/event"
)

// Merged yields the events of several sequences as one, in order and each once.
func Merged(order event.Order, sequences ...iter.Seq2[event.Event, error]) iter.Seq2[event.Event, error] {
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
