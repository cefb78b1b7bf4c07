package event

import "context"

// ActionRecorder is a Recorder that is told when an action begins, so that it
// can see which transactions the action takes part in, and refuse it. Package
// actions asks a Recorder whether it is one; eventaudit's Auditor is.
type ActionRecorder interface {
	Recorder
	// Begin is called before the action. The action runs with the context that
	// Begin returns. When it is over, end takes its event, once, whatever the
	// outcome; a nil end says that the action is not recorded. An error means
	// that the action must not run; end then takes the event of its refusal.
	Begin(ctx context.Context, action string) (within context.Context, end func(context.Context, Event) error, err error)
}
