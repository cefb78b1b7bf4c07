package repositorytest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
)

// seedVariable repeats a random case.
const seedVariable = "EVENT_AUDIT_TEST_SEED"

func randomCases() []testCase {
	return []testCase{
		{
			"filters", "For any events and any filter Find yields what Filter.Match accepts, ordered by event.Compare, and Count counts it.",
			func(t *testing.T, s *store) {
				r := newRandom(t)
				var stored []event.Event
				for i := range 10 {
					stored = append(stored, s.write(t, r.events(i, 20)...)...)
				}
				for range 300 {
					f := r.filter(stored)
					if s.features.NoOffset {
						f.Offset = 0
					}
					s.expect(t, f, stored)
					s.expectCount(t, f, stored)
				}
			},
		},
	}
}

// expectCount checks that Count agrees with the reference.
func (s *store) expectCount(t *testing.T, f event.Filter, stored []event.Event) {
	t.Helper()
	all := f
	all.Limit, all.Offset = 0, 0
	want := int64(len(answer(stored, all)))
	if got, err := repository.Count(t.Context(), s.repo, f); err != nil || got != want {
		t.Errorf("Count(%s) = %d, %v, want %d", describe(f), got, err, want)
	}
}

// random makes events and filters over alphabets so small that filters hit.
type random struct{ *rand.Rand }

func newRandom(t *testing.T) random {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv(seedVariable); text != "" {
		given, err := strconv.ParseUint(text, 10, 64)
		must(t, seedVariable, err)
		seed = given
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("to see the same values again set %s=%d", seedVariable, seed)
		}
	})
	return random{rand.New(rand.NewPCG(seed, seed))}
}

func pick[T any](r random, from ...T) T { return from[r.IntN(len(from))] }

// chance is true in one of n cases.
func (r random) chance(n int) bool { return r.IntN(n) == 0 }

func (r random) word() string { return pick(r, "a", "A", "b", "a ", "ab", "é", "%") }

func (r random) time() time.Time {
	return noon.Add(time.Duration(r.IntN(12)) * time.Microsecond)
}

func (r random) events(batch, n int) []event.Event {
	events := make([]event.Event, n)
	for i := range events {
		e := event.Event{}
		for _, field := range stringFields() {
			if !r.chance(3) {
				field.set(&e, r.word())
			}
		}
		e.ID = fmt.Sprintf("%s%d-%d", r.word(), batch, i)
		e.Category, e.Action = r.word(), r.word()
		e.Outcome = pick(r, event.OutcomeSuccess, event.OutcomeFailure, event.OutcomeDenied)
		e.Timestamp = r.time()
		events[i] = e
	}
	return events
}

// filter asks for what some stored event has, mostly.
func (r random) filter(stored []event.Event) event.Filter {
	f := event.Filter{Order: pick(r, event.OldestFirst, event.NewestFirst)}
	like := pick(r, stored...)
	for _, field := range stringFields() {
		switch {
		case !r.chance(9):
		case r.chance(5) || field.of(like) == "":
			field.ask(&f, r.word())
		default:
			field.ask(&f, field.of(like))
		}
	}
	if r.chance(6) {
		f.Outcome = like.Outcome
	}
	if r.chance(4) {
		f.From = r.time().Add(pick(r, 0, 1, -1, 500*time.Nanosecond))
	}
	if r.chance(4) {
		f.To = f.From.Add(time.Duration(r.IntN(8)) * time.Microsecond)
		if f.From.IsZero() {
			f.To = r.time()
		}
	}
	if r.chance(3) {
		f.Limit = r.IntN(20)
	}
	if r.chance(4) {
		f.Offset = r.IntN(20)
	}
	if r.chance(3) {
		f.After = pick(r, stored...).Cursor()
	}
	return f
}
