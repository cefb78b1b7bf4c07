package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/eventaudit/eventaudit/event"
)

// deed is something done to the trail that the trail itself has to tell.
type deed struct {
	// before and after are the actions of its two events.
	before, after string
	facts         map[string]any
}

// recorded records that the deed begins, does it, and records how it ended and
// how many events it was about. A process that is killed in between leaves the
// first of the two. The deed is not begun when that cannot be recorded.
func (t *trail) recorded(ctx context.Context, d deed, do func() (int64, error)) (int64, error) {
	if err := t.Record(ctx, event.Event{Category: event.CategoryAudit, Action: d.before, Payload: event.JSON(d.facts)}); err != nil {
		return 0, fmt.Errorf("not begun, since it could not be recorded: %w", err)
	}
	n, err := do()
	ended := event.Event{
		Category: event.CategoryAudit, Action: d.after, Payload: event.JSON(d.facts),
		Result: event.JSON(map[string]any{"count": n}),
	}
	if err != nil {
		ended.Outcome, ended.Error = event.OutcomeFailure, err.Error()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closing)
	defer cancel()
	return n, errors.Join(err, t.Record(ctx, ended))
}
