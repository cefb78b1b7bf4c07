package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/deed"
	"github.com/eventaudit/eventaudit/repository"
)

func newClear(a *app) *cobra.Command {
	var filter event.Filter
	var bounds period
	var confirmed bool
	c := &cobra.Command{
		Use: "clear", Short: "Remove events for ever", Args: cobra.NoArgs,
		Long: `Clear removes the events that the flags select, all of them without flags.
` + selecting + `
Without --confirm it only says how many that would be, and exits with 1.
The removal is itself recorded: who, which events, how many.`,
		Example: "  eventaudit clear --confirm --end-date=2019-12-31",
		RunE: func(c *cobra.Command, _ []string) error {
			if _, err := bounds.bound(&filter); err != nil {
				return err
			}
			if filter.From.After(time.Now()) {
				return misused(&event.FieldError{Field: "start-date", Value: bounds.start, Reason: "has not begun; only events until now are removed, so name an earlier day"})
			}
			if err := filter.Validate(); err != nil {
				return misused(err)
			}
			return a.with(c.Context(), func(ctx context.Context, t *trail) error {
				if !confirmed {
					return t.wouldClear(ctx, filter)
				}
				n, err := deed.Clear(ctx, t, t.Repository(), filter)
				if err == nil {
					a.streams.say("%d events removed", n)
				}
				return err
			})
		},
	}
	c.Flags().BoolVar(&confirmed, "confirm", false, "really remove them")
	bounds.register(c.Flags())
	filterFlags(c.Flags(), &filter)
	return c
}

func (t *trail) wouldClear(ctx context.Context, filter event.Filter) error {
	n, err := repository.Count(ctx, t.Repository(), deed.Until(filter, time.Now()))
	if err != nil {
		return err
	}
	return fmt.Errorf("%d events would be removed, none was; add --confirm to remove them", n)
}
