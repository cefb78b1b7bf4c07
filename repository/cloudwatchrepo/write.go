package cloudwatchrepo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
)

// lanes is how many batches of one Write are on their way at once.
const lanes = 4

// Write implements [repository.Repository]. Events that CloudWatch refuses are
// named by a *repository.RejectedError; all others are stored then. After any
// other error some of the events may be stored, and the trouble is CloudWatch
// or the way there, not the events: write them again.
//
// An event that is older than CloudWatch accepts, or further in the future, is
// stored under the time of its arrival and marked. Its own timestamp stays in
// it, and counts when it is read.
func (r *Repository) Write(ctx context.Context, events ...event.Event) error {
	ready, err := repository.Prepare(events)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return r.failed(ctx, "write", err)
	}
	refused, err := r.deliver(ctx, firstOfEach(ready), false)
	var outOfTime []event.Event
	var final refusals
	for _, f := range refused {
		if errors.Is(f.reason, errTime) {
			outOfTime = append(outOfTime, *f.event)
		} else {
			final = append(final, f)
		}
	}
	if err == nil && len(outOfTime) > 0 {
		refused, err = r.deliver(ctx, outOfTime, true)
		final = append(final, refused...)
	}
	if err != nil {
		return r.failed(ctx, "write", err)
	}
	return final.orNil()
}

// firstOfEach returns the events without those whose ID came before.
func firstOfEach(events []event.Event) []event.Event {
	seen := make(map[string]bool, len(events))
	first := events[:0]
	for _, e := range events {
		if !seen[e.ID] {
			seen[e.ID] = true
			first = append(first, e)
		}
	}
	return first
}

// deliver sends the events and returns those that were refused.
func (r *Repository) deliver(ctx context.Context, events []event.Event, refusedBefore bool) (refusals, error) {
	entries := make([]entry, 0, len(events))
	var refused refusals
	now := r.now()
	for i := range events {
		e := &events[i]
		kind, at := placed(*e, now, refusedBefore)
		message, shortened, err := encode(*e, kind != timely, r.options.MaxEventBytes)
		if err != nil {
			refused = append(refused, refusal{e, err})
			continue
		}
		if shortened {
			r.options.Logger.WarnContext(ctx, "audit event shortened for CloudWatch", "event_id", e.ID)
		}
		entries = append(entries, entry{e, kind, at, string(message)})
	}
	more, err := r.sendAll(ctx, batches(entries))
	return append(refused, more...), err
}

// sendAll sends the batches, several at once. After an error it begins no
// other.
func (r *Repository) sendAll(ctx context.Context, all []batch) (refusals, error) {
	var (
		group   sync.WaitGroup
		mutex   sync.Mutex
		next    int
		refused refusals
		failure error
	)
	lane := func() {
		for {
			mutex.Lock()
			if failure != nil || next == len(all) {
				mutex.Unlock()
				return
			}
			b := all[next]
			next++
			mutex.Unlock()
			more, err := r.send(ctx, b)
			mutex.Lock()
			refused = append(refused, more...)
			if err != nil {
				failure = err
			}
			mutex.Unlock()
		}
	}
	for range min(lanes, len(all)) {
		group.Go(lane)
	}
	group.Wait()
	return refused, failure
}

// refusal is an event that CloudWatch would not take.
type refusal struct {
	event  *event.Event
	reason error
}

type refusals []refusal

// orNil returns a *repository.RejectedError whose text gives the reason for
// each of the events, as far as people read.
func (r refusals) orNil() error {
	if len(r) == 0 {
		return nil
	}
	const most = 20
	var ids, reasons []string
	for i, f := range r {
		ids = append(ids, f.event.ID)
		if i < most {
			reasons = append(reasons, fmt.Sprintf("%q: %v", f.event.ID, f.reason))
		}
	}
	if len(r) > most {
		reasons = append(reasons, fmt.Sprintf("and %d more", len(r)-most))
	}
	return &repository.RejectedError{IDs: ids, Err: errors.New("cloudwatchrepo: write: " + strings.Join(reasons, "; "))}
}
