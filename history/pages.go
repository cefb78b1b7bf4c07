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
