package outbox

import (
	"context"
	"time"
)

// relay sends what comes into the outbox until claiming ends. What it has
// claimed by then it finishes, unless sending ends too.
func (o *Outbox) relay(claiming, sending context.Context) {
	for failures := 0; claiming.Err() == nil; {
		err := o.awaitBatch(claiming)
		if err == nil {
			err = o.drain(claiming, sending)
		}
		if err == nil || claiming.Err() != nil {
			failures = 0
			continue
		}
		failures++
		o.options.Logger.Warn("audit outbox cannot be read or cleared; events wait in it", "error", err, "failures", failures)
		o.wait(claiming, o.timing.pauseAfter(failures), nil)
	}
}

// awaitBatch returns when there is a batch to send: a full one, or one whose
// oldest event has waited long enough.
func (o *Outbox) awaitBatch(claiming context.Context) error {
	for claiming.Err() == nil {
		seen, err := o.queue.look(claiming, o.options.BatchSize)
		if err != nil {
			return err
		}
		rest := o.options.BatchTimeout - seen.oldest
		if seen.oldest < -o.options.BatchTimeout { // the clock was ahead: how long it has waited cannot be told
			rest = 0
		}
		switch {
		case seen.size == 0:
			o.wait(claiming, jitter(o.options.PollInterval, 20), o.wake)
		case seen.size == o.options.BatchSize, rest <= 0, o.flushing.Load() > 0:
			return nil
		default:
			o.fill(claiming, rest)
		}
	}
	return nil
}

// fill waits for more events, at most for the rest of the time, and no longer
// than the poll interval. It looks again when woken, but not for each of a
// thousand commits.
func (o *Outbox) fill(claiming context.Context, rest time.Duration) {
	rest = min(rest, o.options.PollInterval)
	pause := min(rest, o.timing.look)
	if o.wait(claiming, pause, nil) && rest > pause {
		o.wait(claiming, rest-pause, o.wake)
	}
}

// wait waits for that long, until it is woken, Flush is in a hurry, or claiming
// ends. It reports whether nothing cut it short.
func (o *Outbox) wait(claiming context.Context, d time.Duration, woken <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-claiming.Done():
	case <-woken:
	case <-o.hurry:
	}
	return false
}

// drain sends batch after batch, until one is not full or does not arrive.
//
// The next batch is claimed while the one before is on its way, and that one
// is settled while the next is: the repository gets one batch at a time, in
// order, and does not wait for the database.
func (o *Outbox) drain(claiming, sending context.Context) error {
	begun := time.Now()
	current, err := o.claim(sending, 0)
	if err != nil {
		return err
	}
	if len(current.rows) == 0 { // somebody else is about to have them
		o.wait(claiming, o.timing.look, nil)
	}
	landed := o.launch(sending, current)
	for len(current.rows) > 0 {
		var next batch
		if o.drainsOn(claiming, current, begun) {
			next, err = o.claim(sending, current.last())
		}
		out := o.land(sending, current, landed)
		if err != nil || out.err != nil || claiming.Err() != nil {
			o.settle(sending, current, out)
			o.settle(sending, next, unsent(next, nil))
			if failures := o.destination.failing(); failures > 0 {
				o.wait(claiming, o.timing.pauseAfter(failures), nil)
			}
			return err
		}
		landed = o.launch(sending, next)
		o.settle(sending, current, out)
		current = next
	}
	return nil
}

// drainsOn reports whether there is to be a batch behind this one. It is
// claimed from there on, for the database may have to pass over all the rows
// that were deleted lately, while a long transaction keeps them. From time to
// time the drain starts over nevertheless: what was committed late, or given
// back, is in front.
func (o *Outbox) drainsOn(claiming context.Context, b batch, begun time.Time) bool {
	return b.full && claiming.Err() == nil && time.Since(begun) < o.timing.drain
}

// claim claims the next batch behind the sequence. It is not broken off when
// claiming ends, since a claim of which nobody knows holds until its lease
// ends.
func (o *Outbox) claim(sending context.Context, after int64) (batch, error) {
	ctx, cancel := context.WithTimeout(sending, o.timing.cleanup)
	defer cancel()
	return o.queue.claim(ctx, after, o.size.now, o.timing.lease)
}

// settle brings the outbox up to date. It tries for a while, whether sending
// has ended or not. What it cannot settle is delivered once more when the
// claim has ended.
func (o *Outbox) settle(sending context.Context, b batch, out outcome) {
	if len(b.rows) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(sending), o.timing.cleanup)
	defer cancel()
	s := o.judge(out)
	o.destination.noteRefusals(len(s.delayed), len(s.buried))
	var buried []failure
	for tries := 1; ; tries++ {
		now, err := o.queue.settle(ctx, b, s)
		if len(now) > 0 { // a commit may succeed and fail to say so
			buried = now
		}
		if err == nil {
			s.buried = buried
			break
		}
		if !pause(ctx, o.timing.pauseAfter(tries)) {
			o.options.Logger.Error("audit outbox cannot be cleared; a batch will be delivered again",
				"error", err, "events", len(b.rows), "first_sequence", b.rows[0].sequence)
			return
		}
	}
	o.report(s)
	o.settled.tell()
}

// pause waits for that long, and reports whether the context lasted.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// judge decides what becomes of the rows.
func (o *Outbox) judge(out outcome) settlement {
	s := settlement{delivered: out.delivered, released: out.unsent}
	for _, r := range out.refused {
		attempts := r.row.attempts + 1
		f := failure{row: r.row, reason: r.err.Error(), wait: o.timing.retryAfter(attempts)}
		if r.final() || attempts >= o.options.MaxAttempts {
			s.buried = append(s.buried, f)
		} else {
			s.delayed = append(s.delayed, f)
		}
	}
	return s
}

// report logs the failures of events, by their IDs. Why they failed may hold
// what is in them, and is kept beside them in the database only.
func (o *Outbox) report(s settlement) {
	if ids := eventIDs(s.delayed); len(ids) > 0 {
		o.options.Logger.Warn("audit repository refused events; they will be tried again", "ids", ids)
	}
	if ids := eventIDs(s.buried); len(ids) > 0 {
		o.options.Logger.Error("audit repository refused events for good; they are dead letters now", "ids", ids)
	}
}

func eventIDs(failures []failure) []string {
	ids := make([]string, len(failures))
	for i, f := range failures {
		ids[i] = f.row.event.ID
	}
	return ids
}
