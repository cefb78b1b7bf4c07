// Package deed tells the trail what is done to the trail itself: who exported,
// imported, cleared or discarded events. The command line and the panel do it
// through here, so that the same deed reads the same wherever it was done.
package deed

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
)

// Deed is something done to the trail that the trail itself has to tell.
type Deed struct {
	// Before and After are the actions of its two events.
	Before, After string
	// Facts are their payload.
	Facts map[string]any
}

// ending is how long it may take to record that a deed has ended.
const ending = 30 * time.Second

// Record records that the deed begins, does it, and records how it ended and
// how many events it was about. A process that is killed in between leaves the
// first of the two. The deed is not begun when that cannot be recorded.
func Record(ctx context.Context, to event.Recorder, d Deed, do func() (int64, error)) (int64, error) {
	if err := to.Record(ctx, event.Event{Category: event.CategoryAudit, Action: d.Before, Payload: event.JSON(d.Facts)}); err != nil {
		return 0, fmt.Errorf("not begun, since it could not be recorded: %w", err)
	}
	n, err := do()
	ended := event.Event{
		Category: event.CategoryAudit, Action: d.After, Payload: event.JSON(d.Facts),
		Result: event.JSON(map[string]any{"count": n}),
	}
	if err != nil {
		ended.Outcome, ended.Error = event.OutcomeFailure, strings.ToValidUTF8(err.Error(), "\uFFFD")
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ending)
	defer cancel()
	return n, errors.Join(err, to.Record(ctx, ended))
}

// Clear removes the events that the filter matches, all there were until now
// without one, and returns how many. The events that tell of it come later than
// everything it removes.
func Clear(ctx context.Context, to event.Recorder, from repository.Repository, filter event.Filter) (int64, error) {
	d := Deed{Before: event.ActionClearing, After: event.ActionCleared, Facts: map[string]any{"filter": Narrowing(filter)}}
	filter = Until(filter, time.Now())
	return Record(ctx, to, d, func() (int64, error) {
		n, err := repository.Remove(ctx, from, filter)
		if !errors.Is(err, errors.ErrUnsupported) {
			return n, err
		}
		return 0, fmt.Errorf("this repository cannot remove single events: %w", err)
	})
}

// Until returns the filter with nothing in it from that moment on.
func Until(filter event.Filter, moment time.Time) event.Filter {
	if now := moment.UTC().Truncate(time.Microsecond); filter.To.IsZero() || filter.To.After(now) {
		filter.To = now
	}
	return filter
}

// Narrowing are what a filter asks for, by the names of the fields.
func Narrowing(f event.Filter) map[string]string {
	asked := map[string]string{}
	for _, field := range f.Fields() {
		asked[field.Name] = field.Value
	}
	if !f.From.IsZero() {
		asked["from"] = f.From.Format(time.RFC3339Nano)
	}
	if !f.To.IsZero() {
		asked["to"] = f.To.Format(time.RFC3339Nano)
	}
	return asked
}
