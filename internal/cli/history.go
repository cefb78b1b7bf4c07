package cli

import (
	"context"
	"errors"
	"iter"

	"github.com/spf13/cobra"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/lifeline"
)

func newHistory(a *app) *cobra.Command {
	var l listing
	c := &cobra.Command{
		Use: "history MODEL ID", Short: "List the events of one record, newest first", Args: cobra.ExactArgs(2),
		Long: `History lists the events of one record, the newest first: those about it, and
those of others that it is the target of, such as the one by which it got its
key. MODEL is the Go type name, or the name of the table where there is no
model; ID the primary key, a composite one as a JSON array.`,
		Example: `  eventaudit history Order 17
  eventaudit history OrderLine '[17,2]' --oldest-first`,
		RunE: func(c *cobra.Command, args []string) error {
			if args[0] == "" || args[1] == "" {
				return misused(errors.New("history needs the MODEL and the ID of one record; an empty one would select others, too"))
			}
			l.filter.ActionObject, l.filter.ActionObjectID = args[0], args[1]
			return a.list(c, &l, l.history)
		},
	}
	l.register(c.Flags())
	return c
}

// history yields the events about the record that the filter names, and those
// that it is the target of.
func (l *listing) history(ctx context.Context, t *trail) iter.Seq2[event.Event, error] {
	target := l.filter
	target.ActionObject, target.ActionObjectID = "", ""
	target.TargetType, target.TargetID = l.filter.ActionObject, l.filter.ActionObjectID
	return limited(lifeline.Merged(l.filter.Order, t.All(ctx, l.filter), t.All(ctx, target)), l.filter.Limit)
}

// limited yields so many events at most, all of them for 0.
func limited(events iter.Seq2[event.Event, error], limit int) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		n := 0
		for e, err := range events {
			if n++; !yield(e, err) || n == limit {
				return
			}
		}
	}
}
