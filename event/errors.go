package event

import (
	"errors"
	"fmt"
	"strings"
)

// ErrInvalid is wrapped by every error about a value that breaks a rule of
// this module: an event, a filter, a cursor or a setting.
var ErrInvalid = errors.New("invalid value")

// ErrReasonRequired says that something was refused because the context gives
// no reason for it; see WithReason.
var ErrReasonRequired = errors.New("a reason is required")

// FieldError is one broken rule. It wraps ErrInvalid.
type FieldError struct {
	// Field is the field or setting, as the user spells it.
	Field string
	// Value is what was given; secrets are masked.
	Value any
	// Reason says what is wrong and what to do about it.
	Reason string
}

// Error returns the field, the value and the reason in one line.
func (e *FieldError) Error() string {
	if text, ok := e.Value.(string); ok {
		return fmt.Sprintf("%s %q %s", e.Field, shorten(text), e.Reason)
	}
	return fmt.Sprintf("%s %s %s", e.Field, shorten(fmt.Sprint(e.Value)), e.Reason)
}

// Unwrap returns ErrInvalid.
func (e *FieldError) Unwrap() error { return ErrInvalid }

// shorten keeps an error readable when the value it names is not.
func shorten(text string) string {
	const limit = 200
	if len(text) <= limit {
		return text
	}
	return fmt.Sprintf("%s… (%d bytes)", strings.ToValidUTF8(text[:limit], ""), len(text))
}
