package eventaudit

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/eventaudit/eventaudit/event"
)

// permit refuses a change of a model that needs a reason and has none. Either
// name of it counts.
func (r *rules) permit(ctx context.Context, object, table string) error {
	return r.requireReason(ctx, object, table)
}

// requireReason returns an error when one of the names needs a reason and the
// context has none.
func (r *rules) requireReason(ctx context.Context, names ...string) error {
	return r.require(event.ReasonFrom(ctx), names...)
}

// reasoned refuses an event of the app's own that needs a reason and has none.
// What failed or was denied is never refused.
func (r *rules) reasoned(e event.Event) error {
	if e.Outcome != event.OutcomeSuccess {
		return nil
	}
	return r.require(e.Reason, e.Action)
}

func (r *rules) require(reason string, names ...string) error {
	if len(r.config.RequireReason) == 0 {
		return nil
	}
	for _, name := range names {
		if !slices.Contains(r.config.RequireReason, name) {
			continue
		}
		r.mutex.Lock()
		r.seen[name] = true
		r.mutex.Unlock()
		if strings.TrimSpace(reason) == "" {
			return fmt.Errorf("%w: %w", event.ErrReasonRequired, &event.FieldError{
				Field: "reason", Value: reason,
				Reason: fmt.Sprintf("is missing, and %s needs one; give it with event.WithReason", name),
			})
		}
	}
	return nil
}
