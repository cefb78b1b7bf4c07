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

type failing struct{}

func (failing) MarshalJSON() ([]byte, error) { return nil, errors.New("no thanks") }
