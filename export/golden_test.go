package export_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"iter"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/export"
)

var update = flag.Bool("update", false, "write the golden files anew")

// builtIn are the formats of the package itself.
var builtIn = []string{"csv", "tsv", "json", "jsonl"}

// sample are three events: one with every field, one with hardly any, and one
// that would run in a spreadsheet.
func sample() []event.Event {
	noon := time.Date(2026, time.March, 1, 12, 0, 0, 123_456_000, time.UTC)
	return []event.Event{
		{
			ID: "0195511e-1000-7000-8000-000000000001", Category: "model", Action: "changed", Actor: "olga",
			ActionObject: "Order", ActionObjectID: `["a,b",2]`, TargetType: "Customer", TargetID: "7", Timestamp: noon,
			Result:  json.RawMessage(`{"old": {"cents": 900}, "new": {"cents": 990.10}}`),
			Payload: json.RawMessage(`{"note": "50 % <off> & \"more\", 漢字"}`),
			Outcome: event.OutcomeFailure, Error: "line one\nline two", TransactionID: "tx-1", RequestID: "req-1",
			TraceID: "4bf92f3577b34da6a3ce929d0e0e4736", Tenant: "north", Reason: "customer called", OnBehalfOf: "ben",
			IPAddress: "2001:db8::1", UserAgent: "Mozilla/5.0 (X11)", Meta: map[string]string{"b": "2", "a": "1"},
			SchemaVersion: 1, Sequence: 42, BeforeUnknown: true,
		},
		{ID: "ancestor", Category: "api", Action: "package_create", Timestamp: noon.Add(time.Hour), Outcome: event.OutcomeSuccess},
		{
			ID: "hostile", Category: "custom", Action: "=1+1", Actor: "+44 20 7946", ActionObject: "-1", ActionObjectID: "@SUM(A1)",
			TargetType: "\tx", TargetID: "\rx", Timestamp: noon.Add(2 * time.Hour), Payload: json.RawMessage(`-5`),
			Outcome: event.OutcomeSuccess, Error: "＝1", Reason: "'quoted", UserAgent: `=HYPERLINK("http://x","y")`, SchemaVersion: 1,
		},
	}
}

func all(events []event.Event) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		for _, e := range events {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	chosen := export.Options{
		Fields:     []string{"timestamp", "actor", "result", "meta", "sequence", "before_unknown"},
		Location:   berlin,
		TimeFormat: "02.01.2006 15:04",
	}
	labelled := chosen
	labelled.Labels = map[string]string{"actor": "Who", "timestamp": "=When"}
	for file, exporter := range map[string]export.Exporter{
		"all.csv":          export.CSV{},
		"all.tsv":          export.TSV{},
		"all.json":         export.JSON{},
		"all.jsonl":        export.JSONLines{},
		"chosen.csv":       export.CSV{Options: labelled},
		"chosen.jsonl":     export.JSONLines{Options: chosen},
		"raw.tsv":          export.TSV{Options: export.Options{KeepFormulas: true}},
		"no-documents.csv": export.CSV{Options: export.Options{IgnoreFields: []string{"result", "payload"}}},
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			compareGolden(t, filepath.Join("testdata", file), exporter, sample())
		})
	}
	for file, exporter := range map[string]export.Exporter{
		"empty.csv": export.CSV{}, "empty.json": export.JSON{}, "empty.jsonl": export.JSONLines{},
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			compareGolden(t, filepath.Join("testdata", file), exporter, nil)
		})
	}
}

func compareGolden(t *testing.T, file string, exporter export.Exporter, events []event.Event) {
	t.Helper()
	var got bytes.Buffer
	if err := exporter.Export(&got, all(events)); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%s differs from what is exported now; look at the difference and run go test -update ./export:\n%s", file, got.Bytes())
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	for field, options := range map[string]export.Options{
		"fields":        {Fields: []string{"actor", "who"}},
		"ignore_fields": {IgnoreFields: []string{"Payload"}},
		"labels":        {Labels: map[string]string{"who": "Who"}},
		"time_format":   {TimeFormat: "YYYY-MM-DD"},
	} {
		for _, name := range builtIn {
			format, err := export.Lookup(name)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			var problem *event.FieldError
			if err := format.New(options).Export(&out, all(sample())); !errors.As(err, &problem) || problem.Field != field {
				t.Errorf("%s with a wrong %s: error %v, want a FieldError that names it", name, field, err)
			}
			if out.Len() > 0 {
				t.Errorf("%s with a wrong %s writes %q", name, field, out.String())
			}
		}
	}
	for _, options := range []export.Options{
		{Fields: []string{"actor", "actor"}},
		{Fields: []string{"actor"}, IgnoreFields: []string{"actor"}},
	} {
		if _, err := options.Columns(); !errors.Is(err, event.ErrInvalid) {
			t.Errorf("Columns of %+v: error %v, want one that wraps event.ErrInvalid", options, err)
		}
	}
}

// Fields lists every field that an event has in JSON.
func TestFieldsAreThoseOfEvents(t *testing.T) {
	t.Parallel()
	var object map[string]json.RawMessage
	if err := json.Unmarshal(event.JSON(sample()[0]), &object); err != nil {
		t.Fatal(err)
	}
	for _, name := range export.Fields() {
		delete(object, name)
	}
	for name := range object {
		t.Errorf("field %q of an event is not exported", name)
	}
}

func TestErrorOfTheEvents(t *testing.T) {
	t.Parallel()
	broken := errors.New("the database went away")
	events := func(yield func(event.Event, error) bool) {
		for _, e := range sample() {
			if !yield(e, nil) {
				return
			}
		}
		yield(event.Event{}, broken)
	}
	for _, name := range builtIn {
		format, err := export.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := format.New(export.Options{}).Export(&bytes.Buffer{}, events); !errors.Is(err, broken) {
			t.Errorf("%s: error %v, want that of the events", name, err)
		}
	}
}

// full is a disk without room.
type full struct{}

var errFull = errors.New("no space left")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestErrorOfTheWriter(t *testing.T) {
	t.Parallel()
	for _, name := range builtIn {
		format, err := export.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, events := range [][]event.Event{nil, sample()} {
			// JSON Lines of no events write nothing, which cannot fail.
			if err := format.New(export.Options{}).Export(full{}, all(events)); !errors.Is(err, errFull) && (events != nil || name != "jsonl") {
				t.Errorf("%s of %d events: error %v, want that of the writer", name, len(events), err)
			}
		}
	}
}
