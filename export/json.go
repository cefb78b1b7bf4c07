package export

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"iter"

	"github.com/eventaudit/eventaudit/event"
)

// JSON writes one array of events, an event on each line. Without Fields and
// IgnoreFields an event has the keys that event.Event has, empty ones left out,
// and reading it back gives the same event; with them it has every field that
// was chosen.
type JSON struct{ Options }

// JSONLines writes one JSON object on each line, as https://jsonlines.org
// describes it. The objects are those of JSON.
type JSONLines struct{ Options }

// Export implements [Exporter].
func (j JSON) Export(w io.Writer, events iter.Seq2[event.Event, error]) error {
	return j.objects(w, framing{before: "[\n", between: ",\n", after: "\n]\n", empty: "[]\n"}, events)
}

// Export implements [Exporter].
func (j JSONLines) Export(w io.Writer, events iter.Seq2[event.Event, error]) error {
	return j.objects(w, framing{between: "\n", after: "\n"}, events)
}

// framing is what stands around the objects.
type framing struct{ before, between, after, empty string }

func (o Options) objects(w io.Writer, frame framing, events iter.Seq2[event.Event, error]) error {
	columns, err := o.Columns()
	if err != nil {
		return err
	}
	if len(o.Fields) == 0 && len(o.IgnoreFields) == 0 {
		columns = nil // events as they are
	}
	return buffered(w, func(buffer *bufio.Writer) error {
		next, after := frame.before, frame.empty
		for e, err := range events {
			if err != nil {
				return err
			}
			e.Timestamp = o.In(e.Timestamp)
			object, err := objectOf(columns, &e)
			if err != nil {
				return err
			}
			buffer.WriteString(next) //nolint:errcheck // Flush returns the first error
			buffer.Write(object)     //nolint:errcheck // Flush returns the first error
			next, after = frame.between, frame.after
		}
		buffer.WriteString(after) //nolint:errcheck // Flush returns the first error
		return nil
	})
}

// objectOf returns the columns of the event as a JSON object, or without
// columns the event.
func objectOf(columns []Column, e *event.Event) ([]byte, error) {
	if columns == nil {
		return marshal(e)
	}
	object := []byte{'{'}
	for i, column := range columns {
		value, err := marshal(column.Value(e))
		if err != nil {
			return nil, err
		}
		if i > 0 {
			object = append(object, ',')
		}
		object = append(object, '"')
		object = append(object, column.Name...)
		object = append(object, '"', ':')
		object = append(object, value...)
	}
	return append(object, '}'), nil
}

// marshal is event.JSON with an error for what JSON cannot hold.
func marshal(v any) ([]byte, error) {
	text := event.JSON(v)
	if reason, failed := bytes.CutPrefix(text, []byte("!")); failed {
		return nil, fmt.Errorf("export: %s", reason)
	}
	return text, nil
}
