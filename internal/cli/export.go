package cli

import (
	"bufio"
	"context"
	"iter"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/export"
	_ "github.com/eventaudit/eventaudit/export/xlsx" // the format of that name
	"github.com/eventaudit/eventaudit/internal/deed"
)

// exporting are the flags of the command.
type exporting struct {
	format, output string
	options        export.Options
	filter         event.Filter
	bounds         period
	newest         bool
}

func newExport(a *app) *cobra.Command {
	var e exporting
	c := &cobra.Command{
		Use: "export", Short: "Write events to a file", Args: cobra.NoArgs,
		Long: `Export writes the events that the flags select, oldest first, all of them
without flags. ` + selecting + `
Days are whole days in the time zone; the last one is included.

A file has its name when it is complete: it is written beside it, under a name
with a dot in front, and removed when the export fails or is interrupted. In
CSV, TSV and XLSX cells that begin like a formula get an apostrophe in front.
The export is itself recorded: who, which events, how many.`,
		Example: `  eventaudit export --format=csv --output=trail.csv --start-date=2024-01-01 --end-date=2024-12-31
  eventaudit export --format=jsonl --output=- --action-object=Order | jq .actor`,
		RunE: func(c *cobra.Command, _ []string) error {
			exporter, err := e.prepare()
			if err != nil {
				return misused(err)
			}
			return a.with(c.Context(), func(ctx context.Context, t *trail) error { return a.export(ctx, t, exporter, e) })
		},
	}
	flags := c.Flags()
	flags.StringVar(&e.format, "format", "", "one of "+strings.Join(export.Names(), ", ")+" (default: what the name of the file says, otherwise csv)")
	flags.StringVar(&e.output, "output", "-", "the `FILE`, - for standard output")
	flags.StringSliceVar(&e.options.Fields, "fields", nil, "the fields to write, in that order (default: all)")
	flags.StringSliceVar(&e.options.IgnoreFields, "ignore-fields", nil, "the fields to leave out")
	flags.StringVar(&e.options.TimeFormat, "time-format", "", "the `LAYOUT` of times, as Go writes them (default RFC 3339; dates in xlsx)")
	flags.BoolVar(&e.options.KeepFormulas, "keep-formulas", false, "leave cells that begin like a formula as they are")
	flags.BoolVar(&e.newest, "newest-first", false, "begin with the newest event")
	flags.IntVar(&e.filter.Limit, "limit", 0, "write so many events at most")
	e.bounds.register(flags)
	filterFlags(flags, &e.filter)
	return c
}

// prepare checks the flags and returns the exporter.
func (e *exporting) prepare() (export.Exporter, error) {
	if e.output == "" {
		return nil, &event.FieldError{Field: "output", Value: "", Reason: "is missing; name a file, or - for standard output"}
	}
	if e.format == "" {
		e.format = "csv"
		if extension := strings.TrimPrefix(filepath.Ext(e.output), "."); extension != "" {
			e.format = extension
		}
	}
	format, err := export.Lookup(e.format)
	if err != nil {
		return nil, err
	}
	if e.options.Location, err = e.bounds.bound(&e.filter); err != nil {
		return nil, err
	}
	if e.newest {
		e.filter.Order = event.NewestFirst
	}
	if err := e.filter.Validate(); err != nil {
		return nil, err
	}
	if _, err := e.options.Columns(); err != nil {
		return nil, err
	}
	return format.New(e.options), nil
}

func (a *app) export(ctx context.Context, t *trail, exporter export.Exporter, e exporting) error {
	d := deed.Deed{Before: event.ActionExporting, After: event.ActionExported, Facts: map[string]any{
		"filter": deed.Narrowing(e.filter), "format": e.format, "output": e.output,
	}}
	var written int64
	_, err := deed.Record(ctx, t, d, func() (int64, error) {
		p := a.progress(ctx, t, e.filter)
		defer p.end()
		events := p.watch(uncancelled(ctx, t.All(ctx, e.filter)))
		err := e.write(a, exporter, events)
		written = p.seen
		return written, err
	})
	return err
}

func (e *exporting) write(a *app, exporter export.Exporter, events iter.Seq2[event.Event, error]) error {
	if e.output != "-" {
		return export.WriteFile(e.output, exporter, events)
	}
	out := bufio.NewWriter(a.streams.Out)
	if err := exporter.Export(out, events); err != nil {
		return err
	}
	return out.Flush()
}

// uncancelled ends the events with the context's error when it ends: what was
// read by then is no whole.
func uncancelled(ctx context.Context, events iter.Seq2[event.Event, error]) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		for e, err := range events {
			if ended := ctx.Err(); ended != nil {
				e, err = event.Event{}, ended
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(event.Event{}, err)
		}
	}
}
