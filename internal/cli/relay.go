package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/eventaudit/eventaudit/outbox"
)

func newRelay(a *app) *cobra.Command {
	var once bool
	c := &cobra.Command{
		Use: "relay", Short: "Deliver the events of the outbox to where they end up", Args: cobra.NoArgs,
		Long: `Relay takes events from the outbox in the app's database to the active
repository, until it is interrupted. It is for apps that run with relay.enabled
switched off; any number of relays may run at once. At the end it says how many
events it delivered, and how many wait.`,
		Example: `  eventaudit relay --config=audit.yaml
  eventaudit relay --once`,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.with(c.Context(), func(ctx context.Context, t *trail) error {
				box, err := a.outbox(t)
				if err != nil {
					return err
				}
				box.Start()
				if once {
					err = box.Flush(ctx)
				} else {
					<-ctx.Done()
				}
				ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), closing)
				defer cancel()
				err = errors.Join(err, box.Close(ending))
				stats, failed := box.Stats(ending)
				a.streams.say("%d events delivered, %d pending, %d dead letters", stats.Delivered, stats.Pending, stats.Dead)
				return errors.Join(err, failed)
			})
		},
	}
	c.Flags().BoolVar(&once, "once", false, "end when the outbox is empty")
	return c
}

// outbox returns the outbox of the trail.
func (a *app) outbox(t *trail) (*outbox.Outbox, error) {
	cfg, err := a.load()
	if err != nil {
		return nil, err
	}
	box, err := outbox.New(t.db, t.Repository(), &outbox.Options{
		BatchSize: cfg.Batch.Size, BatchTimeout: cfg.Batch.Timeout, Logger: cfg.Logger,
	})
	if err != nil {
		return nil, err
	}
	return box, box.Ready(t.db.Statement.Context)
}
