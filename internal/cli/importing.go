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
	"github.com/eventaudit/eventaudit/repository"
)

func newImport(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "import FILE", Short: "Read events from an export", Args: cobra.ExactArgs(1),
		Long: `Import reads JSON Lines or a JSON array of events, as export and the Python
ancestor write them, - from standard input. Events that are there already, by
their id, are passed over, so that an import may be repeated. A line that is no
event, that could not be kept as it is or that the repository refuses is reported
by its number, and the others are imported; the exit code is 1 then. The import
is itself recorded.`,
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

// importing stores the events and returns how many there were. Each refused
// line is reported.
func (a *app) importing(ctx context.Context, t *trail, in io.Reader) (int64, error) {
	i := importer{ctx: ctx, trail: t, report: a.streams.Err}
	err := i.read(bufio.NewReaderSize(in, 1<<20))
	err = errors.Join(err, i.flush()) // also what was read before the error
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
	where   []string // each of them is
	taken   int64
	refused int
}

// batchSize is how many events are stored at once.
const batchSize = 500

// read reads to the end: the lines of JSON Lines, or of an array that has an
// event on each, or an array in whatever lines.
func (i *importer) read(in *bufio.Reader) error {
	if begin, err := in.Peek(len(byteOrderMark)); err == nil && string(begin) == byteOrderMark {
		if _, err := in.Discard(len(byteOrderMark)); err != nil {
			return err
		}
	}
	first, ended, err := passSpace(in)
	if err != nil {
		return err
	}
	if first == '[' {
		return i.readArray(in, 1+ended)
	}
	return i.readLines(in, 1+ended)
}

// byteOrderMark is what programs on Windows begin a text with.
const byteOrderMark = "\ufeff"

// passSpace takes white space, and returns the byte behind it, zero at the end,
// and how many lines ended.
func passSpace(in *bufio.Reader) (next byte, ended int, err error) {
	for {
		b, err := in.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return 0, ended, nil
		case err != nil:
			return 0, ended, err
		case !bytes.Contains([]byte(" \t\r\n"), []byte{b}):
			return b, ended, in.UnreadByte()
		case b == '\n':
			ended++
		}
	}
}

func (i *importer) readLines(in *bufio.Reader, number int) error {
	for ; ; number++ {
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
func (i *importer) readArray(in io.Reader, line int) error {
	array := newArray(in, line)
	if _, err := array.Token(); err != nil {
		return err
	}
	for number := 1; array.More(); number++ {
		var element json.RawMessage
		if err := array.Decode(&element); err != nil {
			return array.broken(err)
		}
		begin := array.lines.at(array.InputOffset() - int64(len(element)))
		if err := i.take(fmt.Sprintf("line %d, event %d", begin, number), element); err != nil {
			return err
		}
	}
	if _, err := array.Token(); err != nil {
		return array.broken(err)
	}
	line, more, err := array.rest()
	if err == nil && more {
		err = fmt.Errorf("line %d: there is more behind the array, which is not imported; put it into a file of its own", line)
	}
	return err
}

// array decodes an array and tells on which lines its elements are.
type array struct {
	*json.Decoder
	lines *lineCounter
}

func newArray(in io.Reader, line int) array {
	lines := &lineCounter{in: in, line: line}
	return array{json.NewDecoder(lines), lines}
}

// rest goes to what comes next, and returns its line and whether there is any.
// Nothing can be decoded any more.
func (a array) rest() (line int, more bool, err error) {
	line = a.lines.at(a.InputOffset())
	next, ended, err := passSpace(bufio.NewReader(io.MultiReader(a.Buffered(), a.lines)))
	return line + ended, next != 0, err
}

// broken says where there is no way on.
func (a array) broken(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("line %d: the file ends within the array; export it again", a.lines.at(a.lines.read))
	}
	line, _, failed := a.rest()
	return errors.Join(fmt.Errorf("line %d: %w; what follows is not imported", line, err), failed)
}

// lineCounter tells on which line a place is of the text that is read.
type lineCounter struct {
	in   io.Reader
	read int64
	line int
	ends []int64 // of that line and later ones
}

func (l *lineCounter) Read(p []byte) (int, error) {
	n, err := l.in.Read(p)
	for i, b := range p[:n] {
		if b == '\n' {
			l.ends = append(l.ends, l.read+int64(i))
		}
	}
	l.read += int64(n)
	return n, err
}

// at returns the line of a place that is not before the one asked for last.
func (l *lineCounter) at(offset int64) int {
	for len(l.ends) > 0 && l.ends[0] < offset {
		l.line, l.ends = l.line+1, l.ends[1:]
	}
	return l.line
}

// take stores the event of the text, or reports why not.
func (i *importer) take(where string, text []byte) error {
	e, err := parseEvent(text)
	if err != nil {
		return i.refuse(where, err)
	}
	i.batch, i.where = append(i.batch, e), append(i.where, where)
	if len(i.batch) < batchSize {
		return nil
	}
	return i.flush()
}

// refuse reports an event that is not stored.
func (i *importer) refuse(where string, why error) error {
	i.refused++
	_, err := fmt.Fprintf(i.report, "%s: %s\n", where, plain.Text(why.Error()))
	return err
}

func (i *importer) flush() error {
	if len(i.batch) == 0 {
		return nil
	}
	defer func() { i.batch, i.where = i.batch[:0], i.where[:0] }()
	err := i.trail.Repository().Write(i.ctx, i.batch...)
	if err == nil {
		i.taken += int64(len(i.batch))
		return nil
	}
	return i.oneByOne(err)
}

// answers reports whether the repository can be read.
func (i *importer) answers() bool {
	for _, err := range i.trail.Repository().Find(i.ctx, event.Filter{Limit: 1}) {
		return err == nil
	}
	return true
}

// oneByOne stores the events of a batch that was refused as a whole. Where none
// of a full one can be stored, or the repository does not answer, it is that
// which fails, and not the events.
func (i *importer) oneByOne(whole error) error {
	refused, failed := map[int]error{}, 0
	for n, e := range i.batch {
		err := i.trail.Repository().Write(i.ctx, e)
		var rejected *repository.RejectedError
		switch {
		case i.ctx.Err() != nil:
			return i.ctx.Err()
		case err == nil:
			i.taken++
			continue
		case !errors.As(err, &rejected):
			failed++
		}
		refused[n] = err
	}
	if failed == len(i.batch) && (failed == batchSize || !i.answers()) {
		return fmt.Errorf("%s and what follows: %w", i.where[0], whole)
	}
	for n, where := range i.where {
		if refused[n] == nil {
			continue
		}
		if err := i.refuse(where, refused[n]); err != nil {
			return err
		}
	}
	return nil
}
