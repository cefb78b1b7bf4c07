package actions

import (
	"context"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/eventaudit/eventaudit/event"
)

// Option says more about an action. An option that takes a function of the
// argument or the result must name their types as the action does.
type Option func(*action)

// Object names the thing that the action is about: its kind, such as the Go
// type of a model, and which one. Filters by ActionObject then find the action
// beside the changes of that record.
func Object[In any](of func(In) (object, id string)) Option {
	return func(a *action) {
		if fits[In](a, "Object", a.in) {
			a.object = func(in any) (string, string) { return of(as[In](in)) }
		}
	}
}

// Target names a second thing that is involved.
func Target[In any](of func(In) (kind, id string)) Option {
	return func(a *action) {
		if fits[In](a, "Target", a.in) {
			a.target = func(in any) (string, string) { return of(as[In](in)) }
		}
	}
}

// Payload says what is recorded of the argument, instead of all of it. Nil is
// nothing.
func Payload[In any](of func(In) any) Option {
	return func(a *action) {
		if fits[In](a, "Payload", a.in) {
			a.payload = func(in any) any { return of(as[In](in)) }
		}
	}
}

// Result says what is recorded of the result, instead of all of it. Nil is
// nothing. It is asked after a success only.
func Result[Out any](of func(Out) any) Option {
	return func(a *action) {
		if fits[Out](a, "Result", a.out) {
			a.result = func(out any) any { return of(as[Out](out)) }
		}
	}
}

// Denied says which errors mean that the actor was not allowed to. Without it
// every error is a failure.
func Denied(is func(error) bool) Option {
	return func(a *action) { a.denied = is }
}

// Skip is asked about the event of every call, after it; true drops the event.
// It must be safe for concurrent use.
func Skip(skip func(context.Context, event.Event) bool) Option {
	return func(a *action) { a.skip = skip }
}

// action is what is known of an action before it is called.
type action struct {
	recorder event.Recorder
	name     string
	// in and out are nil pointers to the types of the argument and the result.
	in, out any

	object, target func(in any) (kind, id string)
	payload        func(in any) any
	result         func(out any) any
	denied         func(error) bool
	skip           func(context.Context, event.Event) bool
	problems       []error
}

func newAction[In, Out any](rec event.Recorder, name string, noFunction bool, opts []Option) (*action, error) {
	a := &action{
		recorder: rec, name: name, in: (*In)(nil), out: (*Out)(nil),
		payload: func(in any) any { return in },
		result:  func(out any) any { return out },
	}
	if _, without := a.out.(*none); without {
		a.result = func(any) any { return nil }
	}
	if rec == nil {
		a.broken("recorder", "nil", "is missing; pass the Auditor that eventaudit.Plugin returned")
	}
	if name == "" || !utf8.ValidString(name) {
		a.broken("name", name, `is empty or not UTF-8; say what is done, for example "order_publish"`)
	}
	if noFunction {
		a.broken("function", "nil", "is missing; pass the function to record")
	}
	for _, option := range opts {
		option(a)
	}
	if len(a.problems) > 0 {
		return nil, fmt.Errorf("actions: %w", errors.Join(a.problems...))
	}
	return a, nil
}

func (a *action) broken(field string, value any, reason string) {
	a.problems = append(a.problems, &event.FieldError{Field: field, Value: value, Reason: reason})
}

// fits reports whether an option is for the type that the action has, to which
// has is a pointer.
func fits[T any](a *action, option string, has any) bool {
	if _, ok := has.(*T); ok {
		return true
	}
	a.broken(option, typeName((*T)(nil)), fmt.Sprintf("is not what action %q has; write a function of %s", a.name, typeName(has)))
	return false
}

// as returns the value as what it is; an interface that is nil has lost its
// type on the way.
func as[T any](value any) T {
	typed, _ := value.(T)
	return typed
}

// typeName is the name of the type that the pointer points to.
func typeName(pointer any) string { return fmt.Sprintf("%T", pointer)[1:] }
