package event_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/eventaudit/eventaudit/event"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		spoil  func(*event.Event)
		broken []string
	}{
		{"a good event", func(*event.Event) {}, nil},
		{"every field", func(e *event.Event) { *e = filledEvent() }, nil},
		{"what Complete fills", func(e *event.Event) { *e = event.Event{Category: "custom", Action: "tested"} }, nil},
		{"empty documents", func(e *event.Event) { e.Payload, e.Result = json.RawMessage{}, json.RawMessage("null") }, nil},
		{"the longest ID", func(e *event.Event) { e.ID = strings.Repeat("x", event.MaxIDLength) }, nil},
		{"the first year", func(e *event.Event) { e.Timestamp = time.Date(1, 1, 1, 0, 0, 0, 1000, time.UTC) }, nil},
		{"the last moment", func(e *event.Event) { e.Timestamp = time.Date(9999, 12, 31, 23, 59, 59, 999, time.UTC) }, nil},

		{"no category", func(e *event.Event) { e.Category = "" }, []string{"category"}},
		{"no action", func(e *event.Event) { e.Action = "" }, []string{"action"}},
		{"a long ID", func(e *event.Event) { e.ID = strings.Repeat("x", event.MaxIDLength+1) }, []string{"id"}},
		{"an unknown outcome", func(e *event.Event) { e.Outcome = "ok" }, []string{"outcome"}},
		{"a late year", func(e *event.Event) { e.Timestamp = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, []string{"timestamp"}},
		{"a late year in UTC only", func(e *event.Event) {
			e.Timestamp = time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("west", -2*3600))
		}, []string{"timestamp"}},
		{"an early year", func(e *event.Event) { e.Timestamp = time.Date(0, 12, 31, 0, 0, 0, 0, time.UTC) }, []string{"timestamp"}},
		{"a broken key", func(e *event.Event) { e.Meta = map[string]string{"\xff": "value"} }, []string{"meta"}},
		{"broken facts", func(e *event.Event) { e.Meta = map[string]string{"a": "\xff", "b": "fine\x00", "c": "\xc3"} }, []string{"meta", "meta"}},
		{"a cut payload", func(e *event.Event) { e.Payload = json.RawMessage(`{"a":`) }, []string{"payload"}},
		{"two results", func(e *event.Event) { e.Result = json.RawMessage(`1 2`) }, []string{"result"}},
		{"a payload in no UTF-8", func(e *event.Event) { e.Payload = json.RawMessage("\"\xff\"") }, []string{"payload"}},
		{"the deepest documents", func(e *event.Event) { e.Payload, e.Result = nested(event.MaxDepth), nested(event.MaxDepth) }, nil},
		{"many brackets in a row", func(e *event.Event) {
			e.Payload = json.RawMessage("[" + strings.Repeat(`{"a":[]},`, event.MaxDepth) + strings.Repeat(`"\\\"[{", `, event.MaxDepth) + "1]")
		}, nil},
		{"a payload that is too deep", func(e *event.Event) { e.Payload = nested(event.MaxDepth + 1) }, []string{"payload"}},
		{"a result that no decoder takes", func(e *event.Event) { e.Result = nested(20_000) }, []string{"result"}},
		{"everything at once", func(e *event.Event) {
			*e = event.Event{
				ID: strings.Repeat("x", 300), Actor: "\xff", UserAgent: "\xc3", Outcome: "ok",
				Timestamp: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), Meta: map[string]string{"\xff": ""},
				Payload: json.RawMessage("?"), Result: event.JSON(func() {}),
			}
		}, []string{"category", "action", "id", "actor", "user_agent", "meta", "timestamp", "outcome", "payload", "result"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e := event.New("custom", "tested")
			test.spoil(&e)
			checkBroken(t, event.Validate(e), test.broken)
		})
	}
}

func nested(levels int) json.RawMessage {
	return json.RawMessage(strings.Repeat("[", levels) + strings.Repeat("]", levels))
}

// What Validate takes can be read back by package encoding/json, in the event
// and in a list of events.
func TestADeepDocumentIsReadBack(t *testing.T) {
	t.Parallel()
	e := event.New("custom", "tested")
	e.Payload = nested(event.MaxDepth)
	var got []event.Event
	if err := json.Unmarshal(event.JSON([]event.Event{e}), &got); err == nil {
		t.Error("event.JSON takes a list that is deeper than a payload may be")
	}
	list, err := json.Marshal([]event.Event{e})
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(list, &got); err != nil || len(got) != 1 || string(got[0].Payload) != string(e.Payload) {
		t.Errorf("%d events are read back, %v", len(got), err)
	}
	e.Payload = nested(event.MaxDepth + 1)
	if list, err = json.Marshal([]event.Event{e}); err != nil || json.Valid(list) {
		t.Errorf("a list of an event that is deeper is valid, %v: the limit is too low", err)
	}
}

// Documents may hold what is masked later, or would be: errors show nothing of
// them.
func TestErrorsDoNotQuoteDocuments(t *testing.T) {
	t.Parallel()
	for name, document := range map[string]string{
		"no JSON":                        `{"password":"hunter2"`,
		"a text of its own":              `hunter2`,
		"a text that begins like a mark": `!hunter2`,
		"no UTF-8":                       "{\"password\":\"hunter2\",\"name\":\"\xff\"}",
		"too deep":                       `{"password":"hunter2","deep":` + string(nested(event.MaxDepth)) + `}`,
		"much too deep":                  `{"password":"hunter2","deep":` + string(nested(20_000)) + `}`,
	} {
		e := event.New("custom", "tested")
		e.Payload, e.Result = json.RawMessage(document), json.RawMessage(document)
		err := event.Validate(e)
		checkBroken(t, err, []string{"payload", "result"})
		if text := fmt.Sprintf("%v %+v", err, err); strings.Contains(text, "hunter2") {
			t.Errorf("%s: the error %s tells the password", name, text)
		}
		for broken := new(event.FieldError); errors.As(err, &broken); err = nil {
			if value := fmt.Sprint(broken.Value); strings.Contains(value, "hunter2") {
				t.Errorf("%s: the value %s tells the password", name, value)
			}
		}
	}
}

func TestValidateLooksAtTheTextOfEveryField(t *testing.T) {
	t.Parallel()
	for _, name := range sharedFields() {
		e := event.New("custom", "tested")
		field := reflect.ValueOf(&e).Elem().FieldByName(name)
		for text, fine := range map[string]bool{"a\xc3": false, "\xffa": false, "a\x00b": true, "\uFFFD😀": true} {
			field.SetString(text)
			err := event.Validate(e)
			var broken *event.FieldError
			if errors.As(err, &broken) == fine || !fine && broken.Value != text {
				t.Errorf("%s %q: error %v, valid: %t", name, text, err, fine)
			}
		}
	}
}

func TestFieldError(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, want, got string }{
		{"text is quoted", `actor "a\nb" is odd`, (&event.FieldError{Field: "actor", Value: "a\nb", Reason: "is odd"}).Error()},
		{"a number is not", `limit -1 is negative`, (&event.FieldError{Field: "limit", Value: -1, Reason: "is negative"}).Error()},
		{
			"a long value is cut between characters",
			`actor "a` + strings.Repeat("é", 99) + `… (401 bytes)" is long`,
			(&event.FieldError{Field: "actor", Value: "a" + strings.Repeat("é", 200), Reason: "is long"}).Error(),
		},
	} {
		if test.got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.name, test.got, test.want)
		}
	}
}
