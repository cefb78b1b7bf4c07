package outbox

import (
	"context"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestPausesGrowToAMinute(t *testing.T) {
	t.Parallel()
	timing := defaultTiming()
	for failures, limit := range map[int]time.Duration{
		1: 200 * time.Millisecond, 2: 400 * time.Millisecond, 5: 3200 * time.Millisecond, 10: time.Minute, 1 << 40: time.Minute,
	} {
		var longest time.Duration
		for range 1000 {
			longest = max(longest, timing.pauseAfter(failures))
		}
		if longest > limit || longest < limit/2 {
			t.Errorf("after %d failures the longest of 1000 pauses is %v, want up to %v", failures, longest, limit)
		}
	}
}

func TestRetriesGrowToAnHour(t *testing.T) {
	t.Parallel()
	timing := defaultTiming()
	rapid.Check(t, func(t *rapid.T) {
		attempts := rapid.IntRange(1, 1<<62).Draw(t, "attempts")
		want := time.Hour
		if attempts < 8 {
			want = time.Duration(attempts*attempts) * time.Minute
		}
		if got := timing.retryAfter(attempts); got < want*9/10 || got > want*11/10 {
			t.Errorf("after %d attempts: %v, want %v give or take a tenth", attempts, got, want)
		}
	})
}

// A claim outlives the sending of its batch, and of the one before it.
func TestTheLeaseIsLongEnough(t *testing.T) {
	t.Parallel()
	if timing := defaultTiming(); timing.lease < 2*timing.send+2*timing.cleanup {
		t.Errorf("a lease of %v is too short for batches that take %v", timing.lease, timing.send)
	}
}

// A batch that is filling is looked at as often as an empty outbox: for how
// long it has to wait is told by a clock that may be put right meanwhile.
func TestABatchThatFillsIsLookedAt(t *testing.T) {
	t.Parallel()
	o := &Outbox{options: Options{PollInterval: 2 * time.Millisecond}, timing: timing{look: time.Millisecond}}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if o.fill(ctx, time.Hour); ctx.Err() != nil {
		t.Error("nobody looked within 10 seconds, want every 2 milliseconds")
	}
}
