package outbox

import (
	"context"
	"time"
)

// launch sends the batch; the outcome arrives on the channel.
func (o *Outbox) launch(sending context.Context, b batch) <-chan outcome {
	landed := make(chan outcome, 1)
	if len(b.rows) == 0 {
		return landed
	}
	go func() {
		ctx, cancel := context.WithTimeout(sending, o.timing.send)
		defer cancel()
		out := send(ctx, o.destination.repository, b.rows)
		out.late = out.err != nil && ctx.Err() != nil
		landed <- out
	}()
	return landed
}

// land waits for the outcome of a batch. After the end of sending it waits a
// little longer, for a repository that notices; one that does not is left to
// itself.
func (o *Outbox) land(sending context.Context, b batch, landed <-chan outcome) outcome {
	var out outcome
	select {
	case out = <-landed:
	case <-sending.Done():
		select {
		case out = <-landed:
		case <-time.After(o.timing.grace):
			out = unsent(b, sending.Err())
		}
	}
	if sending.Err() != nil {
		return out // its failure is our doing
	}
	o.destination.note(out)
	o.size.note(out)
	return out
}

// unsent is the outcome of a batch that was not sent.
func unsent(b batch, err error) outcome {
	return outcome{unsent: [][]row{b.rows}, err: err}
}
