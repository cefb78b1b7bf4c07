package export_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/export"
)

// FuzzRoundTrip exports any event and parses it again.
func FuzzRoundTrip(f *testing.F) {
	f.Add("id", "actor", `{"a":1}`, "key", "value", int64(0), true)
	f.Add("\"quoted\"", "=1+1", `[1.10,"\ud800"]`, "", "\x00", int64(1<<53), false)
	f.Add("a\r\nb", "\r\n", `"<b>"`, `\.`, "'", int64(-62135596800000000), false)
	f.Add("a\rb", "'=", ` {"a" : "\u2028"} `, "'", "\ufeff", int64(-1), true)
	f.Fuzz(func(t *testing.T, id, actor, document, key, value string, micros int64, unknown bool) {
		given := event.Event{
			ID: id, Category: "fuzz", Action: actor + "!", Actor: actor, ActionObjectID: id, Timestamp: time.UnixMicro(micros).UTC(),
			Outcome: event.OutcomeSuccess, Reason: value, Meta: map[string]string{key: value},
			SchemaVersion: 1, Sequence: micros, BeforeUnknown: unknown,
		}
		if document != "" {
			given.Payload = json.RawMessage(document)
		}
		if id == "" || event.Validate(given) != nil {
			t.Skip("no event that a repository holds")
		}
		if document != "" {
			var short bytes.Buffer
			if err := json.Compact(&short, given.Payload); err != nil {
				t.Fatal(err)
			}
			given.Payload = short.Bytes()
		}
		for name, parse := range map[string]func(string) (event.Event, error){
			"csv":   func(text string) (event.Event, error) { return parseTable(text, ',') },
			"tsv":   func(text string) (event.Event, error) { return parseTable(text, '\t') },
			"json":  parseArray,
			"jsonl": parseLine,
		} {
			format, err := export.Lookup(name)
			if err != nil {
				t.Fatal(err)
			}
			var text bytes.Buffer
			if err := format.New(export.Options{}).Export(&text, all([]event.Event{given})); err != nil {
				t.Fatal(err)
			}
			got, err := parse(text.String())
			if err != nil {
				t.Fatalf("%s: %v in\n%s", name, err, text.String())
			}
			if want := string(event.JSON(given)) + "\n"; name == "jsonl" && text.String() != want {
				t.Errorf("got %swant %s", text.String(), want)
			}
			if !reflect.DeepEqual(got, given) {
				t.Errorf("%s: got\n%#v, want\n%#v from\n%s", name, got, given, text.String())
			}
		}
	})
}

func parseArray(text string) (event.Event, error) {
	var events []event.Event
	if err := json.Unmarshal([]byte(text), &events); err != nil || len(events) != 1 {
		return event.Event{}, errors.Join(err, errors.New("no array of one event"))
	}
	return events[0], nil
}

func parseLine(text string) (event.Event, error) {
	if strings.Count(text, "\n") != 1 {
		return event.Event{}, errors.New("not one line")
	}
	var e event.Event
	return e, json.Unmarshal([]byte(text), &e)
}

// parseTable reads a header and one record, which it turns into an event by way
// of JSON.
func parseTable(text string, comma byte) (event.Event, error) {
	header, text, err := parseRecord(text, comma)
	if err != nil {
		return event.Event{}, err
	}
	record, text, err := parseRecord(text, comma)
	if err != nil || text != "" || len(record) != len(header) {
		return event.Event{}, errors.Join(err, errors.New("no table of one record"))
	}
	object := map[string]json.RawMessage{}
	for i, name := range header {
		cell := export.Unguard(record[i])
		switch name {
		case "payload", "result", "meta", "sequence", "schema_version", "before_unknown":
			object[name] = json.RawMessage(cell)
		default:
			if object[name], err = json.Marshal(cell); err != nil {
				return event.Event{}, err
			}
		}
	}
	maps.DeleteFunc(object, func(_ string, value json.RawMessage) bool { return len(value) == 0 })
	return parseObject(object)
}

// parseObject keeps documents as they are, byte for byte.
func parseObject(object map[string]json.RawMessage) (event.Event, error) {
	payload := object["payload"]
	delete(object, "payload")
	text, err := json.Marshal(object)
	if err != nil {
		return event.Event{}, err
	}
	var e event.Event
	err = json.Unmarshal(text, &e)
	e.Payload = payload
	return e, err
}

