package repository

// RejectedError is what Write returns when some of the events are why it
// failed, and not the store: they would be refused again, while the store is
// fine. The relay keeps trying such an event for a while and then makes it a
// dead letter; all other errors, except those that wrap event.ErrInvalid, make
// it wait for the store.
type RejectedError struct {
	// IDs names the refused events; all others of the call have been stored.
	// Without IDs the repository does not know which events are at fault, and
	// may have stored any of the call.
	IDs []string
	// Err says why. When it wraps event.ErrInvalid there is no other attempt.
	Err error
}

// Error returns the text of Err with a few words in front.
func (e *RejectedError) Error() string { return "repository: events rejected: " + e.Err.Error() }

// Unwrap returns Err.
func (e *RejectedError) Unwrap() error { return e.Err }
