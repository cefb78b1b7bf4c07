package outbox

import (
	"math/rand/v2"
	"time"
)

// timing are the durations that nobody has had a reason to set so far.
type timing struct {
	// send is how long one batch may be on its way, with all calls of the search
	// for an event that is refused.
	send time.Duration
	// lease is how long a claim holds. A batch may have been claimed while the
	// one before it was on its way, so it is more than twice as long as send.
	lease time.Duration
	// cleanup is how long the database may take to settle a batch, and grace
	// how long a repository may take to notice the end of its context.
	cleanup, grace time.Duration
	// pause is how long a repository that fails is left alone at first, and
	// longestPause how long in the end.
	pause, longestPause time.Duration
	// retry is how long an event that failed waits after its first attempt,
	// and longestRetry after its last.
	retry, longestRetry time.Duration
	// look is how soon a batch that is filling is looked at again.
	look time.Duration
	// drain is how long batches are claimed one behind the other before the
	// search starts over at the beginning.
	drain time.Duration
}

func defaultTiming() *timing {
	return &timing{
		send:         30 * time.Second,
		lease:        90 * time.Second,
		cleanup:      5 * time.Second,
		grace:        time.Second,
		pause:        200 * time.Millisecond,
		longestPause: time.Minute,
		retry:        time.Minute,
		longestRetry: time.Hour,
		look:         100 * time.Millisecond,
		drain:        time.Second,
	}
}

// pauseAfter returns how long to wait after that many failures in a row: any
// time up to a limit that doubles, so that relays which failed together do not
// come back together.
func (t *timing) pauseAfter(failures int) time.Duration {
	limit := t.pause
	for range failures - 1 {
		if limit >= t.longestPause {
			break
		}
		limit *= 2
	}
	return rand.N(min(limit, t.longestPause) + 1)
}

// retryAfter returns how long an event waits after it failed that many times.
func (t *timing) retryAfter(attempts int) time.Duration {
	wait := t.longestRetry
	if attempts < 1000 {
		wait = min(wait, t.retry*time.Duration(attempts*attempts))
	}
	return jitter(wait, 10)
}

// jitter returns the duration, give or take that percentage.
func jitter(d time.Duration, percent int) time.Duration {
	spread := d * time.Duration(percent) / 100
	return d - spread + rand.N(2*spread+1)
}
