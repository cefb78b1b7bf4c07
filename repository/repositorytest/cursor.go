package repositorytest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/eventaudit/eventaudit/event"
)

func cursorCases() []testCase {
	return []testCase{
		{
			"ties", "Paging by cursor yields every event once, in both orders, when many share one timestamp.",
			func(t *testing.T, s *store) {
				var events []event.Event
				for i := range 60 {
					e := plain(fmt.Sprintf("event-%02d", (i*37)%60))
					e.Timestamp = noon.Add(time.Duration(i/25) * time.Microsecond)
					events = append(events, e)
				}
				stored := s.write(t, events...)
				for _, order := range []event.Order{event.OldestFirst, event.NewestFirst} {
					for _, limit := range []int{1, 7, 25, 60} {
						f := event.Filter{Order: order, Limit: limit}
						if problem := s.compareLists(answer(stored, event.Filter{Order: order}), s.pages(t, f, nothing)); problem != "" {
							t.Errorf("paging with %s: %s", describe(f), problem)
						}
					}
				}
			},
		},
		{
			"with_fields", "A cursor goes together with fields and time bounds.",
			func(t *testing.T, s *store) {
				events := series(40)
				for i := range events {
					events[i].Actor = []string{"anna", "bert", "anna "}[i%3]
				}
				stored := s.write(t, events...)
				f := event.Filter{Actor: "anna", From: noon.Add(3 * time.Second), To: noon.Add(35 * time.Second)}
				paged := f
				paged.Limit = 4
				if problem := s.compareLists(answer(stored, f), s.pages(t, paged, nothing)); problem != "" {
					t.Errorf("paging with %s: %s", describe(paged), problem)
				}
			},
		},
		{
			"anywhere", "A cursor is a place in the list; the event it was taken from need not match, or be there.",
			func(t *testing.T, s *store) {
				stored := s.write(t, series(10)...)
				for _, at := range []time.Duration{-time.Hour, 0, 4 * time.Second, 4*time.Second + time.Microsecond, time.Hour} {
					for _, id := range []string{"a", "event-0004", "event-0004x", "z"} {
						e := plain(id)
						e.Timestamp = noon.Add(at)
						s.expect(t, event.Filter{After: e.Cursor()}, stored)
						s.expect(t, event.Filter{After: e.Cursor(), Order: event.NewestFirst}, stored)
					}
				}
			},
		},
		{
			"while_writing", "Paging by cursor while others write neither misses nor repeats an event that was there before.", pagingWhileWriting,
		},
	}
}

func nothing() {}

// pages reads a list page by page and calls between after each.
func (s *store) pages(t *testing.T, f event.Filter, between func()) []event.Event {
	t.Helper()
	var list []event.Event
	for {
		page := s.find(t, f)
		if len(page) > f.Limit {
			t.Fatalf("Find(%s) yields %d events, more than the limit", describe(f), len(page))
		}
		list = append(list, page...)
		if len(page) < f.Limit {
			return list
		}
		f.After = page[len(page)-1].Cursor()
		between()
	}
}

func pagingWhileWriting(t *testing.T, s *store) {
	before := s.write(t, series(60)...)
	for _, order := range []event.Order{event.OldestFirst, event.NewestFirst} {
		writers := newDisturbance(t, s)
		list := s.pages(t, event.Filter{Order: order, Limit: 7}, writers.oneMore)
		writers.stop()

		seen := map[string]int{}
		for _, e := range list {
			seen[e.ID]++
		}
		for id, n := range seen {
			if n > 1 {
				t.Errorf("event %q came %d times (order %d)", id, n, order)
			}
		}
		for _, e := range before {
			if seen[e.ID] == 0 {
				t.Errorf("event %q was missed (order %d)", e.ID, order)
			}
		}
	}
}

// disturbance writes events all over the list, by goroutines of its own and on
// demand. They are few enough that the paging ends.
type disturbance struct {
	t       *testing.T
	store   *store
	cancel  context.CancelFunc
	writers sync.WaitGroup
}

func newDisturbance(t *testing.T, s *store) *disturbance {
	ctx, cancel := context.WithCancel(t.Context())
	d := &disturbance{t: t, store: s, cancel: cancel}
	for range 2 {
		d.writers.Go(func() {
			for n := 0; n < 25 && ctx.Err() == nil; n++ {
				d.oneMore()
			}
		})
	}
	t.Cleanup(d.stop)
	return d
}

// oneMore writes an event at each end of the list and one in its middle.
func (d *disturbance) oneMore() {
	events := []event.Event{plain(event.NewID()), plain(event.NewID()), plain(event.NewID())}
	events[0].Timestamp = noon.Add(-time.Hour)
	events[1].Timestamp = noon.Add(30*time.Second + 500*time.Millisecond)
	events[2].Timestamp = noon.Add(time.Hour)
	if err := d.store.repo.Write(d.t.Context(), events...); err != nil {
		d.t.Errorf("Write while another goroutine pages: %v", err)
	}
}

func (d *disturbance) stop() {
	d.cancel()
	d.writers.Wait()
}
