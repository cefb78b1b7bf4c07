package repository

import (
	"context"
	"fmt"

	"github.com/eventaudit/eventaudit/event"
)

// copyBatch is how many events Copy holds.
const copyBatch = 500

// Copied says how far a copy has come.
type Copied struct {
	// Events is how many events were handed over, those included that the
	// destination had already.
	Events int64
	// After stands behind the last of them. A copy that goes on there, with
	// Filter.After, leaves nothing out. Empty when there were no events.
	After event.Cursor
}

// Copy writes the events that the filter asks for in src to dst, in the
// filter's order, batch by batch. Events that dst has already stay as they are
// there, so that a copy may be repeated; events come over unchanged, those of
// an ancestor included. Nothing is removed from src.
//
// Beside an error Copied says what has certainly arrived, and where to go on.
// A copy that must survive the end of its process asks for a Limit, and keeps
// After somewhere before it asks for the next events:
//
//	for {
//		done, err := repository.Copy(ctx, dst, src, f)
//		if err != nil || done.Events < int64(f.Limit) {
//			return err
//		}
//		f.After = done.After
//	}
//
// What is written to src meanwhile comes along when it sorts behind the place
// that the copy has reached.
func Copy(ctx context.Context, dst, src Repository, f event.Filter) (Copied, error) {
	var done Copied
	if err := f.Validate(); err != nil {
		return done, err
	}
	for left := f.Limit; ; {
		page := f
		page.Limit = copyBatch
		if f.Limit > 0 {
			page.Limit = min(left, copyBatch)
		}
		events, err := read(ctx, src, page)
		if err != nil {
			return done, fmt.Errorf("repository: copy: %w", err)
		}
		if len(events) > 0 {
			if err := dst.Write(ctx, events...); err != nil {
				return done, fmt.Errorf("repository: copy: %w", err)
			}
			done.Events += int64(len(events))
			done.After = events[len(events)-1].Cursor()
		}
		left -= len(events)
		if len(events) < page.Limit || f.Limit > 0 && left == 0 {
			return done, nil
		}
		f.After, f.Offset = done.After, 0
	}
}

// read reads a page to its end before anything is written: a connection that
// both repositories need is free again.
func read(ctx context.Context, src Repository, page event.Filter) ([]event.Event, error) {
	var events []event.Event
	for e, err := range src.Find(ctx, page) {
		if err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	return events, nil
}
