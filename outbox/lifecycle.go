package outbox

import "context"

// running is a relay that was started.
type running struct {
	stopClaiming, stopSending context.CancelFunc
	done                      chan struct{}
}

// Start starts the relay, in a goroutine that Close ends. A second call, or
// one after Close, does nothing.
func (o *Outbox) Start() {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	if o.closed || o.running != nil {
		return
	}
	sending, stopSending := context.WithCancel(context.Background())
	claiming, stopClaiming := context.WithCancel(sending)
	o.running = &running{stopClaiming, stopSending, make(chan struct{})}
	go func() {
		defer close(o.running.done)
		o.relay(claiming, sending)
	}()
}

// Wake tells the relay that events may have been committed. It returns at
// once, and is cheap enough for every commit. Without it the relay finds them
// by itself, within the poll interval.
func (o *Outbox) Wake() { signal(o.wake) }

// Close stops the relay: it claims no more, finishes what is on its way, gives
// back the rest and returns. When the context ends first, what is on its way
// is broken off and given back too, and the error is a *PendingError that says
// how many events are left. Close does not empty the outbox; call Flush first.
//
// Insert and Flush still work afterwards; the events are another relay's
// business. A second call of Close waits for the first.
func (o *Outbox) Close(ctx context.Context) error {
	o.mutex.Lock()
	running := o.running
	if running != nil {
		running.stopClaiming()
	}
	o.closed = true
	o.mutex.Unlock()
	if running == nil {
		return nil
	}
	defer running.stopSending()
	select {
	case <-running.done:
		return nil
	case <-ctx.Done():
	}
	running.stopSending()
	<-running.done
	return o.pending(ctx)
}
