package outbox

import (
	"errors"
	"fmt"
)

// ErrNoTables says that the tables of the outbox are missing or not in the
// shape that this version needs. Its text says what to do.
var ErrNoTables = errors.New("call migrate.Up(db) (or run `eventaudit migrate up`) before db.Use")

// PendingError says that Flush or Close came to the end of its context before
// the outbox came to its own. Nothing is lost: a relay of this or another
// process goes on with what is left.
type PendingError struct {
	// Pending is how many events are left, or -1 when the database did not
	// say.
	Pending int64
	// Reason is the repository's last error, nil when its last batch arrived.
	Reason error
	// Err is why the wait ended, an error of the context.
	Err error
}

// Error returns all three in one line.
func (e *PendingError) Error() string {
	left := fmt.Sprintf("%d events are", e.Pending)
	switch e.Pending {
	case -1:
		left = "an unknown number of events is"
	case 1:
		left = "1 event is"
	}
	if e.Reason == nil {
		return fmt.Sprintf("outbox: %s left: %v", left, e.Err)
	}
	return fmt.Sprintf("outbox: %s left: %v; the repository's last error: %v", left, e.Err, e.Reason)
}

// Unwrap returns Err and Reason.
func (e *PendingError) Unwrap() []error {
	if e.Reason == nil {
		return []error{e.Err}
	}
	return []error{e.Err, e.Reason}
}
