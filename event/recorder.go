package event

import "context"

// Recorder takes events into the trail. eventaudit's Auditor is one; hooks and
// actions know nothing more of it than this and ActionRecorder.
type Recorder interface {
	// Record completes, checks and stores the events: all of them or none.
	// The error wraps ErrInvalid when an event breaks a rule.
	Record(ctx context.Context, events ...Event) error
}
