package outbox

import "time"

// Hasten makes what fails be tried again at once.
func Hasten(o *Options) {
	t := o.timingOf()
	t.pause, t.longestPause = time.Millisecond, 10*time.Millisecond
	t.retry, t.longestRetry = time.Millisecond, time.Millisecond
	t.look = time.Millisecond
	t.drain = 20 * time.Millisecond
}

// Grace sets how long a repository may take to notice the end of its context.
func Grace(o *Options, d time.Duration) { o.timingOf().grace = d }

// Retries sets how long an event that failed waits.
func Retries(o *Options, d time.Duration) {
	t := o.timingOf()
	t.retry, t.longestRetry = d, d
}

// Pauses sets how long a repository that fails is left alone: any time up to
// that.
func Pauses(o *Options, d time.Duration) {
	t := o.timingOf()
	t.pause, t.longestPause = d, d
}

// Send sets how long one batch may be on its way.
func Send(o *Options, d time.Duration) { o.timingOf().send = d }

// Closing reports whether Close has told the relay to stop.
func Closing(o *Outbox) bool {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return o.closed
}

// Flushing returns how many calls of Flush know what they wait for.
func Flushing(o *Outbox) int32 { return o.flushing.Load() }

func (o *Options) timingOf() *timing {
	if o.timing == nil {
		o.timing = defaultTiming()
	}
	return o.timing
}
