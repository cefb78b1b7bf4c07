package admin

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/eventaudit/eventaudit/event"
)

var (
	berlin = time.FixedZone("Berlin", 3600)
	today  = time.Date(2026, 3, 2, 13, 30, 0, 0, berlin)
)

func TestAnAddressIsRead(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		address string
		want    event.Filter
		size    int
	}{
		{"", event.Filter{}, 50},
		{"actor=olga&action_object=Order&outcome=denied&limit=25", event.Filter{Actor: "olga", ActionObject: "Order", Outcome: event.OutcomeDenied}, 25},
		{"actor=+olga+&action_object_id=+&reason=%0A&tenant=", event.Filter{Actor: " olga ", ActionObjectID: " ", Reason: "\n"}, 50},
		{"from=+2026-03-01+&limit=+25+&to=+&q=+", event.Filter{From: time.Date(2026, 3, 1, 0, 0, 0, 0, berlin)}, 25},
		{"from=2026-03-01&to=2026-03-02T10:15", event.Filter{From: time.Date(2026, 3, 1, 0, 0, 0, 0, berlin), To: time.Date(2026, 3, 2, 10, 15, 0, 0, berlin)}, 50},
		{"from=2026-03-01T10:15:30.123456Z", event.Filter{From: time.Date(2026, 3, 1, 10, 15, 30, 123456000, time.UTC)}, 50},
		{"range=today", event.Filter{From: time.Date(2026, 3, 2, 0, 0, 0, 0, berlin)}, 50},
		{"range=1h&actor=", event.Filter{From: today.Add(-time.Hour)}, 50},
		{"range=7d&from=2026-01-01", event.Filter{From: time.Date(2026, 1, 1, 0, 0, 0, 0, berlin)}, 50},
	} {
		values, err := url.ParseQuery(c.address)
		if err != nil {
			t.Fatal(err)
		}
		q, err := parseQuery(values, today)
		if err != nil || q.size != c.size {
			t.Errorf("%s: size %d, error %v", c.address, q.size, err)
		}
		if diff := cmp.Diff(c.want, q.filter); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.address, diff)
		}
	}
}

// The clocks of Santiago went from 23:59:59 to 01:00, so that the day had no
// midnight, and began an hour later.
func TestADayBeginsWhereItsMidnightWasLeftOut(t *testing.T) {
	t.Parallel()
	santiago, err := time.LoadLocation("America/Santiago")
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Date(2026, 9, 6, 4, 0, 0, 0, time.UTC)
	for _, address := range []string{
		"from=2026-09-06", "from=2026-09-06T00:00", "from=2026-09-06+00:00:00", "to=2026-09-06", "to=2026-09-06T00:00:00", "range=today",
	} {
		values, err := url.ParseQuery(address)
		if err != nil {
			t.Fatal(err)
		}
		q, err := parseQuery(values, time.Date(2026, 9, 6, 13, 30, 0, 0, santiago))
		if err != nil {
			t.Fatal(err)
		}
		if got := later(q.filter.From, q.filter.To); !got.Equal(begin) {
			t.Errorf("%s asks for %v, want %v", address, got.UTC(), begin)
		}
	}
}

// What is pasted into the search for ids comes with blanks, and no link leads
// there.
func TestBlanksAroundASearchAreNoPartOfIt(t *testing.T) {
	t.Parallel()
	q, err := parseQuery(url.Values{"q": {" 42\n"}}, today)
	if err != nil || q.text != "42" {
		t.Errorf("it searches %q, error %v", q.text, err)
	}
}

// Blanks that were typed by accident are seen in what is asked for.
func TestChipsShowBlanks(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{"bob": "bob", " bob": `" bob"`, "bob ": `"bob "`, " ": `" "`, "a b": "a b"} {
		q, err := parseQuery(url.Values{"actor": {value}}, today)
		if err != nil {
			t.Fatal(err)
		}
		if chips := q.chips(berlin); len(chips) != 1 || chips[0].Value != want {
			t.Errorf("actor %q is shown as %+v, want %s", value, chips, want)
		}
	}
}

func TestWhatIsWrongWithAnAddressIsSaid(t *testing.T) {
	t.Parallel()
	for address, fields := range map[string][]string{
		"limit=0&from=x&to=y&range=2h": {"limit", "from", "to", "range"},
		"limit=201":                    {"limit"},
		"payload=x":                    {"payload"},
		"after=x":                      {"after"},
		"before=x":                     {"after"},
		"outcome=odd":                  {"outcome"},
		"outcome=+denied":              {"outcome"},
		"from=2026-02-01&to=2026-01-01": {
			"from",
		},
		"actor=a&actor=b":                       {"actor"},
		"actor=" + strings.Repeat("a", 2001):    {"actor"},
		"q=" + strings.Repeat("a", 3000):        {"q"},
		"actor=%ff":                             {"actor"},
		"from=2026-01-01T00:00:00%2B99:99":      {"from"},
		"to=99999-01-01":                        {"to"},
		"to=0001-01-01T00:00:00Z":               {"to"}, // which would be none
		"from=0001-01-01T00:00:00Z":             {"from"},
		strings.Repeat("no", 400) + "=a&limit=": {"nono"},
	} {
		values, err := url.ParseQuery(address)
		if err != nil {
			t.Fatal(err)
		}
		_, err = parseQuery(values, today)
		for _, field := range fields {
			if err == nil || !strings.Contains(err.Error(), field) {
				t.Errorf("%.60s: %v", address, err)
			}
		}
	}
}

// What an address asks for survives being written as an address again.
func TestAnAddressGoesThereAndBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		values := url.Values{}
		for _, name := range append(event.FilterFields(), paramText) {
			if name != "outcome" && rapid.Bool().Draw(t, name+"?") {
				values.Set(name, rapid.String().Draw(t, name))
			}
		}
		if rapid.Bool().Draw(t, "from?") {
			values.Set(paramFrom, time.UnixMicro(rapid.Int64Range(0, 4e15).Draw(t, "from")).UTC().Format(time.RFC3339Nano))
		}
		values.Set(paramSize, rapid.SampledFrom([]string{"1", "25", "50", "200"}).Draw(t, "size"))
		q, err := parseQuery(values, today)
		if err != nil {
			t.Skip("not valid")
		}
		again, err := parseQuery(q.narrowing(), today)
		if err != nil {
			t.Fatal(err)
		}
		if !again.filter.From.Equal(q.filter.From) {
			t.Fatalf("from %v became %v", q.filter.From, again.filter.From)
		}
		again.filter.From = q.filter.From
		if again.filter != q.filter || again.text != q.text || again.size != q.size {
			t.Fatalf("%+v became %+v", q, again)
		}
	})
}

func FuzzQuery(f *testing.F) {
	f.Add("actor=olga&from=2026-03-01&limit=25&range=today")
	f.Add("after=AQAF&before=x&oldest=1&q=%ff")
	f.Fuzz(func(t *testing.T, address string) {
		values, err := url.ParseQuery(address)
		if err != nil {
			return
		}
		q, err := parseQuery(values, today)
		if err != nil {
			return
		}
		if q.size < 1 || q.size > maxSize {
			t.Errorf("a page has %d events", q.size)
		}
		f := q.filter
		for _, f.After = range []event.Cursor{q.after, q.before} {
			if err := f.Validate(); err != nil {
				t.Errorf("what was accepted is not valid: %v", err)
			}
		}
		again, err := parseQuery(q.narrowing(), today)
		if err != nil || again.narrowing().Encode() != q.narrowing().Encode() {
			t.Errorf("%v became %v, error %v", q.narrowing(), again.narrowing(), err)
		}
	})
}

func TestBarsCoverTheTimeInNoMoreThanThereIsRoomFor(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		from := time.UnixMicro(rapid.Int64Range(-62135596800e6, 253402300799e6).Draw(t, "from")).UTC()
		to := from.Add(time.Duration(rapid.Int64Range(1, 1<<62).Draw(t, "length")))
		spans := spansOf(from, to)
		if len(spans) < minBars || len(spans) > maxBars {
			t.Fatalf("%d bars", len(spans))
		}
		last := spans[len(spans)-1]
		if !last.From.Before(to) || last.To.Before(to) {
			t.Fatalf("the last bar %v does not hold the end %v", last, to)
		}
		if to.Sub(from) < 40*365*24*time.Hour && spans[0].From.After(from) {
			t.Fatalf("the first bar %v begins after %v", spans[0], from)
		}
		for i := range spans[1:] {
			if !spans[i].To.Equal(spans[i+1].From) {
				t.Fatalf("there is a gap behind %v", spans[i])
			}
		}
	})
}

func TestReadableIsTheSameDocument(t *testing.T) {
	t.Parallel()
	for document, want := range map[string]string{
		`{"a":"\u003cb\u003e \u0026 \\u003c \\\u003c"}`: `{"a":"<b> & \\u003c \\<"}`,
		`"plain"`: `"plain"`,
		``:        ``,
		`"a\`:     `"a\`,
	} {
		if got := readable([]byte(document)); got != want {
			t.Errorf("readable(%s) = %s, want %s", document, got, want)
		}
	}
}
