package xlsx_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"iter"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/export"
	"github.com/eventaudit/eventaudit/export/xlsx"
)

var noon = time.Date(2026, time.March, 1, 12, 0, 0, 123_456_000, time.UTC)

func all(events ...event.Event) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		for _, e := range events {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// exported exports the events and opens the workbook.
func exported(t *testing.T, x xlsx.Exporter, events iter.Seq2[event.Event, error]) *excelize.File {
	t.Helper()
	var out bytes.Buffer
	if err := x.Export(&out, events); err != nil {
		t.Fatal(err)
	}
	file, err := excelize.OpenReader(&out)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	})
	return file
}

func rows(t *testing.T, file *excelize.File, sheet string) [][]string {
	t.Helper()
	rows, err := file.GetRows(sheet)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// The last moment of a day is of that day.
func TestDatesAreNotRounded(t *testing.T) {
	t.Parallel()
	last := time.Date(9999, time.December, 31, 23, 59, 59, 999_999_000, time.UTC)
	for _, at := range []time.Time{last, time.Date(2026, time.March, 1, 23, 59, 59, 999_600_000, time.UTC), noon} {
		file := exported(t, xlsx.Exporter{}, all(event.Event{ID: "1", Category: "c", Action: "a", Timestamp: at}))
		raw, err := file.GetRows("Events", excelize.Options{RawCellValue: true})
		if err != nil {
			t.Fatal(err)
		}
		days, err := strconv.ParseFloat(raw[1][slices.Index(raw[0], "timestamp")], 64)
		if err != nil {
			t.Fatal(err)
		}
		got := time.UnixMilli(int64(math.Round((days - 25569) * 24 * 60 * 60 * 1000))).UTC() // 25569 is 1970-01-01
		if want := at.Truncate(time.Millisecond); !got.Equal(want) {
			t.Errorf("%v is %v, want %v", at, got, want)
		}
	}
}

func TestCells(t *testing.T) {
	t.Parallel()
	e := event.Event{
		ID: "1", Category: "custom", Action: "=1+1", Actor: "+44", ActionObject: " spaces ", ActionObjectID: "0012345678901234567890",
		TargetType: "a\tb\nc", TargetID: "_x000D_", Timestamp: noon, Payload: json.RawMessage(`{"note": "<&>\"'"}`),
		Result: json.RawMessage(`12345678901234567890.10`), Outcome: event.OutcomeSuccess, Error: "漢字 😀", Reason: "a\x00b",
		Meta: map[string]string{"k": "v"}, SchemaVersion: 1, Sequence: 1 << 60,
	}
	file := exported(t, xlsx.Exporter{}, all(e))
	got := rows(t, file, "Events")
	if len(got) != 2 || strings.Join(got[0], " ") != strings.Join(export.Fields(), " ") {
		t.Fatalf("rows are %q", got)
	}
	want := map[string]string{
		"action": "'=1+1", "actor": "'+44", "action_object": " spaces ", "action_object_id": "0012345678901234567890",
		"target_type": "a\tb\nc", "target_id": "_x000D_",
		"payload": `{"note":"<&>\"'"}`, "result": "12345678901234567890.10", "error": "漢字 😀", "reason": "a\uFFFDb",
		"meta": `{"k":"v"}`, "sequence": "1152921504606846976", "before_unknown": "false", "tenant": "",
	}
	for i, name := range got[0] {
		if value, ok := want[name]; ok && got[1][i] != value {
			t.Errorf("%s is %q, want %q", name, got[1][i], value)
		}
		cell, err := excelize.CoordinatesToCellName(i+1, 2)
		if err != nil {
			t.Fatal(err)
		}
		formula, err := file.GetCellFormula("Events", cell)
		if err != nil || formula != "" {
			t.Errorf("%s is the formula %q (error %v)", name, formula, err)
		}
	}
}

func TestTimestampsAreDates(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	early := event.Event{ID: "early", Timestamp: time.Date(1899, time.December, 31, 1, 2, 3, 4000, time.UTC)}
	late := event.Event{ID: "late", Timestamp: time.Date(9999, time.December, 31, 23, 59, 59, 999_999_000, time.UTC)}
	options := export.Options{Fields: []string{"timestamp"}, Location: berlin}
	file := exported(t, xlsx.Exporter{Options: options}, all(event.Event{ID: "1", Timestamp: noon}, early))
	kind, err := file.GetCellType("Events", "A2")
	if err != nil || kind != excelize.CellTypeUnset { // a number
		t.Errorf("the cell has type %v (error %v), want a number", kind, err)
	}
	number, err := file.GetCellValue("Events", "A2", excelize.Options{RawCellValue: true})
	if err != nil {
		t.Fatal(err)
	}
	days, err := strconv.ParseFloat(number, 64)
	if err != nil {
		t.Fatal(err)
	}
	shown := time.Date(1899, time.December, 30, 0, 0, 0, 0, time.UTC).Add(time.Duration(days * 24 * float64(time.Hour)))
	if want := time.Date(2026, time.March, 1, 13, 0, 0, 123_456_000, time.UTC); shown.Sub(want).Abs() > time.Millisecond {
		t.Errorf("the cell shows %v, want the time in Berlin, %v", shown, want)
	}
	if got := rows(t, file, "Events")[2][0]; got != "1899-12-31T02:02:03.000004+01:00" {
		t.Errorf("what is too early for a date is %q", got)
	}
	options = export.Options{Fields: []string{"timestamp"}, TimeFormat: time.RFC1123}
	file = exported(t, xlsx.Exporter{Options: options}, all(event.Event{ID: "1", Timestamp: noon}))
	if got := rows(t, file, "Events")[1][0]; got != noon.Format(time.RFC1123) {
		t.Errorf("with a time format the cell is %q", got)
	}
	file = exported(t, xlsx.Exporter{}, all(late))
	if got := rows(t, file, "Events")[1][8]; !strings.HasPrefix(got, "9999-12-31") && !strings.HasPrefix(got, "10000-01-01") {
		t.Errorf("the last moment is %q", got)
	}
}

func TestHeaderStaysInView(t *testing.T) {
	t.Parallel()
	file := exported(t, xlsx.Exporter{Options: export.Options{Labels: map[string]string{"actor": "=Who"}}}, all())
	panes, err := file.GetPanes("Events")
	if err != nil || !panes.Freeze || panes.YSplit != 1 {
		t.Errorf("panes are %+v (error %v), want the first row frozen", panes, err)
	}
	if got := rows(t, file, "Events"); len(got) != 1 || got[0][3] != "'=Who" {
		t.Errorf("rows are %q", got)
	}
	widths := map[string]float64{"A": 38, "I": 24, "J": 60}
	for column, want := range widths {
		if got, err := file.GetColWidth("Events", column); err != nil || got != want {
			t.Errorf("column %s is %v wide (error %v), want %v", column, got, err, want)
		}
	}
}

// The elements that say how wide columns are come in the order of the columns,
// which the order of the calls to excelize decides.
func TestColumnsAscend(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := (xlsx.Exporter{}).Export(&out, all()); err != nil {
		t.Fatal(err)
	}
	archive, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	sheet, err := fs.ReadFile(archive, "xl/worksheets/sheet1.xml")
	if err != nil {
		t.Fatal(err)
	}
	var columns []int
	for _, found := range regexp.MustCompile(`<col min="(\d+)"`).FindAllSubmatch(sheet, -1) {
		n, err := strconv.Atoi(string(found[1]))
		if err != nil {
			t.Fatal(err)
		}
		columns = append(columns, n)
	}
	if len(columns) != len(export.Fields()) || !slices.IsSorted(columns) {
		t.Errorf("columns are described in the order %v", columns)
	}
}

func TestLongCells(t *testing.T) {
	t.Parallel()
	const limit = 32_767
	fits, long := strings.Repeat("a", limit), strings.Repeat("a", limit+1)
	emoji, pairs := strings.Repeat("😀", limit/2), strings.Repeat("😀", limit/2+1) // two UTF-16 units each
	file := exported(t, xlsx.Exporter{Options: export.Options{Fields: []string{"reason", "error", "actor", "tenant"}}},
		all(event.Event{ID: "1", Reason: fits, Error: long, Actor: emoji, Tenant: pairs}))
	got := rows(t, file, "Events")[1]
	mark := "… [cut]"
	for i, want := range []string{fits, long[:limit-7] + mark, emoji, strings.Repeat("😀", (limit-7)/2) + mark} {
		if got[i] != want {
			t.Errorf("cell %d has %d bytes and ends in %q, want %d and %q", i, len(got[i]), tail(got[i]), len(want), tail(want))
		}
	}
}

func tail(text string) string { return text[max(0, len(text)-20):] }

func TestErrors(t *testing.T) {
	t.Parallel()
	broken := errors.New("the database went away")
	err := xlsx.Exporter{}.Export(io.Discard, func(yield func(event.Event, error) bool) { yield(event.Event{}, broken) })
	if !errors.Is(err, broken) {
		t.Errorf("error %v, want that of the events", err)
	}
	if err := (xlsx.Exporter{}).Export(full{}, all()); !errors.Is(err, errFull) {
		t.Errorf("error %v, want that of the writer", err)
	}
	var problem *event.FieldError
	if err := (xlsx.Exporter{Options: export.Options{Fields: []string{"who"}}}).Export(full{}, all()); !errors.As(err, &problem) {
		t.Errorf("error %v, want a FieldError", err)
	}
}

var errFull = errors.New("no space left")

// full is a disk without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestRegistered(t *testing.T) {
	t.Parallel()
	format, err := export.Lookup("xlsx")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := format.New(export.Options{}).(xlsx.Exporter); !ok {
		t.Errorf("the format makes a %T", format.New(export.Options{}))
	}
}

// Nothing is left in the temporary folder.
func TestTemporaryFiles(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	events := func(yield func(event.Event, error) bool) {
		e := event.Event{ID: "1", Reason: strings.Repeat("a", 30_000)}
		for range 1000 { // more than excelize keeps in memory
			if !yield(e, nil) {
				return
			}
		}
	}
	var out bytes.Buffer
	if err := (xlsx.Exporter{}).Export(&out, events); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(folder)
	if err != nil || len(left) > 0 {
		t.Errorf("%v is left in the temporary folder (error %v)", left, err)
	}
}
