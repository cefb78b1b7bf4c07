package outbox

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
)

// picky is a repository that takes all or nothing of a call.
type picky struct {
	repository.Repository
	refuses map[string]error
	// breaks is the call, counted from 1, from which on nothing works.
	breaks int
	calls  int
	stored map[string]bool
}

var errBroken = errors.New("connection refused")

func (p *picky) Write(_ context.Context, events ...event.Event) error {
	p.calls++
	if p.breaks > 0 && p.calls >= p.breaks {
		return errBroken
	}
	for _, e := range events {
		if err := p.refuses[e.ID]; err != nil {
			if errors.Is(err, errPanic) {
				panic(err)
			}
			return err
		}
	}
	for _, e := range events {
		p.stored[e.ID] = true
	}
	return nil
}

func (*picky) Find(context.Context, event.Filter) iter.Seq2[event.Event, error] { return nil }

var errPanic = errors.New("panics")

// Every row ends in exactly one place, and that place is the right one.
func TestSendTellsGoodFromBad(t *testing.T) {
	t.Parallel()
	refusals := []error{
		event.ErrInvalid, errPanic,
		&repository.RejectedError{Err: errors.New("odd")},
		&repository.RejectedError{IDs: []string{"somebody else"}, Err: errors.New("odd")},
		errors.Join(&repository.RejectedError{IDs: []string{"0"}, Err: errors.New("odd")}, errBroken),
	}
	rapid.Check(t, func(t *rapid.T) {
		to := &picky{refuses: map[string]error{}, stored: map[string]bool{}, breaks: rapid.IntRange(0, 20).Draw(t, "breaks")}
		rows := make([]row, rapid.IntRange(1, 40).Draw(t, "rows"))
		for i := range rows {
			id := fmt.Sprint(i)
			rows[i] = row{sequence: int64(i), event: event.Event{ID: id}}
			switch rapid.IntRange(0, 5).Draw(t, "kind") {
			case 0:
				to.refuses[id] = rapid.SampledFrom(refusals).Draw(t, "refusal")
			case 1:
				rows[i].unreadable = errors.New("unreadable")
			}
		}
		out := send(context.Background(), to, rows)

		var all []int64
		for _, r := range slices.Concat(out.delivered...) {
			all = append(all, r.sequence)
			if !to.stored[r.event.ID] {
				t.Errorf("row %d counts as delivered and is not", r.sequence)
			}
		}
		for _, r := range out.refused {
			all = append(all, r.row.sequence)
			if r.row.unreadable == nil && to.refuses[r.row.event.ID] == nil {
				t.Errorf("row %d counts as refused and was not", r.row.sequence)
			}
		}
		for _, r := range slices.Concat(out.unsent...) {
			all = append(all, r.sequence)
		}
		slices.Sort(all)
		for i := range rows {
			if len(all) != len(rows) || all[i] != int64(i) {
				t.Fatalf("rows %d, want each of 0 to %d once", all, len(rows)-1)
			}
		}
		if broke := to.breaks > 0 && to.calls >= to.breaks; broke != (out.err != nil) || broke != (len(out.unsent) > 0) {
			t.Errorf("repository broke: %t; error %v, %d runs unsent", broke, out.err, len(out.unsent))
		}
		for _, run := range slices.Concat(out.delivered, out.unsent) {
			for i := range run {
				if run[i].sequence != run[0].sequence+int64(i) {
					t.Errorf("a run is not of neighbours: %v", run)
				}
			}
		}
	})
}

// One bad event among many costs a search by halves.
func TestSendSearchesByHalves(t *testing.T) {
	t.Parallel()
	rows := make([]row, 512)
	for i := range rows {
		rows[i] = row{sequence: int64(i), event: event.Event{ID: fmt.Sprint(i)}}
	}
	to := &picky{refuses: map[string]error{"300": event.ErrInvalid}, stored: map[string]bool{}}
	out := send(t.Context(), to, rows)
	if len(out.refused) != 1 || out.refused[0].row.sequence != 300 {
		t.Errorf("refused: %v, want row 300", out.refused)
	}
	if to.calls != 1+2*9 {
		t.Errorf("%d calls of Write, want one and two for each of 9 halvings", to.calls)
	}
}

// The time for a batch is over when it is, though the repository does not look
// at the context: what it refuses from then on stays unsent.
func TestSendEndsWithItsContext(t *testing.T) {
	t.Parallel()
	rows := make([]row, 8)
	for i := range rows {
		rows[i] = row{sequence: int64(i), event: event.Event{ID: fmt.Sprint(i)}}
	}
	ctx, cancel := context.WithCancel(t.Context())
	to := &picky{refuses: map[string]error{"5": event.ErrInvalid}, stored: map[string]bool{}}
	out := send(ctx, countdown{to, 2, cancel}, rows)
	if to.calls != 2 || !errors.Is(out.err, context.Canceled) || count(out.delivered) != 4 || count(out.unsent) != 4 || len(out.refused) != 0 {
		t.Errorf("%d calls, %+v; want 2 calls, 4 rows delivered and 4 unsent", to.calls, out)
	}
}

// countdown ends the context with one of the calls.
type countdown struct {
	*picky
	call   int
	cancel context.CancelFunc
}

func (c countdown) Write(ctx context.Context, events ...event.Event) error {
	err := c.picky.Write(ctx, events...)
	if c.calls == c.call {
		c.cancel()
	}
	return err
}
