package outbox

import (
	"errors"
	"testing"
)

func TestBatchesShrinkWhenTheyAreLate(t *testing.T) {
	t.Parallel()
	late := outcome{err: errors.New("time is over"), late: true}
	failed := outcome{err: errors.New("connection refused")}
	s := newSize(500)
	for i, step := range []struct {
		out  outcome
		want int
	}{
		{outcome{}, 500},
		{late, 250},
		{late, 125},
		{failed, 125},
		{outcome{}, 250},
		{outcome{}, 500},
		{outcome{}, 500},
		{late, 250},
		{late, 125},
		{late, 62},
		{late, 31},
		{late, 15},
		{late, 7},
		{late, 3},
		{late, 1},
		{late, 1},
		{outcome{}, 2},
	} {
		if s.note(step.out); s.now != step.want {
			t.Errorf("step %d: %d events, want %d", i, s.now, step.want)
		}
	}
}