// parseRecord reads one record as RFC 4180 describes it, to the letter: the
// standard library's reader takes carriage returns out of cells.
func parseRecord(text string, comma byte) (record []string, rest string, err error) {
	for {
		var cell []byte
		if strings.HasPrefix(text, `"`) {
			cell, text, err = parseQuoted(text[1:])
			if err != nil {
				return nil, "", err
			}
		} else {
			end := strings.IndexAny(text, string([]byte{comma, '\n'}))
			if end < 0 {
				return nil, "", io.ErrUnexpectedEOF
			}
			cell, text = []byte(text[:end]), text[end:]
		}
		record = append(record, string(cell))
		switch {
		case text == "":
			return nil, "", io.ErrUnexpectedEOF
		case text[0] == '\n':
			return record, text[1:], nil
		case text[0] != comma:
			return nil, "", errors.New("no separator behind a cell")
		}
		text = text[1:]
	}
}

func parseQuoted(text string) (cell []byte, rest string, err error) {
	for {
		before, after, found := strings.Cut(text, `"`)
		if !found {
			return nil, "", io.ErrUnexpectedEOF
		}
		cell, text = append(cell, before...), after
		if !strings.HasPrefix(text, `"`) {
			return cell, text, nil
		}
		cell, text = append(cell, '"'), text[1:]
	}
}

// A reader takes an empty line for no record, so that an empty cell which has
// the line for itself is quoted.
func TestARecordOfOneEmptyCellIsRead(t *testing.T) {
	t.Parallel()
	events := []event.Event{{Reason: "a"}, {}, {Reason: "b"}, {}}
	want := [][]string{{""}, {"a"}, {""}, {"b"}, {""}}
	options := export.Options{Fields: []string{"reason"}, Labels: map[string]string{"reason": ""}}
	for comma, exporter := range map[rune]export.Exporter{',': export.CSV{Options: options}, '\t': export.TSV{Options: options}} {
		var text bytes.Buffer
		if err := exporter.Export(&text, all(events)); err != nil {
			t.Fatal(err)
		}
		reader := csv.NewReader(bytes.NewReader(text.Bytes()))
		reader.Comma = comma
		got, err := reader.ReadAll()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("with %q between cells: read %q, error %v, want %q", comma, got, err, want)
		}
		if wrote := text.String(); wrote != "\"\"\na\n\"\"\nb\n\"\"\n" {
			t.Errorf("with %q between cells: wrote %q", comma, wrote)
		}
	}
}

func TestGuard(t *testing.T) {
	t.Parallel()
	for _, cell := range []string{"=1", "+1", "-1", "@a", "\ta", "\ra", "\na", "＝1", "＋1", "－1", "＠a", "'a", "'"} {
		if got := export.Guard(cell); got != "'"+cell {
			t.Errorf("Guard(%q) = %q, want it behind an apostrophe", cell, got)
		}
	}
	for _, cell := range []string{"", "a", "1", " =1", "a=1", `"`, "{", "\xff", "漢"} {
		if got := export.Guard(cell); got != cell {
			t.Errorf("Guard(%q) = %q, want it as it is", cell, got)
		}
	}
}

func FuzzGuard(f *testing.F) {
	for _, cell := range []string{"", "=", "'", "''", "a'", "\xff"} {
		f.Add(cell)
	}
	f.Fuzz(func(t *testing.T, cell string) {
		if got := export.Unguard(export.Guard(cell)); got != cell {
			t.Errorf("Unguard(Guard(%q)) = %q", cell, got)
		}
	})
}

func TestRegistry(t *testing.T) {
	t.Parallel()
	names := export.Names()
	for _, name := range builtIn {
		if !slices.Contains(names, name) {
			t.Errorf("%s is not among %v", name, names)
		}
	}
	var problem *event.FieldError
	if _, err := export.Lookup("xml"); !errors.As(err, &problem) || !strings.Contains(err.Error(), "csv, json") {
		t.Errorf("Lookup of an unknown format: %v, want a FieldError that lists the known ones", err)
	}
	own := event.NewID() // the registry outlives the test
	export.Register(own, export.Format{MediaType: "text/plain", New: func(export.Options) export.Exporter { return ids{} }})
	for name, format := range map[string]export.Format{"": {New: newIDs}, "csv": {New: newIDs}, own: {New: newIDs}, "new": {}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Register(%q) does not panic", name)
				}
			}()
			export.Register(name, format)
		}()
	}
}
