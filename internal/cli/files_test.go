package cli_test

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

// changes leaves the events about the trail itself out.
var changes = event.Filter{Category: "model"}

func TestExport(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, kind testdb.Kind) {
		url, db := newDatabase(t, kind)
		fill(t, db, days()...)
		folder := t.TempDir()
		for _, format := range []string{"csv", "tsv", "json", "jsonl", "xlsx"} {
			done(t, url, "export", "--format="+format, "--output="+filepath.Join(folder, "all."+format), "--category=model")
			done(t, url, "export", "--output="+filepath.Join(folder, "guessed."+format), "--category=model")
			all, err := os.ReadFile(filepath.Join(folder, "all."+format))
			if err != nil || len(all) == 0 {
				t.Errorf("%s: %d bytes, error %v", format, len(all), err)
			}
			guessed, err := os.ReadFile(filepath.Join(folder, "guessed."+format))
			if err != nil || len(guessed) != len(all) {
				t.Errorf("%s by its name: %d bytes, error %v; want %d", format, len(guessed), err, len(all))
			}
		}
		var events []event.Event
		if err := json.Unmarshal([]byte(done(t, url, "export", "--format=json", "--category=model")), &events); err != nil {
			t.Fatal(err)
		}
		if want := stored(t, db, changes); !reflect.DeepEqual(events, want) {
			t.Errorf("exported %v, want %v", events, want)
		}
	})
}

// ids are what the first column of an export says.
func ids(t *testing.T, text string) []string {
	t.Helper()
	records, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, record := range records[1:] {
		ids = append(ids, record[0])
	}
	return ids
}

// The ancestor's words work as they are written there.
func TestDaysAreWhole(t *testing.T) {
	t.Parallel()
	url, db := newDatabase(t, testdb.SQLiteCgo)
	fill(t, db, days()...)
	for _, c := range []struct {
		flags []string
		want  []string
	}{
		{[]string{"--start-date=2024-01-03", "--end-date=2024-01-03"}, []string{"03T00", "03T12", "03T23"}},
		{[]string{"--start-date=2024-01-07"}, []string{"07T00", "07T12", "07T23"}},
		{[]string{"--end-date=2024-01-01"}, []string{"01T00", "01T12", "01T23"}},
		{[]string{"--start-date=2024-01-03", "--end-date=2024-01-03", "--time-zone=America/New_York"}, []string{"03T12", "03T23", "04T00"}},
		{[]string{"--start-date=2024-01-03", "--end-date=2024-01-03", "--time-zone=Pacific/Auckland"}, []string{"02T12", "02T23", "03T00"}},
		{[]string{"--start-date=2024-01-06", "--newest-first", "--limit=2", "--category=model"}, []string{"07T23", "07T12"}},
		{[]string{"--start-date=2025-01-01", "--category=model"}, nil},
	} {
		got := ids(t, done(t, url, append([]string{"export", "--format=csv", "--ignore-fields=payload", "--category=model"}, c.flags...)...))
		if !slices.Equal(got, c.want) {
			t.Errorf("export %v: %v, want %v", c.flags, got, c.want)
		}
	}
	shown := done(t, url, "export", "--fields=id,timestamp", "--time-zone=America/New_York", "--time-format=2006-01-02 15:04", "--id=03T00")
	if want := "id,timestamp\n03T00,2024-01-02 19:00\n"; shown != want {
		t.Errorf("exported %q, want %q", shown, want)
	}
}

// The clocks of Santiago go from 23:59:59 on the 5th to 01:00 on the 6th.
func TestDaysWithoutMidnight(t *testing.T) {
	t.Parallel()
	url, db := newDatabase(t, testdb.SQLiteCgo)
	for _, at := range []string{"06T02:30", "06T03:30", "06T04:30", "07T02:30", "07T03:30"} {
		moment, err := time.Parse("2006-01-02T15:04", "2026-09-"+at)
		if err != nil {
			t.Fatal(err)
		}
		fill(t, db, event.Event{ID: at, Category: "model", Action: "created", Timestamp: moment})
	}
	for _, c := range []struct {
		flags []string
		want  []string
	}{
		{[]string{"--end-date=2026-09-05"}, []string{"06T02:30", "06T03:30"}},
		{[]string{"--start-date=2026-09-06", "--end-date=2026-09-06"}, []string{"06T04:30", "07T02:30"}},
		{[]string{"--start-date=2026-09-06"}, []string{"06T04:30", "07T02:30", "07T03:30"}},
		{[]string{"--start-date=2026-09-07"}, []string{"07T03:30"}},
		{[]string{"--end-date=0001-01-01"}, nil}, // which is Go's word for no time
	} {
		args := append([]string{"export", "--format=csv", "--category=model", "--time-zone=America/Santiago"}, c.flags...)
		if got := ids(t, done(t, url, args...)); !slices.Equal(got, c.want) {
			t.Errorf("export %v: %v, want %v", c.flags, got, c.want)
		}
	}
	if got := ids(t, done(t, url, "export", "--format=csv", "--category=model", "--end-date=0001-01-01")); len(got) > 0 {
		t.Errorf("before the year 2 there are %v", got)
	}
}

