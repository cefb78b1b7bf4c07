package cloudwatchrepo

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/smithy-go"
)

// ErrNoGroup says that the log group is missing and must not be created.
var ErrNoGroup = errors.New("the log group does not exist; create it, or set Options.CreateGroup")

// The codes of errors that are told apart.
const (
	codeMissing = "ResourceNotFoundException"
	codeExists  = "ResourceAlreadyExistsException"
	codeInvalid = "InvalidParameterException"
)

// lasting are the codes of errors that stay until somebody does something:
// another attempt in a few seconds would end the same way.
var lasting = []string{
	codeMissing, codeExists, codeInvalid,
	"AccessDeniedException", "AccessDenied", "UnrecognizedClientException", "InvalidClientTokenId", "NotAuthorized",
	"ExpiredTokenException", "ExpiredToken", "InvalidSignatureException", "SignatureDoesNotMatch",
	"IncompleteSignature", "IncompleteSignatureException", "MissingAuthenticationToken", "MissingAuthenticationTokenException",
	"OptInRequired", "LimitExceededException", "MalformedQueryException", "InvalidOperationException",
	"ValidationException", "SerializationException", "UnknownOperationException",
}

// speaking are the codes whose messages are worth repeating. Those of others
// may quote the request: events, or the session token in its headers.
var speaking = []string{
	codeMissing, "AccessDeniedException", "ThrottlingException", "LimitExceededException",
	"ServiceUnavailableException", "OperationAbortedException",
}

// codeOf returns the code that AWS gave the error, empty when it is not from
// there.
func codeOf(err error) string {
	var answer smithy.APIError
	if errors.As(err, &answer) {
		return answer.ErrorCode()
	}
	return ""
}

func isLasting(err error) bool { return slices.Contains(lasting, codeOf(err)) }

// failed names what was done, in words that hold no secret and no event. What
// the error wraps is the original.
func (r *Repository) failed(ctx context.Context, what string, err error) error {
	if ctx.Err() != nil { // the SDK reports it in words of its own
		err = ctx.Err()
	}
	return &callError{what, err}
}

// callError is an error of the SDK with another text.
type callError struct {
	what string
	err  error
}

func (e *callError) Error() string {
	var answer smithy.APIError
	switch {
	case !errors.As(e.err, &answer) || errors.Is(e.err, ErrNoGroup):
		return "cloudwatchrepo: " + e.what + ": " + e.err.Error()
	case slices.Contains(speaking, answer.ErrorCode()):
		return fmt.Sprintf("cloudwatchrepo: %s: %s: %s", e.what, answer.ErrorCode(), answer.ErrorMessage())
	}
	return fmt.Sprintf("cloudwatchrepo: %s: %s", e.what, answer.ErrorCode())
}

func (e *callError) Unwrap() error { return e.err }
