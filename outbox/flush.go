package outbox

import (
	"context"
	"fmt"
	"math"
	"time"
)

// Flush waits until every event that was committed before the call has been
// delivered or has become a dead letter, by the relay of this or of another
// process. It does not wait for batches to fill, and gives a repository that
// is left alone because it failed another chance at once. When the context
// ends first, the error is a *PendingError.
//
// An event that the repository refused is tried again after minutes or hours,
// and Flush waits for it: use a context with a deadline.
func (o *Outbox) Flush(ctx context.Context) error {
	last, err := o.queue.last(ctx)
	if err != nil {
		return o.broken(ctx, math.MaxInt64, err)
	}
	o.flushing.Add(1)
	defer o.flushing.Add(-1)
	for signal(o.hurry); ; {
		settled := o.settled.heard()
		left, err := o.queue.holds(ctx, last)
		switch {
		case err != nil:
			return o.broken(ctx, last, err)
		case !left:
			return nil
		}
		timer := time.NewTimer(jitter(o.options.PollInterval, 20))
		select {
		case <-settled:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// broken returns why Flush cannot go on: the end of its context, or else the
// database.
func (o *Outbox) broken(ctx context.Context, last int64, err error) error {
	if ctx.Err() != nil {
		return o.pendingUpTo(ctx, last)
	}
	return fmt.Errorf("outbox: flush: %w", err)
}

// pending returns the error of a context that has ended.
func (o *Outbox) pending(ctx context.Context) error { return o.pendingUpTo(ctx, math.MaxInt64) }

// pendingUpTo speaks of the rows up to the sequence.
func (o *Outbox) pendingUpTo(ctx context.Context, last int64) error {
	counting, cancel := context.WithTimeout(context.WithoutCancel(ctx), o.timing.cleanup)
	defer cancel()
	left, err := o.queue.count(counting, last)
	if err != nil {
		left = -1
	}
	return &PendingError{Pending: left, Reason: o.destination.lastError(), Err: context.Cause(ctx)}
}