// What is done to the trail is in the trail.
func TestWhatIsDoneToTheTrailIsRecorded(t *testing.T) {
	t.Parallel()
	url, db := newDatabase(t, testdb.SQLiteCgo)
	fill(t, db, days()...)
	done(t, url, "export", "--actor=actor-1", "--output="+filepath.Join(t.TempDir(), "trail.csv"))
	if got := call(t, url, "export", "--output="+filepath.Join(t.TempDir(), "no", "trail.csv")); got.code != 1 {
		t.Errorf("export to nowhere: exit code %d", got.code)
	}
	done(t, url, "clear", "--confirm", "--end-date=2024-01-02")
	var got []string
	for _, e := range stored(t, db, event.Filter{Category: event.CategoryAudit}) {
		line := e.Actor + " " + e.Action + " " + string(e.Outcome) + " " + string(e.Result)
		got = append(got, strings.TrimSpace(line))
	}
	want := []string{
		"tester exporting success", `tester exported success {"count":9}`,
		"tester exporting success", `tester exported failure {"count":0}`,
		"tester clearing success", `tester cleared success {"count":6}`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("recorded %q, want %q", got, want)
	}
	first := stored(t, db, event.Filter{Action: event.ActionExporting})[0]
	if !strings.Contains(string(first.Payload), `"actor":"actor-1"`) || !strings.Contains(string(first.Payload), "trail.csv") {
		t.Errorf("the payload is %s", first.Payload)
	}
}

func TestClear(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, kind testdb.Kind) {
		url, db := newDatabase(t, kind)
		fill(t, db, days()...)
		for _, args := range [][]string{{"clear"}, {"clear", "--end-date=2024-01-02"}} {
			got := call(t, url, args...)
			if n := map[int]string{1: "21", 2: "6"}[len(args)]; got.code != 1 || !strings.Contains(got.err, n+" events would be removed") {
				t.Errorf("%v: exit code %d, %s", args, got.code, got.err)
			}
		}
		if n := len(stored(t, db, event.Filter{})); n != 21 {
			t.Errorf("%d events are left, want all", n)
		}
		done(t, url, "clear", "--confirm", "--actor=actor-1", "--end-date=2024-01-04")
		if n := len(stored(t, db, changes)); n != 15 {
			t.Errorf("%d events are left, want 15", n)
		}
		done(t, url, "clear", "--confirm")
		var left []string
		for _, e := range stored(t, db, event.Filter{}) {
			left = append(left, e.Action)
		}
		if want := []string{event.ActionClearing, event.ActionCleared}; !slices.Equal(left, want) {
			t.Errorf("%q are left, want %q", left, want)
		}
	})
}

// What lies ahead stays, and is not counted.
func TestClearAnnouncesWhatItRemoves(t *testing.T) {
	t.Parallel()
	url, db := newDatabase(t, testdb.SQLiteCgo)
	ahead := event.Event{ID: "ahead", Category: "custom", Action: "planned", Timestamp: time.Now().Add(time.Hour)}
	fill(t, db, append(days(), ahead)...)
	if got := call(t, url, "clear"); !strings.Contains(got.err, "21 events would be removed") {
		t.Error(got.err)
	}
	if got := call(t, url, "clear", "--confirm"); got.code != 0 || !strings.Contains(got.err, "21 events removed") {
		t.Error(got.err)
	}
	if n := len(stored(t, db, event.Filter{Action: "planned"})); n != 1 {
		t.Errorf("%d events are left, want the one ahead", n)
	}
}

// No setting keeps it out of the trail.
func TestAClearLeavesATraceWhateverIsIgnored(t *testing.T) {
	url, db := newDatabase(t, testdb.SQLiteCgo)
	t.Setenv("EVENT_AUDIT_IGNORE_ACTIONS", "clearing,cleared")
	t.Setenv("EVENT_AUDIT_IGNORE_CATEGORIES", "audit")
	fill(t, db, days()...)
	done(t, url, "clear", "--confirm")
	var left []string
	for _, e := range stored(t, db, event.Filter{}) {
		left = append(left, e.Action)
	}
	if want := []string{event.ActionClearing, event.ActionCleared}; !slices.Equal(left, want) {
		t.Errorf("%q are left, want %q", left, want)
	}
	done(t, url, "migrate", "down", "100")
}

