package cli

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
)

// progress is a line on a terminal that says how far a command is. Elsewhere
// it says nothing.
type progress struct {
	out   *terminal // nil where there is none
	total int64     // 0 is not known
	seen  int64
	begun time.Time
	shown time.Time
}

// counting is how long the number of events may take to find out.
const counting = 2 * time.Second

// progress begins to report on the events of the filter.
func (a *app) progress(ctx context.Context, t *trail, filter event.Filter) *progress {
	p := &progress{begun: time.Now()}
	if !isTerminal(a.streams.Err) {
		return p
	}
	p.out = &terminal{a.streams}
	ctx, cancel := context.WithTimeout(ctx, counting)
	defer cancel()
	n, err := repository.Count(ctx, t.Repository(), filter)
	switch {
	case err == nil && filter.Limit > 0:
		p.total = min(n, int64(filter.Limit))
	case err == nil:
		p.total = n
	case !errors.Is(err, context.DeadlineExceeded): // else it goes on without
		p.out.say("eventaudit: the events cannot be counted: %v", err)
	}
	p.begun = time.Now()
	return p
}

// watch yields the events and reports how many there were.
func (p *progress) watch(events iter.Seq2[event.Event, error]) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		for e, err := range events {
			if err == nil {
				p.step()
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// refresh is how often the line changes.
const refresh = 200 * time.Millisecond

func (p *progress) step() {
	p.seen++
	if p.out == nil || p.seen%64 != 0 {
		return
	}
	if now := time.Now(); now.Sub(p.shown) >= refresh {
		p.shown = now
		p.out.replace(p.line(now))
	}
}

// line is what the terminal shows.
func (p *progress) line(now time.Time) string {
	rate := float64(p.seen) / max(now.Sub(p.begun).Seconds(), 0.001)
	line := fmt.Sprintf("%d events, %.0f/s", p.seen, rate)
	if p.total == 0 {
		return line
	}
	share := min(100, 100*p.seen/p.total)
	left := time.Duration(float64(max(0, p.total-p.seen)) / rate * float64(time.Second)).Round(time.Second)
	return fmt.Sprintf("%s, %d %%, %v left", line, share, left)
}

// end takes the line away, and says how many there were.
func (p *progress) end() {
	if p.out != nil {
		p.out.replace("")
		p.out.say("%d events in %v", p.seen, time.Since(p.begun).Round(100*time.Millisecond))
	}
}

// terminal shows lines that replace each other.
type terminal struct{ Streams }

// replace shows the text in place of what the line shows.
func (t *terminal) replace(text string) {
	fmt.Fprint(t.Err, "\r\x1b[K"+text) //nolint:errcheck // the next line may be seen
}

func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
