package actions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"time"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/redact"
)

// ErrNotRecorded is wrapped by the error of an action whose event could not be
// recorded, together with the cause and, if the function failed, its error.
// What the function did has happened, unless it was part of a transaction that
// the caller now rolls back.
var ErrNotRecorded = errors.New("actions: the action was not recorded")

// patience is how long the writing of an event may take.
const patience = 5 * time.Second

// call is one call of an action.
type call struct {
	*action
	event event.Event
	begun time.Time
	// end records the event; nil when the call is not recorded.
	end func(context.Context, event.Event) error
	// panics says which options panicked, and with what.
	panics map[string]string
}

// perform calls fn and records how it ended.
func perform[Out any](ctx context.Context, a *action, in any, fn func(context.Context) (Out, error)) (out Out, err error) {
	ctx, c, refusal := a.begin(ctx, in)
	switch {
	case refusal != nil:
		return out, c.refused(ctx, refusal)
	case c.end == nil:
		return fn(ctx)
	}
	returned := false
	defer func() {
		if returned {
			return
		}
		value := recover() // nil when the function ended its goroutine
		c.broke(ctx, value)
		if value != nil {
			panic(value)
		}
	}()
	out, err = fn(ctx)
	returned = true
	return out, c.returned(ctx, out, err)
}

// begin prepares the event, and the context that the function gets. The
// argument is encoded before the function can change it.
func (a *action) begin(ctx context.Context, in any) (within context.Context, c *call, refusal error) {
	c = &call{action: a, begun: time.Now()}
	if event.AuditDisabled(ctx) {
		return ctx, c, nil
	}
	if r := event.RequestFrom(ctx); r.ID == "" {
		r.ID = event.NewID()
		ctx = event.WithRequest(ctx, r)
	}
	if recorder, ok := a.recorder.(event.ActionRecorder); ok {
		ctx, c.end, refusal = recorder.Begin(ctx, a.name)
	} else {
		c.end = func(ctx context.Context, e event.Event) error { return a.recorder.Record(ctx, e) }
	}
	if c.end == nil {
		return ctx, c, refusal
	}
	c.event = event.Event{Category: event.CategoryAction, Action: a.name, Payload: encode(func() any { return a.payload(in) })}
	c.option("object", a.object != nil, func() {
		kind, id := a.object(in)
		c.event.ActionObject, c.event.ActionObjectID = clean(kind), clean(id)
	})
	c.option("target", a.target != nil, func() {
		kind, id := a.target(in)
		c.event.TargetType, c.event.TargetID = clean(kind), clean(id)
	})
	return ctx, c, refusal
}

// option asks an option of the app, if it is set. That must neither fail the
// action nor keep it from the trail: when it panics, the event says so.
func (c *call) option(name string, set bool, ask func()) {
	if !set {
		return
	}
	defer func() {
		if problem := recover(); problem != nil {
			if c.panics == nil {
				c.panics = map[string]string{}
			}
			c.panics[name] = clean(fmt.Sprint("panic: ", problem))
		}
	}()
	ask()
}

// returned records what the function returned, and returns the error of the
// whole.
func (c *call) returned(ctx context.Context, out any, err error) error {
	if err == nil {
		c.event.Outcome, c.event.Result = event.OutcomeSuccess, encode(func() any { return c.result(out) })
	} else {
		c.failed(fmt.Sprint(err)) // which bears an Error that panics
		c.option("denied", c.denied != nil, func() {
			if c.denied(err) {
				c.event.Outcome = event.OutcomeDenied
			}
		})
	}
	return with(err, c.record(ctx))
}

// refused records that the action was not allowed to begin.
func (c *call) refused(ctx context.Context, refusal error) error {
	if c.end == nil {
		return refusal
	}
	c.failed(refusal.Error())
	c.event.Outcome = event.OutcomeDenied
	return with(refusal, c.record(ctx))
}

// with returns the function's own error as it is, unless there is another.
func with(err, unrecorded error) error {
	if unrecorded == nil {
		return err
	}
	return errors.Join(err, unrecorded)
}

// broke records that the function did not return. There is nobody to return an
// error to.
func (c *call) broke(ctx context.Context, value any) {
	c.failed("the function ended its goroutine")
	if value != nil {
		c.failed("panic: " + fmt.Sprint(value))
	}
	if err := c.record(ctx); err != nil {
		slog.ErrorContext(ctx, "action was not recorded", "action", c.name, "error", err)
	}
}

func (c *call) failed(text string) {
	c.event.Outcome, c.event.Error = event.OutcomeFailure, clean(text)
}

// record hands the event over, whatever has become of the caller's context.
func (c *call) record(ctx context.Context) error {
	c.event.Meta = map[string]string{"duration": time.Since(c.begun).Round(time.Microsecond).String()}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	skipped := false
	c.option("skip", c.skip != nil, func() { skipped = c.skip(ctx, c.event) })
	if skipped {
		return nil
	}
	maps.Copy(c.event.Meta, c.panics)
	if err := c.end(ctx, c.event); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrNotRecorded, c.name, err)
	}
	return nil
}

// encode returns the value as JSON, without what its struct tags hide. One that
// JSON or the trail cannot hold must neither fail the action nor keep it from
// the trail: the document then says why.
func encode(value func() any) (document json.RawMessage) {
	defer func() {
		if problem := recover(); problem != nil {
			document = notEncoded(fmt.Sprint("panic: ", problem))
		}
	}()
	v := value()
	if v == nil {
		return nil
	}
	document = event.JSON(v)
	if reason, failed := strings.CutPrefix(string(document), "!"); failed {
		return notEncoded(reason)
	}
	document, err := redact.Tagged(v, document)
	if err != nil {
		return notEncoded(err.Error())
	}
	return document
}

func notEncoded(reason string) json.RawMessage {
	return event.JSON(map[string]string{"not_encoded": clean(reason)})
}

// clean makes text of the app's what every repository can store.
func clean(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }
