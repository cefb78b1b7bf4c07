package cli_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

// line is an event with the id, as a line of a file.
func line(id string) string {
	return fmt.Sprintf(`{"id":%q,"category":"model","action":"created","timestamp":"2024-01-05T10:00:00Z"}`, id)
}

// imported imports the text into an empty trail, and returns the ids of what is
// there then.
func imported(t *testing.T, text string) (got outcome, ids string) {
	t.Helper()
	url, db := newDatabase(t, testdb.SQLiteCgo)
	got = callWith(t, text, "--database="+url, "import", "-")
	var found []string
	for _, e := range stored(t, db, changes) {
		found = append(found, e.ID)
	}
	slices.Sort(found)
	ended := stored(t, db, event.Filter{Action: event.ActionImported})
	if want := fmt.Sprintf(`{"count":%d}`, len(found)); len(ended) != 1 || string(ended[0].Result) != want {
		t.Errorf("the trail says %v, want %s", ended, want)
	}
	if want := fmt.Sprintf("%d events read", len(found)); !strings.Contains(got.err, want) {
		t.Errorf("it does not say %q: %s", want, got.err)
	}
	return got, strings.Join(found, " ")
}

// What is behind an array is not passed over in silence.
func TestImportOfMoreThanAnArray(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, says string }{
		{"[" + line("a") + "]\n[" + line("b") + "]\n", "line 2: there is more behind the array"},
		{"[\n" + line("a") + "\n]\n\n" + line("b"), "line 5: there is more behind the array"},
		{"[" + line("a") + "]]", "line 1: there is more behind the array"},
		{"[" + line("a") + "] \n\t\r\n", ""},
	} {
		got, ids := imported(t, c.text)
		if failed := c.says != ""; ids != "a" || (got.code == 1) != failed || !strings.Contains(got.err, c.says) {
			t.Errorf("%q: %q are imported, exit code %d, %s; want %q", c.text, ids, got.code, got.err, c.says)
		}
	}
}

// What comes before an error is imported and counted, as it is line by line.
func TestImportOfHalfAFile(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, says string }{
		{"[" + line("a") + ",\n" + line("b")[:20], "line 2: the file ends within the array"},
		{"[" + line("a") + ",\n", "line 2: the file ends within the array"},
		{"[" + line("a") + "\n", "line 2: the file ends within the array"},
		{"[" + line("a") + ",\n{no},\n" + line("b") + "]", "line 2: invalid character"},
		{"[" + line("a") + "\n" + line("b") + "]", "line 2: expected comma"},
		{"[" + line("a") + ",]", "line 1: invalid character"},
		{"[" + line("a") + "}", "line 1: invalid character"},
		{line("a") + "\n" + line("b")[:20], "line 2: no event"},
	} {
		got, ids := imported(t, c.text)
		if ids != "a" || got.code != 1 || !strings.Contains(got.err, c.says) {
			t.Errorf("%q: %q are imported, exit code %d, %s; want %q", c.text, ids, got.code, got.err, c.says)
		}
	}
}

// The lines of a long array are counted, too.
func TestImportOfALongArray(t *testing.T) {
	t.Parallel()
	url, _ := newDatabase(t, testdb.SQLiteCgo)
	var text strings.Builder
	for n := range 3000 {
		fmt.Fprintf(&text, "%c%s\n", "[,"[min(n, 1)], line(fmt.Sprint(n)))
	}
	for _, c := range []struct{ end, says string }{
		{"]", "3000 events read, 0 lines refused"},
		{"]\n\n[]", "line 3003: there is more behind the array"},
		{",\n{no}]", "line 3002: invalid character"},
		{",\n{\"id\":\"x\"}]", "line 3002, event 3001: "},
		{",\n{\"id\"", "line 3002: the file ends"},
	} {
		if got := callWith(t, text.String()+c.end, "--database="+url, "import", "-"); !strings.Contains(got.err, c.says) {
			t.Errorf("%q at the end: %s; want %q", c.end, got.err, c.says)
		}
	}
}

// Files from Windows begin with a mark; lines are counted from the first, with
// the empty ones.
func TestImportFromTheFirstLine(t *testing.T) {
	t.Parallel()
	const mark, bad = "\ufeff", `{"bad":1}`
	for _, c := range []struct{ text, ids, says string }{
		{mark + line("a") + "\n" + line("b"), "a b", "0 lines refused"},
		{mark + "[" + line("a") + "]", "a", "0 lines refused"},
		{mark, "", "0 lines refused"},
		{"", "", "0 lines refused"},
		{"\n\n\n" + bad, "", "line 4: "},
		{"\n \r\n" + line("a") + "\n" + bad, "a", "line 4: "},
		{mark + "\n\n[" + bad + ",\n" + line("a") + "]", "a", "line 3, event 1: "},
		{"\n[" + line("a") + "]\n]", "a", "line 3: there is more"},
		{line("a") + "\n" + mark + line("b"), "a", "line 2: "},
		{"\xef\xbb" + line("a"), "", "line 1: "},
	} {
		got, ids := imported(t, c.text)
		if ids != c.ids || !strings.Contains(got.err, c.says) {
			t.Errorf("%q: %q are imported, %s; want %q and %q", c.text, ids, got.err, c.ids, c.says)
		}
	}
}

