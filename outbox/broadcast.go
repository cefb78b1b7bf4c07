package outbox

import "sync"

// broadcast tells all who wait that something happened. The zero value is
// ready to use.
type broadcast struct {
	mutex sync.Mutex
	next  chan struct{}
}

// heard returns a channel that is closed at the next tell.
func (b *broadcast) heard() <-chan struct{} {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if b.next == nil {
		b.next = make(chan struct{})
	}
	return b.next
}

func (b *broadcast) tell() {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if b.next != nil {
		close(b.next)
		b.next = nil
	}
}

// signal leaves a signal in a channel that holds one.
func signal(channel chan struct{}) {
	select {
	case channel <- struct{}{}:
	default:
	}
}
