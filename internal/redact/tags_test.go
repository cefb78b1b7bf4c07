package redact_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/eventaudit/eventaudit/internal/redact"
)

type account struct {
	Name  string  `json:"name"`
	IBAN  string  `json:"iban" audit:"redact"`
	Limit *int64  `json:"limit" audit:"redact,ignore"`
	PIN   string  `audit:"-"`
	Notes []*note `json:",omitempty"`
}

type note struct {
	Text   string
	Secret any `audit:"redact"`
}

type holder struct {
	account
	*Address `audit:"redact"`
	Since    time.Time
	Any      any
	ByID     map[int]account
}

// Address is embedded, and hidden as a whole.
type Address struct {
	Street string
	City   string `json:"city"`
}

type selfMade struct {
	Text string `audit:"redact"`
}

func (s selfMade) MarshalText() ([]byte, error) { return []byte(s.Text), nil }

type clock struct{ time.Time }

// wrapped writes what it holds, as types of databases do.
type wrapped[T any] struct{ data T }

func (w wrapped[T]) MarshalJSON() ([]byte, error) { return json.Marshal(w.data) }

// ownNames writes its fields under other names.
type ownNames struct {
	IBAN string `audit:"redact"`
}

func (o *ownNames) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{"account": o.IBAN})
}

// ownList is a list that writes itself as an object.
type ownList []account

func (l ownList) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{"first": l[0].IBAN})
}

type renamed struct {
	account `json:"account"`
}

type oddly struct {
	A string `json:"a\"b" audit:"redact"` //nolint:staticcheck // encoding/json passes over such a name
}

// hiding has a field of the same name that is not hidden.
type hiding struct {
	account
	IBAN string `json:"iban"`
}

// looped leads back to itself, where JSON does not go.
type looped struct {
	Any  any
	self *looped
}

func (l looped) MarshalJSON() ([]byte, error) { return []byte(`{"loop":true}`), nil }

func TestTagged(t *testing.T) {
	t.Parallel()
	limit := int64(9007199254740993)
	mine := account{Name: "<ann>", IBAN: "secret", Limit: &limit, PIN: "secret"}
	for name, x := range map[string]struct {
		value any
		want  string
	}{
		"fields":                {mine, `{"iban":"[redacted]","limit":"[redacted]","name":"<ann>"}`},
		"pointer":               {&mine, `{"iban":"[redacted]","limit":"[redacted]","name":"<ann>"}`},
		"null stays":            {account{PIN: "secret"}, `{"iban":"[redacted]","limit":null,"name":""}`},
		"slices":                {account{Notes: []*note{nil, {"a", "secret"}}}, `{"Notes":[null,{"Secret":"[redacted]","Text":"a"}],"iban":"[redacted]","limit":null,"name":""}`},
		"embedded":              {holder{account: mine, Address: &Address{"secret", "secret"}}, `{"Any":null,"ByID":null,"Since":"0001-01-01T00:00:00Z","Street":"[redacted]","city":"[redacted]","iban":"[redacted]","limit":"[redacted]","name":"<ann>"}`},
		"interface":             {map[string]any{"who": []any{mine, 1}}, `{"who":[{"iban":"[redacted]","limit":"[redacted]","name":"<ann>"},1]}`},
		"maps":                  {map[int]account{7: mine}, `{"7":{"iban":"[redacted]","limit":"[redacted]","name":"<ann>"}}`},
		"keys of durations":     {map[time.Duration]account{7: mine}, `{"7":{"iban":"[redacted]","limit":"[redacted]","name":"<ann>"}}`},
		"keys with a String":    {map[time.Weekday]*account{time.Monday: &mine}, `{"1":{"iban":"[redacted]","limit":"[redacted]","name":"<ann>"}}`},
		"keys that are no text": {map[string]account{"a\xff\xfe": mine}, "{\"a\ufffd\ufffd\":" + `{"iban":"[redacted]","limit":"[redacted]","name":"<ann>"}}`},
		"wrapped":               {map[string]any{"a": wrapped[account]{mine}, "b": wrapped[int]{1}}, `{"a":"[redacted]","b":1}`},
		"wrapped any":           {[]any{wrapped[any]{mine}, wrapped[any]{1}}, `["[redacted]",1]`},
		"names of its own":      {[]ownNames{{"secret"}}, `["[redacted]"]`},
		"a list of its own":     {ownList{mine}, `"[redacted]"`},
		"renamed":               {renamed{mine}, `{"account":{"iban":"[redacted]","limit":"[redacted]","name":"<ann>"}}`},
		"no name for JSON":      {oddly{"secret"}, `{"A":"[redacted]"}`},
		"the outer field":       {hiding{mine, "shown"}, `{"iban":"shown","limit":"[redacted]","name":"<ann>"}`},
		"a loop":                {func() any { l := looped{Any: 1}; l.self = &l; return &l }(), `{"loop":true}`},
		"encodes itself":        {[]selfMade{{"secret"}}, `["[redacted]"]`},
		"nothing hidden":        {struct{ B, A any }{limit, time.Unix(0, 0).UTC()}, `{"B":9007199254740993,"A":"1970-01-01T00:00:00Z"}`},
		"no tags":               {clock{time.Unix(0, 0).UTC()}, `"1970-01-01T00:00:00Z"`},
		"nil":                   {nil, `null`},
		"nil pointer":           {(*account)(nil), `null`},
		"bytes":                 {json.RawMessage(`{"iban": 1}`), `{"iban":1}`},
	} {
		document, err := json.Marshal(x.value)
		if err != nil {
			t.Fatal(err)
		}
		document = []byte(strings.NewReplacer(`\u003c`, "<", `\u003e`, ">").Replace(string(document)))
		got, err := redact.Tagged(x.value, document)
		if err != nil || string(got) != x.want {
			t.Errorf("%s: %s (%v), want %s", name, got, err, x.want)
		}
	}
}

// However deep a hidden value is, it does not come out, and everything else
// stays.
func TestTaggedAtAnyDepth(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		visible, value := 0, any(nil)
		for range rapid.IntRange(1, 8).Draw(t, "depth") {
			visible++
			switch rapid.SampledFrom([]string{"note", "pointer", "slice", "map", "struct", "numbers"}).Draw(t, "within") {
			case "note":
				value = []any{note{"visible", "hidden"}, value}
			case "pointer":
				value = &account{Name: "visible", IBAN: "hidden", Notes: []*note{{Secret: value}}}
				visible = 1 // what was inside is hidden now
			case "slice":
				value = [2]any{"visible", value}
			case "map":
				value = map[string]any{"a": "visible", "b": value}
			case "struct":
				value = struct {
					Shown string
					Inner any
				}{"visible", value}
			case "numbers":
				value = map[int]any{1: "visible", 2: value}
			}
		}
		document, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		got, err := redact.Tagged(value, document)
		if err != nil || strings.Contains(string(got), "hidden") || strings.Count(string(got), "visible") != visible {
			t.Errorf("%s (%v), want %d visible values of %s", got, err, visible, document)
		}
	})
}