// with is a line with one more field.
func with(field string) string { return strings.TrimSuffix(line("a"), "}") + "," + field + "}" }

// What an import would have to change is refused.
func TestImportChangesNothing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, says string }{
		{with("\"actor\":\"a\xff\""), `line 1: actor "a\xff" is not valid UTF-8`},
		{with("\"payload\":{\"k\":\"\xff\"}"), `line 1: payload`},
		{with(`"actor":"\ud800"`), `line 1: actor "\\ud800" has half of a character`},
		{with(`"actor":"\udc00\ud800"`), "line 1: actor"},
		{with(`"actor":"\ud800\u0041"`), "line 1: actor"},
		{with(`"actor":"x","actor":"y"`), "line 1: actor is there twice"},
		{with(`"actor":"x","\u0061ctor":"y"`), "line 1: actor is there twice"},
		{with(`"Actor":"x"`), `line 1: field "Actor"`},
		{with(`"rea\u017fon":"x"`), "line 1: field"},
		{with(`"outcome":null`), `line 1: outcome "null"`},
		{with(`"tenant":null`), `line 1: tenant "null"`},
		{with(`"meta":null`), `line 1: meta "null"`},
		{with(`"sequence":null`), `line 1: sequence "null"`},
		{with(`"meta":{"k":null}`), `line 1: meta.k "null"`},
		{with(`"meta":{"k":"1","k":"2"}`), "line 1: meta.k is there twice"},
		{with(`"meta":{"k":"\ud800"}`), "line 1: meta.k"},
		{with(`"meta":{"\ud800":"v"}`), "line 1: meta"},
		{with("\"meta\":{\"\xff\":\"v\"}"), "line 1: meta"},
		{strings.ReplaceAll(line("a"), `"model"`, "null"), "line 1: category"},
		{strings.ReplaceAll(line("a"), `"a"`, "null"), "line 1: id"},
		{strings.ReplaceAll(line("a"), "2024-01-05T10", "0001-01-01T00"), `line 1: timestamp "0001-01-01T00:00:00Z"`},
		{"[" + with(`"tenant":null`) + "]", `line 1, event 1: tenant "null"`},
		{"null", "line 1: no event"},
		{`"a"`, "line 1: no event"},
	} {
		got, ids := imported(t, c.text)
		if ids != "" || got.code != 1 || !strings.Contains(got.err, c.says) {
			t.Errorf("%s: %q are imported, exit code %d, %s; want %q", c.text, ids, got.code, got.err, c.says)
		}
	}
}

// What it can keep it keeps, documents byte for byte.
func TestImportKeeps(t *testing.T) {
	t.Parallel()
	url, db := newDatabase(t, testdb.SQLiteCgo)
	const document = `{"b": 1.0, "a":"\ud800", "a":null,  "big":12345678901234567890}`
	text := with(`"actor":"\ud83d\ude00 \ufffd \u005cud800 \\ud800","meta":{"k":"v","K":""},"payload":` + document + `,"target_id":null`)
	if got := callWith(t, text, "--database="+url, "import", "-"); got.code != 0 {
		t.Fatal(got.err)
	}
	e := stored(t, db, changes)[0]
	if want := "😀 \ufffd \\ud800 \\ud800"; e.Actor != want || string(e.Payload) != document || len(e.Meta) != 2 {
		t.Errorf("imported %q, %s, %q", e.Actor, e.Payload, e.Meta)
	}
}

// An event that the database has no room for keeps no other one out.
func TestImportOfWhatTheDatabaseRefuses(t *testing.T) {
	t.Parallel()
	url, db := newDatabase(t, testdb.MariaDB)
	line := func(id, payload string) string {
		return `{"id":"` + id + `","category":"c","action":"a","timestamp":"2024-01-01T00:00:00Z","payload":"` + payload + `"}` + "\n"
	}
	all := line("1", "x") + line("2", strings.Repeat("x", 17<<20)) + line("3", "x") // its max_allowed_packet is 16 MiB
	got := callWith(t, all, "--database="+url, "import", "-")
	if got.code != 1 || !strings.Contains(got.err, "line 2: ") || strings.Contains(got.err, "line 1") || !strings.Contains(got.err, "2 events read, 1 lines refused") {
		t.Errorf("exit code %d, %.500s", got.code, got.err)
	}
	if n := len(stored(t, db, event.Filter{Category: "c"})); n != 2 {
		t.Errorf("%d events are stored, want 2", n)
	}
	got = callWith(t, line("4", strings.Repeat("x", 17<<20)), "--database="+url, "import", "-")
	if got.code != 1 || !strings.Contains(got.err, "line 1: ") || !strings.Contains(got.err, "0 events read, 1 lines refused") {
		t.Errorf("exit code %d, %.500s", got.code, got.err)
	}
}
