// Package actions records calls of functions: who called what, with which
// arguments, and how it ended. Failed and denied calls are recorded too, even
// when all they did was rolled back.
//
//	publish := actions.Wrap(audit, "order_publish", svc.Publish) // same signature
//	receipt, err := publish(ctx, orderID)
//
// The event has category event.CategoryAction and the name as its action. The
// argument becomes its payload and the result its result, both masked like
// everything else, by key and by struct tag; Meta["duration"] is how long the function took, as
// time.ParseDuration reads it. Its timestamp is the end of the call.
//
// # Outcomes
//
// A function that returns nil is a success, and one that returns an error a
// failure, or denied when [Denied] says so. One that panics is a failure; the
// panic goes on. A cancelled context keeps nothing from being recorded: events
// are written with a context of their own, within five seconds.
//
// # Transactions
//
// A Recorder that is an [event.ActionRecorder], as the Auditor of package
// eventaudit is, records a success within the transaction that the function
// took part in, if that is still open when the function returns, and anything
// else outside of it. docs/actions.md has the table.
//
// Events of rows that the function changes share the action's request id. A
// context without one gets one.
package actions

import (
	"context"

	"github.com/eventaudit/eventaudit/event"
)

// Wrap returns a function that does what fn does and records every call. It is
// safe for concurrent use if fn is.
//
// When the event of a success cannot be recorded, the result comes with an
// error that wraps ErrNotRecorded. Wrap panics when the recorder or fn is nil,
// the name is empty, or an option is for another type of argument or result.
func Wrap[In, Out any](rec event.Recorder, name string, fn func(context.Context, In) (Out, error), opts ...Option) func(context.Context, In) (Out, error) {
	a, err := newAction[In, Out](rec, name, fn == nil, opts)
	if err != nil {
		panic(err)
	}
	return func(ctx context.Context, in In) (Out, error) {
		return perform(ctx, a, in, func(ctx context.Context) (Out, error) { return fn(ctx, in) })
	}
}

// WrapErr is Wrap for functions without a result.
func WrapErr[In any](rec event.Recorder, name string, fn func(context.Context, In) error, opts ...Option) func(context.Context, In) error {
	a, err := newAction[In, none](rec, name, fn == nil, opts)
	if err != nil {
		panic(err)
	}
	return func(ctx context.Context, in In) error {
		_, err := perform(ctx, a, in, func(ctx context.Context) (none, error) { return none{}, fn(ctx, in) })
		return err
	}
}

// Run calls fn and records the call, with the payload as its argument. What
// makes Wrap panic is an error here, a *event.FieldError, and fn is not called.
func Run[In, Out any](ctx context.Context, rec event.Recorder, name string, payload In, fn func(context.Context) (Out, error), opts ...Option) (Out, error) {
	a, err := newAction[In, Out](rec, name, fn == nil, opts)
	if err != nil {
		var nothing Out
		return nothing, err
	}
	return perform(ctx, a, payload, fn)
}

// RunErr is Run for functions without a result.
func RunErr[In any](ctx context.Context, rec event.Recorder, name string, payload In, fn func(context.Context) error, opts ...Option) error {
	a, err := newAction[In, none](rec, name, fn == nil, opts)
	if err != nil {
		return err
	}
	_, err = perform(ctx, a, payload, func(ctx context.Context) (none, error) { return none{}, fn(ctx) })
	return err
}

// none is the result of a function that has none.
type none struct{}
