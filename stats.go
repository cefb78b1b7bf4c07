package eventaudit

import (
	"context"
	"fmt"
	"strconv"

	"github.com/eventaudit/eventaudit/outbox"
)

// Stats say how an Auditor is doing. What they count, they count from db.Use
// on, in this process.
type Stats struct {
	// Lost counts the events that were given up: by ContinueOnError, also in
	// transactions that were rolled back afterwards, and those of failed actions
	// that could not be stored within a minute. A number that is not zero is
	// worth an alert.
	Lost int64
	// Stats are about the outbox and the relay. All is zero where events stay
	// in the app's own database. Pending, OldestPending and Dead are asked of
	// the database and the same in every process; the rest is known where the
	// relay runs.
	outbox.Stats
}

// Stats counts. Where there is an outbox that takes a look at the database:
// what waits in it is counted. When the database does not answer, the error
// says so, and what this process knows by itself is there all the same.
func (a *Auditor) Stats(ctx context.Context) (Stats, error) {
	t, err := a.installed()
	if err != nil {
		return Stats{}, err
	}
	s := Stats{Lost: t.lostEvents.Load()}
	if t.outbox != nil {
		s.Stats, err = t.outbox.Stats(ctx)
	}
	return s, err
}

// LostError says which events were not stored. It is what Config.OnError gets
// for events that were given up; otherwise it is wrapped by the error of the
// statement or action.
type LostError struct {
	// EventIDs are the ids of the events, in their order.
	EventIDs []string
	// Err is why.
	Err error
}

// Error says how many events were lost, and why.
func (e *LostError) Error() string {
	events := " events were"
	if len(e.EventIDs) == 1 {
		events = " event was"
	}
	return fmt.Sprintf("eventaudit: %s not stored: %v", strconv.Itoa(len(e.EventIDs))+events, e.Err)
}

// Unwrap returns the cause.
func (e *LostError) Unwrap() error { return e.Err }
