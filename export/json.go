package export

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strconv"
	"time"

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
	next, last := frame.before, frame.empty
	err = inBatches(w, events, func(into *bytes.Buffer, events []event.Event) error {
		for i := range events {
			into.WriteString(next)
			next, last = frame.between, frame.after
			events[i].Timestamp = o.In(events[i].Timestamp)
			if err := writeObject(into, columns, &events[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, last)
	return err
}

// writeObject writes the columns of the event as a JSON object, or without
// columns the fields that event.Event does not leave out, as event.JSON writes
// them.
func writeObject(into *bytes.Buffer, columns []Column, e *event.Event) error {
	into.WriteByte('{')
	if columns == nil {
		for i := range fields {
			value := fields[i].value(e)
			if fields[i].optional && isEmpty(value) {
				continue
			}
			if err := writeMember(into, fields[i].name, value); err != nil {
				return err
			}
		}
	}
	for i := range columns {
		if err := writeMember(into, columns[i].Name, columns[i].Value(e)); err != nil {
			return err
		}
	}
	into.WriteByte('}')
	return nil
}

func isEmpty(value any) bool {
	switch v := value.(type) {
	case string:
		return v == ""
	case int64:
		return v == 0
	case bool:
		return !v
	case json.RawMessage:
		return len(v) == 0
	case map[string]string:
		return len(v) == 0
	}
	return false
}

func writeMember(into *bytes.Buffer, name string, value any) error {
	if into.Bytes()[into.Len()-1] != '{' {
		into.WriteByte(',')
	}
	into.WriteByte('"')
	into.WriteString(name)
	into.WriteString(`":`)
	switch v := value.(type) {
	case string:
		if isPlain(v) {
			into.WriteByte('"')
			into.WriteString(v)
			into.WriteByte('"')
			return nil
		}
	case int64:
		into.Write(strconv.AppendInt(into.AvailableBuffer(), v, 10))
		return nil
	case time.Time:
		text, err := v.MarshalJSON()
		into.Write(text)
		return err
	case json.RawMessage:
		if len(v) > 0 {
			return compactInto(into, v)
		}
	}
	text, err := marshal(value)
	into.Write(text)
	return err
}

// isPlain says that JSON has the text as it is.
func isPlain(text string) bool {
	for i := range len(text) {
		if b := text[i]; b < ' ' || b > '~' || b == '"' || b == '\\' {
			return false
		}
	}
	return true
}

// marshal is event.JSON with an error for what JSON cannot hold.
func marshal(v any) ([]byte, error) {
	text := event.JSON(v)
	if reason, failed := bytes.CutPrefix(text, []byte("!")); failed {
		return nil, fmt.Errorf("export: %s", reason)
	}
	return text, nil
}
