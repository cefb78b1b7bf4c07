package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/deed"
	"github.com/eventaudit/eventaudit/internal/plain"
)

func newImport(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "import FILE", Short: "Read events from an export", Args: cobra.ExactArgs(1),
		Long: `Import reads JSON Lines or a JSON array of events, as export and the Python
ancestor write them, - from standard input. Events that are there already, by
their id, are passed over, so that an import may be repeated. A line that is no
event is reported by its number, and the others are imported; the exit code is 1
then. The import is itself recorded.`,
		Example: "  eventaudit import trail.jsonl",
		RunE: func(c *cobra.Command, args []string) error {
			in, err := a.input(args[0])
			if err != nil {
				return err
			}
			err = a.with(c.Context(), func(ctx context.Context, t *trail) error {
				d := deed.Deed{Before: event.ActionImporting, After: event.ActionImported, Facts: map[string]any{"input": args[0]}}
				_, err := deed.Record(ctx, t, d, func() (int64, error) { return a.importing(ctx, t, in) })
				return err
			})
			return errors.Join(err, in.Close())
		},
	}
}

func (a *app) input(name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(a.streams.In), nil
	}
	return os.Open(name)
}

// importing stores the events and returns how many were read. Each refused
// line is reported.
func (a *app) importing(ctx context.Context, t *trail, in io.Reader) (int64, error) {
	i := importer{ctx: ctx, trail: t, report: a.streams.Err}
	err := i.read(bufio.NewReaderSize(in, 1<<20))
	if err == nil {
		err = i.flush()
	}
	a.streams.say("%d events read, %d lines refused", i.taken, i.refused)
	if err == nil && i.refused > 0 {
		err = fmt.Errorf("%d lines were refused; the others are imported", i.refused)
	}
	return i.taken, err
}

// importer reads lines and stores their events.
type importer struct {
	ctx     context.Context //nolint:containedctx // of one call
	trail   *trail
	report  io.Writer
	batch   []event.Event
	taken   int64
	refused int
}

// batchSize is how many events are stored at once.
const batchSize = 500

// read reads to the end: the lines of JSON Lines, or of an array that has an
// event on each, or an array in whatever lines.
func (i *importer) read(in *bufio.Reader) error {
	first, err := firstByte(in)
	if err != nil {
		return err
	}
	if first == '[' {
		return i.readArray(in)
	}
	return i.readLines(in)
}

// firstByte returns the first byte that is no white space, without taking it;
// zero when there is none.
func firstByte(in *bufio.Reader) (byte, error) {
	for {
		b, err := in.ReadByte()
		if errors.Is(err, io.EOF) {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		if !bytes.ContainsRune([]byte(" \t\r\n\ufeff"), rune(b)) {
			return b, in.UnreadByte()
		}
	}
}

func (i *importer) readLines(in *bufio.Reader) error {
	for number := 1; ; number++ {
		line, err := in.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			if err := i.take(fmt.Sprint("line ", number), line); err != nil {
				return err
			}
		}
		if err != nil {
			return nil
		}
	}
}

// readArray reads the elements one by one; memory does not grow with them.
func (i *importer) readArray(in io.Reader) error {
	array := json.NewDecoder(in)
	if _, err := array.Token(); err != nil {
		return err
	}
	for number := 1; array.More(); number++ {
		var element json.RawMessage
		if err := array.Decode(&element); err != nil {
			return fmt.Errorf("event %d: %w", number, err) // there is no way on
		}
		if err := i.take(fmt.Sprint("event ", number), element); err != nil {
			return err
		}
	}
	_, err := array.Token()
	return err
}

// take stores the event of the text, or reports why not.
func (i *importer) take(where string, text []byte) error {
	e, err := parseEvent(text)
	if err != nil {
		i.refused++
		_, err := fmt.Fprintf(i.report, "%s: %s\n", where, plain.Text(err.Error()))
		return err
	}
	i.taken++
	if i.batch = append(i.batch, e); len(i.batch) < batchSize {
		return nil
	}
	return i.flush()
}

func (i *importer) flush() error {
	if len(i.batch) == 0 {
		return nil
	}
	err := i.trail.Repository().Write(i.ctx, i.batch...)
	i.batch = i.batch[:0]
	return err
}
