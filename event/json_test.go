package event_test

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/eventaudit/eventaudit/event"
)

func TestJSON(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		value any
		want  string
	}{
		{"nil", nil, `null`},
		{"a map", map[string]any{"b": 1, "a": []int{}}, `{"a":[],"b":1}`},
		{"markup stays readable", "<a href='?x&y'>", `"<a href='?x&y'>"`},
		{"a line break at the end", "line\n", `"line\n"`},
		{"JSON already", json.RawMessage(`{"n": 12345678901234567890.12345}`), `{"n":12345678901234567890.12345}`},
		{"broken UTF-8", "a\xff", "\"a\\ufffd\""},
		{"JSON with broken UTF-8", json.RawMessage("{\"k\xc3\":\"a\xff\"}"), "{\"k\uFFFD\":\"a\uFFFD\"}"},
		{"the deepest JSON", nested(event.MaxDepth), string(nested(event.MaxDepth))},
	} {
		if got := string(event.JSON(test.value)); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

// A value that JSON cannot hold must neither be stored nor vanish.
func TestJSONOfTheImpossibleFailsValidation(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		value  any
		reason string
	}{
		{"a function", func() {}, "unsupported type: func()"},
		{"a channel inside", map[string]any{"c": make(chan int)}, "unsupported type: chan int"},
		{"infinity", math.Inf(1), "unsupported value: +Inf"},
		{"a marshaler that fails", failing{}, "no thanks"},
		{"deep JSON", nested(event.MaxDepth + 1), "nested deeper than 9998 levels"},
		{"very deep JSON", nested(20_000), "exceeded max depth"},
		{"a deep value", deepValue(20_000), "nested deeper than 9998 levels"},
	} {
		e := event.New("custom", "tested")
		e.Payload = event.JSON(test.value)
		if json.Valid(e.Payload) {
			t.Errorf("%s: %s is valid JSON", test.name, e.Payload)
		}
		var broken *event.FieldError
		if err := event.Validate(e); !errors.As(err, &broken) || broken.Field != "payload" || !strings.Contains(err.Error(), test.reason) {
			t.Errorf("%s: error %v, want one for payload that says %q", test.name, err, test.reason)
		}
	}
}

func deepValue(levels int) (value any) {
	for range levels {
		value = []any{value}
	}
	return value
}

type failing struct{}

func (failing) MarshalJSON() ([]byte, error) { return nil, errors.New("no thanks") }
