package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/export"
	"github.com/eventaudit/eventaudit/repository"
)

func newEvents(a *app) *cobra.Command {
	c := &cobra.Command{Use: "events", Short: "List, show or create events", Args: cobra.NoArgs, RunE: incomplete}
	c.AddCommand(newEventsList(a), newEventsShow(a), newEventsCreate(a))
	return c
}

// listing are the flags of commands that list events.
type listing struct {
	filter event.Filter
	bounds period
	oldest bool
	asJSON bool
}

func (l *listing) register(flags *pflag.FlagSet) {
	flags.IntVar(&l.filter.Limit, "limit", 50, "so many events at most, 0 for all")
	flags.BoolVar(&l.oldest, "oldest-first", false, "begin with the oldest event")
	flags.BoolVar(&l.asJSON, "json", false, "print JSON Lines")
	l.bounds.register(flags)
}

func newEventsList(a *app) *cobra.Command {
	var l listing
	c := &cobra.Command{
		Use: "list", Short: "List events, newest first", Args: cobra.NoArgs,
		Long: `List prints a line for each event that the flags select, the newest first: when,
who, what, which record, and for a change each column, old → new. ` + selecting + `
Days are whole days in the time zone; the last one is included. Scripts are
better off with --json, which has all that an event holds, its id too.`,
		Example: `  eventaudit events list --actor=olga --start-date=2024-05-01
  eventaudit events list --category=model --action=deleted --limit=0 --json`,
		RunE: func(c *cobra.Command, _ []string) error { return a.list(c, &l, l.matching) },
	}
	l.register(c.Flags())
	filterFlags(c.Flags(), &l.filter)
	return c
}

func (l *listing) matching(ctx context.Context, t *trail) iter.Seq2[event.Event, error] {
	return t.All(ctx, l.filter)
}

// list prints the events that are found with the flags.
func (a *app) list(c *cobra.Command, l *listing, find func(context.Context, *trail) iter.Seq2[event.Event, error]) error {
	zone, err := l.bounds.bound(&l.filter)
	if err != nil {
		return err
	}
	if !l.oldest {
		l.filter.Order = event.NewestFirst
	}
	if err := l.filter.Validate(); err != nil {
		return misused(err)
	}
	return a.with(c.Context(), func(ctx context.Context, t *trail) error {
		if l.asJSON {
			return export.JSONLines{Options: export.Options{Location: zone}}.Export(a.streams.Out, find(ctx, t))
		}
		return a.printPages(find(ctx, t), zone)
	})
}

// pageSize is how many lines are aligned with each other.
const pageSize = 1000

func (a *app) printPages(events iter.Seq2[event.Event, error], zone *time.Location) error {
	var page []event.Event
	printed := false
	for e, err := range events {
		if err != nil {
			return err
		}
		if page = append(page, e); len(page) == pageSize {
			if err := a.table(zone).print(page); err != nil {
				return err
			}
			page, printed = page[:0], true
		}
	}
	if printed && len(page) == 0 {
		return nil
	}
	return a.table(zone).print(page)
}

func newEventsShow(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Print one event as JSON", Args: cobra.ExactArgs(1),
		Long:    "Show prints all that an event holds, as indented JSON. ID is the event's own.",
		Example: "  eventaudit events show 0197c2f0-8b1e-7cc3-98c4-dc0c0c07398f",
		RunE: func(c *cobra.Command, args []string) error {
			return a.with(c.Context(), func(ctx context.Context, t *trail) error {
				e, err := repository.Get(ctx, t.Repository(), args[0])
				if errors.Is(err, repository.ErrNotFound) {
					return fmt.Errorf("no event has the id %q; events list --json shows the ids", args[0])
				}
				if err != nil {
					return err
				}
				out := json.NewEncoder(a.streams.Out)
				out.SetEscapeHTML(false)
				out.SetIndent("", "  ")
				return out.Encode(e)
			})
		},
	}
}

func newEventsCreate(a *app) *cobra.Command {
	var like event.Filter // an event has the fields of a filter
	var payload, result string
	c := &cobra.Command{
		Use: "create", Short: "Record an event", Args: cobra.NoArgs,
		Long: `Create records an event with the values of the flags and prints its id.
Category and action are required. The actor is --actor, otherwise who runs the
command. An id that is there already stays as it is.`,
		Example: `  eventaudit events create --category=custom --action=audited --payload='{"by":"an auditor"}'`,
		RunE: func(c *cobra.Command, _ []string) error {
			e := eventLike(like)
			var err error
			if e.Payload, err = document("payload", payload); err != nil {
				return misused(err)
			}
			if e.Result, err = document("result", result); err != nil {
				return misused(err)
			}
			e.Complete(time.Now())
			if err := event.Validate(e); err != nil {
				return misused(err)
			}
			return a.with(c.Context(), func(ctx context.Context, t *trail) error {
				if err := ignored(t.Config(), e); err != nil {
					return misused(err)
				}
				if err := t.Record(ctx, e); err != nil {
					return err
				}
				_, err := fmt.Fprintln(a.streams.Out, e.ID)
				return err
			})
		},
	}
	c.Flags().StringVar(&payload, "payload", "", "the payload, as `JSON`")
	c.Flags().StringVar(&result, "result", "", "the result, as `JSON`")
	fieldFlags(c.Flags(), &like)
	return c
}

// ignored is an error where the settings would not let the event be recorded.
func ignored(cfg eventaudit.Config, e event.Event) error {
	ignore := func(field, value, setting string) error {
		return &event.FieldError{Field: field, Value: value, Reason: "is not recorded, says the setting " + setting + "; use another one, or change the setting"}
	}
	switch {
	case e.Category == event.CategoryAudit:
		return nil
	case slices.Contains(cfg.Ignore.Categories, e.Category):
		return ignore("category", e.Category, "ignore.categories")
	case slices.Contains(cfg.Ignore.Actions, e.Action):
		return ignore("action", e.Action, "ignore.actions")
	case e.Category == event.CategoryModel && !cfg.TrackModels:
		return ignore("category", e.Category, "track_models")
	case e.Category == event.CategoryAction && !cfg.TrackActions:
		return ignore("category", e.Category, "track_actions")
	}
	return nil
}

// document returns the JSON that a flag gives, nil for none.
func document(flag, text string) (json.RawMessage, error) {
	if text == "" {
		return nil, nil
	}
	if !json.Valid([]byte(text)) {
		quoted, err := json.Marshal(text)
		if err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("--%s %q is not JSON; a text is written as '%s', quotes included", flag, text, quoted)
	}
	return json.RawMessage(text), nil
}

// eventLike returns an event with the values of the filter.
func eventLike(f event.Filter) event.Event {
	return event.Event{
		ID: f.ID, Category: f.Category, Action: f.Action, Actor: f.Actor, ActionObject: f.ActionObject, ActionObjectID: f.ActionObjectID,
		TargetType: f.TargetType, TargetID: f.TargetID, Outcome: f.Outcome, Error: f.Error, TransactionID: f.TransactionID,
		RequestID: f.RequestID, TraceID: f.TraceID, Tenant: f.Tenant, Reason: f.Reason, OnBehalfOf: f.OnBehalfOf,
		IPAddress: f.IPAddress, UserAgent: f.UserAgent,
	}
}
