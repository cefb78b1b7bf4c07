package eventaudit

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// late runs what may have to wait for a transaction of the caller, each job in
// a goroutine of its own.
type late struct {
	mutex   sync.Mutex
	running int
	// idle is closed when nothing runs any more; nil when nothing runs.
	idle chan struct{}
}

// lateMost is how many jobs may run. More than that means that the database
// does not answer.
const lateMost = 1000

// add has the job done; false says that there are too many.
func (l *late) add(job func()) (done <-chan struct{}, ok bool) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.running >= lateMost {
		return nil, false
	}
	if l.running++; l.running == 1 {
		l.idle = make(chan struct{})
	}
	finished := make(chan struct{})
	go func() {
		defer l.finish()
		defer close(finished)
		job()
	}()
	return finished, true
}

func (l *late) finish() {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.running--; l.running == 0 {
		close(l.idle)
		l.idle = nil
	}
}

// wait returns when all that was added before is done.
func (l *late) wait(ctx context.Context) error {
	l.mutex.Lock()
	idle := l.idle
	l.mutex.Unlock()
	if idle == nil {
		return nil
	}
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("eventaudit: actions still wait to be recorded: %w", ctx.Err())
	}
}

// persist tries until it works, or for as long as the context lasts: SQLite
// refuses while another connection writes.
func persist(ctx context.Context, try func() error) error {
	for pause := time.Millisecond; ; pause = min(2*pause, time.Second) {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}
