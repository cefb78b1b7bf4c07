package outbox

import (
	"log/slog"
	"sync"
	"time"

	"github.com/eventaudit/eventaudit/repository"
)

// destination is the repository with what is known about its health.
type destination struct {
	repository repository.Repository
	logger     *slog.Logger

	mutex    sync.Mutex
	failures int // in a row
	err      error
	success  time.Time
	warned   time.Time

	delivered, retried, rejected int64
	lag                          time.Duration
}

// logInterval is how often the log repeats that the repository fails.
const logInterval = time.Minute

// note takes in what the repository made of a batch.
func (d *destination) note(out outcome) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	now := time.Now()
	if out.moved() {
		if d.failures > 0 {
			d.logger.Info("audit repository works again", "failures", d.failures)
		}
		d.failures, d.success, d.warned = 0, now, time.Time{}
	}
	if stack := out.panicked(); stack != nil {
		d.logger.Error("audit repository panicked", "stack", string(stack))
	}
	d.err = out.err
	d.delivered += count(out.delivered)
	for i, run := range out.delivered {
		for j, r := range run {
			if waited := now.Sub(r.since); i+j == 0 || waited > d.lag {
				d.lag = waited
			}
		}
	}
	d.retried += count(out.unsent)
	if out.err == nil {
		return
	}
	if !out.moved() {
		d.failures++
	}
	if now.Sub(d.warned) >= logInterval {
		d.warned = now
		d.logger.Warn("audit repository fails; events wait in the outbox", "error", out.err, "failures", d.failures)
	}
}

// noteRefusals counts events that failed for a reason of their own.
func (d *destination) noteRefusals(delayed, buried int) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.rejected += int64(delayed + buried)
	d.retried += int64(delayed)
}

// lastError returns why the repository failed, nil when its last batch arrived.
func (d *destination) lastError() error {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return d.err
}

// failing returns how many times in a row the repository has failed.
func (d *destination) failing() int {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return d.failures
}

func count(runs [][]row) (n int64) {
	for _, run := range runs {
		n += int64(len(run))
	}
	return n
}
