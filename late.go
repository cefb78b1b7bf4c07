package eventaudit

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/eventaudit/eventaudit/event"
)

// late holds the events that may have to wait for a transaction of the caller,
// until a writer has stored them. It is safe for concurrent use.
type late struct {
	mutex sync.Mutex
	// queue are the events that no writer has taken, in order.
	queue []*delayed
	// pending are those that are neither stored nor given up: the queue, and
	// what the writers have taken.
	pending map[*delayed]bool
	// bytes is how large the pending events are.
	bytes int
	// writers is how many writers are at work.
	writers int
}

// delayed is an event that waits.
type delayed struct {
	ctx   context.Context //nolint:containedctx // of the action, for its values
	event event.Event
	// until is when it is given up, and lost is told.
	until time.Time
	lost  func(error)
	// done is closed when it is stored or given up.
	done chan struct{}
}

// size is about how many bytes the event takes.
func (x *delayed) size() int {
	const others = 512
	return len(x.event.Payload) + len(x.event.Result) + len(x.event.Error) + others
}

const (
	// lateMost events of lateBytes may wait, unless it is a single one. More
	// than that means that the database does not answer.
	lateMost  = 10_000
	lateBytes = 64 << 20
	// lateWriters is how many connections are used at most: one that hangs
	// holds up no others.
	lateWriters = 4
	// lateBatch events are stored at once, or fewer that have lateHeavy bytes.
	lateBatch = 100
	lateHeavy = 1 << 20
	// lateFor is how long an event waits, and lateTry how long one attempt may
	// take.
	lateFor = time.Minute
	lateTry = 10 * time.Second
)

// add puts the event into the queue. It says whether there was room for it, and
// whether another writer is to be started.
func (l *late) add(x *delayed) (start, ok bool) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if n := len(l.pending); n >= lateMost || n > 0 && l.bytes+x.size() > lateBytes {
		return false, false
	}
	if l.pending == nil {
		l.pending = map[*delayed]bool{}
	}
	l.pending[x] = true
	l.bytes += x.size()
	l.queue = append(l.queue, x)
	if start = l.writers < lateWriters; start {
		l.writers++
	}
	return start, true
}

// take takes the next events from the queue. Without any, the writer that asks
// is over.
func (l *late) take(most int) []*delayed {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	n, bytes := 0, 0
	for n < min(most, len(l.queue)) {
		if bytes += l.queue[n].size(); n > 0 && bytes > lateHeavy {
			break
		}
		n++
	}
	if n == 0 {
		l.writers--
	}
	batch := slices.Clone(l.queue[:n])
	l.queue = slices.Delete(l.queue, 0, n)
	return batch
}

// back puts events that could not be stored at the end of the queue, behind
// those that may fare better, and takes out what has waited for too long.
func (l *late) back(batch []*delayed) (expired []*delayed) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	now := time.Now()
	l.queue = slices.DeleteFunc(append(l.queue, batch...), func(x *delayed) bool {
		over := !now.Before(x.until)
		if over {
			expired = append(expired, x)
		}
		return over
	})
	return expired
}

// finish says that events are stored or given up.
func (l *late) finish(batch []*delayed) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for _, x := range batch {
		delete(l.pending, x)
		l.bytes -= x.size()
		close(x.done)
	}
}

// wait returns when all that was added before the call is stored or given up.
func (l *late) wait(ctx context.Context) error {
	l.mutex.Lock()
	pending := slices.Collect(maps.Keys(l.pending))
	l.mutex.Unlock()
	for _, x := range pending {
		select {
		case <-x.done:
		case <-ctx.Done():
			return fmt.Errorf("eventaudit: actions still wait to be recorded: %w", ctx.Err())
		}
	}
	return nil
}

// writeLate is a writer: it stores what waits until nothing does. SQLite
// refuses while another connection writes, and an event that is refused for
// itself must not keep others from being stored, so that after a failure it
// tries with fewer events.
func (t *trail) writeLate() {
	most, pause := lateBatch, time.Millisecond
	for {
		batch := t.late.take(most)
		if len(batch) == 0 {
			return
		}
		err := t.tryLate(batch)
		if err == nil {
			t.late.finish(batch)
			most, pause = min(2*most, lateBatch), time.Millisecond
			continue
		}
		expired := t.late.back(batch)
		for _, x := range expired {
			x.lost(err)
		}
		t.late.finish(expired)
		select {
		case <-batch[0].done: // given up, or stored by another writer
		case <-time.After(pause):
		}
		most, pause = max(len(batch)/2, 1), min(2*pause, time.Second)
	}
}

// tryLate stores the events, all or none, before the first of them is given up.
func (t *trail) tryLate(batch []*delayed) error {
	events, until := make([]event.Event, len(batch)), time.Now().Add(lateTry)
	for i, x := range batch {
		events[i] = x.event
		if x.until.Before(until) {
			until = x.until
		}
	}
	ctx, cancel := context.WithDeadline(batch[0].ctx, until)
	defer cancel()
	return t.inbox.Insert(ctx, nil, events)
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
