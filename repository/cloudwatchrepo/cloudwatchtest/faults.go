package cloudwatchtest

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// Kind is a way to go wrong.
type Kind int

// The kinds.
const (
	// Throttle refuses the call: "Rate exceeded".
	Throttle Kind = iota + 1
	// LoseReply does what the call asks for and cuts the connection.
	LoseReply
	// EmptyPage answers FilterLogEvents with no events and a token.
	EmptyPage
	// Unavailable answers with status 503, InternalError with 500.
	Unavailable
	InternalError
	// ExpireCredentials and DenyAccess refuse the caller.
	ExpireCredentials
	DenyAccess
	// BreakSignature refuses the caller as AWS does: the message quotes the
	// headers of the request.
	BreakSignature
	// VanishStream deletes the stream that PutLogEvents names, and then
	// serves the call.
	VanishStream
	// Slow waits before it serves the call.
	Slow
)

// Fault makes calls go wrong.
type Fault struct {
	Kind Kind
	// Operation is which calls, such as "PutLogEvents". Default: all.
	Operation string
	// Share is how many of them, between 0 and 1. Default: all.
	Share float64
	// Times is after how many of them the fault ends by itself. Default: never.
	Times int
	// Wait is how long a Slow call waits.
	Wait time.Duration
}

// faults are those that are on.
type faults struct {
	mutex sync.Mutex
	on    []*Fault
}

// Inject makes calls go wrong from now on, besides those of earlier faults. A
// call meets the first fault that is about it.
func (s *Server) Inject(f Fault) {
	s.faults.mutex.Lock()
	defer s.faults.mutex.Unlock()
	s.faults.on = append(s.faults.on, &f)
}

// Heal ends all faults.
func (s *Server) Heal() {
	s.faults.mutex.Lock()
	defer s.faults.mutex.Unlock()
	s.faults.on = nil
}

// next returns the fault that the next call of the operation meets.
func (f *faults) next(operation string) (Fault, bool) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	for i, fault := range f.on {
		if fault.Operation != "" && fault.Operation != operation || fault.Share > 0 && rand.Float64() >= fault.Share {
			continue
		}
		met := *fault
		if fault.Times--; fault.Times == 0 {
			f.on = append(f.on[:i:i], f.on[i+1:]...)
		}
		return met, true
	}
	return Fault{}, false
}

// failure is what the fault answers instead of serving the call, if anything.
func (f Fault) failure(r *http.Request) *failure {
	switch f.Kind {
	case Throttle:
		return refuse("ThrottlingException", "Rate exceeded")
	case Unavailable:
		return &failure{http.StatusServiceUnavailable, "ServiceUnavailableException", "The service cannot complete the request."}
	case InternalError:
		return &failure{http.StatusInternalServerError, "InternalFailure", "An internal error occurred."}
	case ExpireCredentials:
		return refuse("ExpiredTokenException", "The security token included in the request is expired: "+r.Header.Get("X-Amz-Security-Token"))
	case DenyAccess:
		return refuse("AccessDeniedException", "User: arn:aws:iam::123456789012:user/app is not authorized to perform: "+r.Header.Get("X-Amz-Target"))
	case BreakSignature:
		return refuse("InvalidSignatureException", "The Canonical String for this request should have been 'POST\n/\n\nx-amz-security-token:"+
			r.Header.Get("X-Amz-Security-Token")+"\nauthorization:"+r.Header.Get("Authorization")+"'")
	}
	return nil
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
