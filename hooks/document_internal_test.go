package hooks

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSplitObject(t *testing.T) {
	t.Parallel()
	names, cells, err := splitObject([]byte(`{"a":1,"b b":"x\"},{", "\u0063" : {"d":[1,{"e":"]"}]},"f":null,"g":[ ],"h":-1.5e+3}`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a", "b b", "c", "f", "g", "h"}, names); diff != "" {
		t.Error(diff)
	}
	var got []string
	for _, cell := range cells {
		got = append(got, string(cell))
	}
	if diff := cmp.Diff([]string{`1`, `"x\"},{"`, `{"d":[1,{"e":"]"}]}`, `null`, `[ ]`, `-1.5e+3`}, got); diff != "" {
		t.Error(diff)
	}
	for _, broken := range []string{``, `[]`, `{`, `{"a"`, `{"a":`, `{"a":"x`, `{a:1}`, `{"a":{"b"`} {
		if _, _, err := splitObject([]byte(broken)); err == nil {
			t.Errorf("%s was taken", broken)
		}
	}
}

// Every object splits as encoding/json reads it.
func FuzzSplitObject(f *testing.F) {
	f.Add(`{"a":1,"b":{"c":"]}\""},"d":[[],{}]}`)
	f.Add(`{ }`)
	f.Fuzz(func(t *testing.T, text string) {
		var want map[string]json.RawMessage
		valid := strings.HasPrefix(text, "{") && json.Unmarshal([]byte(text), &want) == nil
		names, cells, err := splitObject([]byte(text))
		if !valid {
			return // it must only not crash
		}
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		got := map[string]json.RawMessage{}
		for i, name := range names {
			got[name] = cells[i]
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	})
}

func TestDocumentsLookAsOnOtherDatabases(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ cell, typeName, want string }{
		{`"\\x00ff"`, "bytea", `{"base64":"AP8="}`},
		{`"\\x00ff"`, "text", `"\\x00ff"`},
		{`{"a": 1.50}`, "jsonb", `"{\"a\": 1.50}"`},
		{`"2024-02-29T12:00:00.5+02:00"`, "timestamptz", `"2024-02-29T10:00:00.5Z"`},
		{`"infinity"`, "timestamptz", `"infinity"`},
		{`"2024-02-29T12:00:00.5"`, "timestamp", `"2024-02-29T12:00:00.5"`},
		{`null`, "jsonb", `null`},
		{`12345678901234567890.10`, "numeric", `12345678901234567890.10`},
	} {
		if got := string(presentDocument([]byte(c.cell), c.typeName)); got != c.want {
			t.Errorf("%s of type %s became %s, want %s", c.cell, c.typeName, got, c.want)
		}
	}
}
