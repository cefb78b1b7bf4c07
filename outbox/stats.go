package outbox

import (
	"context"
	"fmt"
	"time"
)

// Stats say how an outbox is doing. Pending, OldestPending and Dead are about
// the tables, whoever works on them; the rest is about this process since New.
type Stats struct {
	// Pending is how many events the outbox holds, and OldestPending how long
	// the oldest has been in it. An age that grows is worth an alert.
	Pending       int64
	OldestPending time.Duration
	// Dead is how many dead letters there are.
	Dead int64

	// Delivered counts the events that the repository took, Retried those that
	// went back into the outbox to be tried again, and Rejected how often it
	// refused one.
	Delivered, Retried, Rejected int64
	// Lag is how long the oldest event of the last batch that arrived had been
	// in the outbox by then.
	Lag time.Duration
	// LastSuccess is when the repository last took events; zero is never.
	LastSuccess time.Time
	// Failures is how many times in a row the repository has failed. While it
	// is not zero the relay leaves it alone, longer each time.
	Failures int
	// LastError is the repository's last error, nil when its last batch
	// arrived.
	LastError error
}

// Stats counts. On a long backlog that takes the database a moment. When the
// database does not answer, what this process knows by itself is there beside
// the error.
func (o *Outbox) Stats(ctx context.Context) (Stats, error) {
	s := o.destination.stats()
	var oldest int64
	err := o.queue.pool.QueryRowContext(ctx, o.queue.dialect.sql(
		"SELECT count(*), COALESCE(MAX({now} - created_at), 0) FROM "+Table)).Scan(&s.Pending, &oldest)
	if err == nil {
		err = o.queue.pool.QueryRowContext(ctx, "SELECT count(*) FROM "+DeadLetterTable).Scan(&s.Dead)
	}
	if err != nil {
		return s, fmt.Errorf("outbox: stats: %w", err)
	}
	s.OldestPending = time.Duration(oldest) * time.Microsecond
	return s, nil
}

func (d *destination) stats() Stats {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return Stats{
		Delivered: d.delivered, Retried: d.retried, Rejected: d.rejected,
		Lag: d.lag, LastSuccess: d.success, Failures: d.failures, LastError: d.err,
	}
}
