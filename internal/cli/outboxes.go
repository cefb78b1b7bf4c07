package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/deed"
	"github.com/eventaudit/eventaudit/internal/plain"
	"github.com/eventaudit/eventaudit/outbox"
)

func newOutbox(a *app) *cobra.Command {
	c := &cobra.Command{
		Use: "outbox", Short: "Look at the outbox and its dead letters", Args: cobra.NoArgs, RunE: incomplete,
		Long: `The outbox is a table of the app's database that holds events until they have
reached a repository elsewhere, such as Redis. An event that the repository
refuses again and again becomes a dead letter: it is kept, with the reason,
until somebody has it retried or discarded.`,
	}
	c.AddCommand(newOutboxStatus(a), newOutboxRetry(a), newOutboxDiscard(a))
	return c
}

func newOutboxStatus(a *app) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "status", Short: "Say what waits, for how long, and which events were given up", Args: cobra.NoArgs,
		Long: `Status says how many events wait, how old the oldest of them is, and lists the
dead letters: id, time, attempts, and why the repository refused the event.`,
		Example: "  eventaudit outbox status --json | jq .dead",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withOutbox(c, func(ctx context.Context, _ *trail, box *outbox.Outbox) error {
				stats, err := box.Stats(ctx)
				if err != nil {
					return err
				}
				s := status{Pending: stats.Pending, OldestPendingSeconds: stats.OldestPending.Seconds(), Dead: stats.Dead, DeadLetters: []letter{}}
				for dead, err := range box.Dead(ctx) {
					if err != nil {
						return err
					}
					s.DeadLetters = append(s.DeadLetters, letter{dead.Event.ID, dead.Event.Timestamp, dead.Attempts, dead.Reason})
				}
				if asJSON {
					return json.NewEncoder(a.streams.Out).Encode(s)
				}
				return s.print(a)
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// status is what `outbox status` tells.
type status struct {
	Pending              int64    `json:"pending"`
	OldestPendingSeconds float64  `json:"oldest_pending_seconds"`
	Dead                 int64    `json:"dead"`
	DeadLetters          []letter `json:"dead_letters"`
}

type letter struct {
	ID        string    `json:"id"`
	Timestamp time.Time `json:"timestamp"`
	Attempts  int       `json:"attempts"`
	Reason    string    `json:"reason"`
}

func (s status) print(a *app) error {
	age := time.Duration(s.OldestPendingSeconds * float64(time.Second)).Round(time.Millisecond)
	_, err := fmt.Fprintf(a.streams.Out, "pending       %d\noldest        %v\ndead letters  %d\n", s.Pending, age, s.Dead)
	for _, l := range s.DeadLetters {
		_, failed := fmt.Fprintf(a.streams.Out, "  %s  %s  %d attempts  %s\n", plain.Text(l.ID), l.Timestamp.Format(timeFormat), l.Attempts, plain.Text(l.Reason))
		err = errors.Join(err, failed)
	}
	return err
}

func newOutboxRetry(a *app) *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use: "retry [ID…]", Short: "Put dead letters back into the outbox",
		Long: `Retry puts dead letters back into the outbox, those with the given ids or all.
The relay then tries them anew. With an id that no dead letter has nothing is
done, and the exit code is 1. The retry is itself recorded.`,
		Example: "  eventaudit outbox retry --all",
		RunE: func(c *cobra.Command, ids []string) error {
			if all == (len(ids) > 0) {
				return misused(errors.New("outbox retry needs either the ids of dead letters or --all"))
			}
			return a.withOutbox(c, func(ctx context.Context, t *trail, box *outbox.Outbox) error {
				if err := areDead(ctx, box, ids); err != nil {
					return err
				}
				d := deed.Deed{Before: event.ActionRetrying, After: event.ActionRetried, Facts: map[string]any{"ids": ids, "all": all}}
				n, err := deed.Record(ctx, t, d, func() (int64, error) { return box.Retry(ctx, ids...) })
				if err == nil {
					a.streams.say("%d dead letters are in the outbox again", n)
				}
				return err
			})
		},
	}
	c.Flags().BoolVar(&all, "all", false, "all of them")
	return c
}

func newOutboxDiscard(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "discard ID…", Short: "Remove dead letters for ever", Args: cobra.MinimumNArgs(1),
		Long: `Discard removes the dead letters with the given ids for ever: these events will
not be in the trail. With an id that no dead letter has nothing is done, and the
exit code is 1. The removal is itself recorded.`,
		Example: "  eventaudit outbox discard 0197c2f0-8b1e-7cc3-98c4-dc0c0c07398f",
		RunE: func(c *cobra.Command, ids []string) error {
			return a.withOutbox(c, func(ctx context.Context, t *trail, box *outbox.Outbox) error {
				if err := areDead(ctx, box, ids); err != nil {
					return err
				}
				d := deed.Deed{Before: event.ActionDiscarding, After: event.ActionDiscarded, Facts: map[string]any{"ids": ids}}
				n, err := deed.Record(ctx, t, d, func() (int64, error) { return box.Discard(ctx, ids...) })
				if err == nil {
					a.streams.say("%d dead letters removed", n)
				}
				return err
			})
		},
	}
}

// areDead reports the ids that are no dead letter's.
func areDead(ctx context.Context, box *outbox.Outbox, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	unknown := map[string]bool{}
	for _, id := range ids {
		unknown[id] = true
	}
	for dead, err := range box.Dead(ctx) {
		if err != nil {
			return err
		}
		delete(unknown, dead.Event.ID)
	}
	if len(unknown) == 0 {
		return nil
	}
	return fmt.Errorf("no dead letters have the ids %q, so nothing is done; outbox status shows the ids", slices.Sorted(maps.Keys(unknown)))
}

// withOutbox runs the work on the trail and its outbox.
func (a *app) withOutbox(c *cobra.Command, work func(context.Context, *trail, *outbox.Outbox) error) error {
	return a.with(c.Context(), func(ctx context.Context, t *trail) error {
		box, err := a.outbox(t)
		if err != nil {
			return err
		}
		return work(ctx, t, box)
	})
}
