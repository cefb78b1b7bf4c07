package eventaudit

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// late runs what cannot be done now, because a transaction of the caller is in
// the way, one job after another. Its goroutine lives while there are any.
type late struct {
	mutex   sync.Mutex
	waiting []func()
	// idle is closed when all is done; nil when nothing is under way.
	idle chan struct{}
}

// lateMost is how many jobs may wait. More than that means that the database
// does not answer.
const lateMost = 1000

// add has the job done soon; false says that there are too many.
func (l *late) add(job func()) bool {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if len(l.waiting) >= lateMost {
		return false
	}
	l.waiting = append(l.waiting, job)
	if l.idle == nil {
		l.idle = make(chan struct{})
		go l.work()
	}
	return true
}

func (l *late) work() {
	for job := l.next(); job != nil; job = l.next() {
		job()
	}
}

func (l *late) next() (job func()) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if len(l.waiting) == 0 {
		close(l.idle)
		l.idle = nil
		return nil
	}
	job, l.waiting = l.waiting[0], l.waiting[1:]
	return job
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