// What has not begun yet has nothing to remove: that is said first.
func TestClearOfTheFuture(t *testing.T) {
	t.Parallel()
	url, db := newDatabase(t, testdb.SQLiteCgo)
	fill(t, db, days()...)
	later := "--start-date=" + time.Now().UTC().AddDate(0, 0, 2).Format(time.DateOnly)
	for _, flags := range [][]string{{later, "--confirm"}, {later}, {later, "--end-date=9999-01-01", "--confirm"}} {
		got := call(t, url, append([]string{"clear"}, flags...)...)
		if says := "has not begun; only events until now are removed, so name an earlier day"; got.code != 2 || !strings.Contains(got.err, says) {
			t.Errorf("clear %v: exit code %d, %s; want 2 and %q", flags, got.code, got.err, says)
		}
	}
	today := "--start-date=" + time.Now().UTC().Format(time.DateOnly)
	if n := len(stored(t, db, event.Filter{})); n != len(days()) {
		t.Errorf("%d events are there, want %d", n, len(days()))
	}
	done(t, url, "clear", today, "--confirm")
}

func TestImport(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, kind testdb.Kind) {
		from, source := newDatabase(t, kind)
		fill(t, source, days()...)
		for _, format := range []string{"jsonl", "json"} {
			url, db := newDatabase(t, kind)
			file := filepath.Join(t.TempDir(), "trail."+format)
			done(t, from, "export", "--output="+file, "--category=model")
			done(t, url, "import", file)
			done(t, url, "import", file)
			got, want := stored(t, db, changes), stored(t, source, changes)
			for i := range got {
				got[i].Sequence = 0 // each database counts for itself
			}
			for i := range want {
				want[i].Sequence = 0
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s: imported %v, want %v", format, got, want)
			}
		}
	})
}

// A refused line does not keep the others out.
func TestImportOfWhatIsNoEvent(t *testing.T) {
	t.Parallel()
	url, db := newDatabase(t, testdb.SQLiteCgo)
	text := strings.Join([]string{
		`{"id":"1","category":"model","action":"created","timestamp":"2024-01-05 10:00:00.5","actor":null,"result":{"a":1},"payload":{}}`, // the ancestor's
		`{"id":"2","category":"model"`,
		``,
		`{"category":"model","action":"created","timestamp":"2024-01-05T10:00:00Z"}`,
		`{"id":"3","category":"model","action":"created","timestamp":"yesterday"}`,
		`{"id":"4","category":"model","action":"created","timestamp":"2024-01-05T10:00:00Z","colour":"red"}`,
		`{"id":"5","category":"","action":"created","timestamp":"2024-01-05T10:00:00Z"}`,
		`{"id":"6","category":"model","action":"created","timestamp":"2024-01-05T10:00:00Z"} {}`,
		`{"id":"7","category":"model","action":"created","timestamp":"2024-01-05T10:00:00+02:00"}`,
	}, "\n")
	got := callWith(t, text, "--database="+url, "import", "-")
	if got.code != 1 {
		t.Errorf("exit code %d", got.code)
	}
	for _, says := range []string{"line 2:", "line 4: id", "line 5: timestamp", `line 6: no event: json: unknown field "colour"`, "line 7: category", "line 8:", "2 events read, 6 lines refused"} {
		if !strings.Contains(got.err, says) {
			t.Errorf("it does not say %q: %s", says, got.err)
		}
	}
	var imported []string
	for _, e := range stored(t, db, changes) {
		imported = append(imported, e.ID+" "+e.Timestamp.Format(time.RFC3339Nano))
	}
	if want := []string{"7 2024-01-05T08:00:00Z", "1 2024-01-05T10:00:00.5Z"}; !slices.Equal(imported, want) {
		t.Errorf("imported %q, want %q", imported, want)
	}
	if got := callWith(t, `[{"id":"8","category":"model","action":"created","timestamp":"2024-01-05T10:00:00Z"}, {`, "--database="+url, "import", "-"); got.code != 1 {
		t.Errorf("half an array: exit code %d", got.code)
	}
	if got := callWith(t, "", "--database="+url, "import", filepath.Join(t.TempDir(), "none.jsonl")); got.code != 1 {
		t.Errorf("no file: exit code %d", got.code)
	}
	if got := callWith(t, " \n", "--database="+url, "import", "-"); got.code != 0 || !strings.Contains(got.err, "0 events read") {
		t.Errorf("nothing: exit code %d, %s", got.code, got.err)
	}
}
