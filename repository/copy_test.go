package repository_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
	"github.com/eventaudit/eventaudit/repository/memrepo"
)

// history returns n events, of two actors in turn, three at a time; every
// fifth is an ancestor's.
func history(n int) []event.Event {
	start := time.Date(2025, time.March, 1, 12, 0, 0, 0, time.UTC)
	events := make([]event.Event, n)
	for i := range events {
		events[i] = event.Event{
			ID: fmt.Sprintf("event-%05d", i), Category: "custom", Action: "tested", Actor: []string{"anna", "bert"}[i%2],
			Timestamp: start.Add(time.Duration(i/3) * time.Second), Outcome: event.OutcomeFailure,
			Payload: json.RawMessage(`{"n":1.10}`), Meta: map[string]string{"a": "b"},
			SchemaVersion: min(i%5, 1), Sequence: int64(i + 1), BeforeUnknown: true,
		}
	}
	return events
}

func holding(t *testing.T, events []event.Event) *memrepo.Repository {
	t.Helper()
	mem := memrepo.New(nil)
	if err := mem.Write(t.Context(), events...); err != nil {
		t.Fatal(err)
	}
	return mem
}

func list(t *testing.T, r repository.Repository, f event.Filter) (found []event.Event) {
	t.Helper()
	for e, err := range r.Find(t.Context(), f) {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, e)
	}
	return found
}

func TestCopy(t *testing.T) {
	t.Parallel()
	const n = 1234
	all := history(n)
	src := holding(t, all)
	for _, test := range []struct {
		name   string
		filter event.Filter
		want   []event.Event
	}{
		{"all", event.Filter{}, all},
		{"newest first", event.Filter{Order: event.NewestFirst}, all},
		{"some", event.Filter{Actor: "bert"}, slices.DeleteFunc(slices.Clone(all), func(e event.Event) bool { return e.Actor != "bert" })},
		{"none", event.Filter{Actor: "nobody"}, nil},
		{"the first", event.Filter{Limit: 501}, all[:501]},
		{"the last", event.Filter{Limit: 7, Order: event.NewestFirst}, all[n-7:]},
		{"behind a number of them", event.Filter{Offset: 600}, all[600:]},
		{"a page", event.Filter{Offset: 600, Limit: 600}, all[600:1200]},
		{"behind one", event.Filter{After: all[99].Cursor()}, all[100:]},
		{"just a batch", event.Filter{Limit: 500}, all[:500]},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dst := memrepo.New(nil)
			for range 2 { // it may be repeated
				done, err := repository.Copy(t.Context(), dst, src, test.filter)
				if err != nil || done.Events != int64(len(test.want)) {
					t.Errorf("Copy = %+v, %v, want %d events", done, err, len(test.want))
				}
				if diff := cmp.Diff(test.want, list(t, dst, event.Filter{})); diff != "" {
					t.Fatalf("(-want +got):\n%s", diff)
				}
			}
		})
	}
}

// stopping is a repository that takes so many calls of Write, and then none.
type stopping struct {
	repository.Repository
	calls int
}

var errStopped = errors.New("stopped")

func (s *stopping) Write(ctx context.Context, events ...event.Event) error {
	if s.calls--; s.calls < 0 {
		return errStopped
	}
	return s.Repository.Write(ctx, events...)
}

func TestCopyGoesOn(t *testing.T) {
	t.Parallel()
	all := history(2345)
	src, dst := holding(t, all), memrepo.New(nil)
	var f event.Filter
	var total int64
	for tries := 0; ; tries++ {
		done, err := repository.Copy(t.Context(), &stopping{dst, 1}, src, f)
		total += done.Events
		if err == nil {
			break
		}
		if !errors.Is(err, errStopped) || done.Events != 500 || tries > 4 {
			t.Fatalf("Copy = %+v, %v, want 500 events and %v", done, err, errStopped)
		}
		f.After = done.After
	}
	if total != int64(len(all)) {
		t.Errorf("%d events were handed over, want each of %d once", total, len(all))
	}
	if diff := cmp.Diff(all, list(t, dst, event.Filter{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCopyLeavesWhatIsThere(t *testing.T) {
	t.Parallel()
	all := history(10)
	other := all[3]
	other.Actor = "other"
	dst := holding(t, []event.Event{other})
	if done, err := repository.Copy(t.Context(), dst, holding(t, all), event.Filter{}); err != nil || done.Events != 10 {
		t.Fatalf("Copy = %+v, %v", done, err)
	}
	if got := list(t, dst, event.Filter{})[3]; got.Actor != "other" {
		t.Errorf("an event that was there is %+v now", got)
	}
}

func TestCopyFails(t *testing.T) {
	t.Parallel()
	mem := holding(t, history(3))
	if _, err := repository.Copy(t.Context(), memrepo.New(nil), mem, event.Filter{Limit: -1}); !errors.Is(err, event.ErrInvalid) {
		t.Errorf("error %v with a broken filter, want event.ErrInvalid", err)
	}
	unreachable := out{errors.New("unreachable")}
	for name, pair := range map[string][2]repository.Repository{"source": {mem, unreachable}, "destination": {unreachable, mem}} {
		done, err := repository.Copy(t.Context(), pair[0], pair[1], event.Filter{})
		if !errors.Is(err, unreachable.err) || done != (repository.Copied{}) {
			t.Errorf("%s: Copy = %+v, %v, want nothing and its error", name, done, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := repository.Copy(ctx, memrepo.New(nil), mem, event.Filter{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
}

// endless makes events as they are asked for.
type endless struct{ repository.Repository }

func (endless) Find(_ context.Context, f event.Filter) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		after, _, err := f.After.Position()
		if f.After == "" {
			after, err = time.Unix(0, 0), nil
		}
		for i := range max(f.Limit, 1) {
			e := event.Event{ID: "e", Category: "custom", Action: "tested", Timestamp: after.Add(time.Duration(i+1) * time.Second)}
			e.Payload = event.JSON(strings.Repeat("x", 1000))
			if !yield(e, err) {
				return
			}
		}
	}
}

// watching keeps nothing but the largest heap that it saw.
type watching struct {
	repository.Repository
	calls   int
	largest uint64
}

func (w *watching) Write(context.Context, ...event.Event) error {
	if w.calls++; w.calls%50 == 0 {
		w.largest = max(w.largest, heap())
	}
	return nil
}

func heap() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// A copy of a hundred megabytes and more takes a few. It measures the heap, so
// nothing runs beside it.
func TestCopyHoldsOneBatch(t *testing.T) {
	before, watch := heap(), &watching{}
	const n = 150_000
	done, err := repository.Copy(t.Context(), watch, endless{}, event.Filter{Limit: n})
	if err != nil || done.Events != n {
		t.Fatalf("Copy = %+v, %v", done, err)
	}
	if watch.largest > before+16<<20 {
		t.Errorf("the heap grew from %d to %d bytes", before, watch.largest)
	}
}
