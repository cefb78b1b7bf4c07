package event_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/eventaudit/eventaudit/event"
)

func TestCursorRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		first := time.Date(1, time.January, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
		last := time.Date(9999, time.December, 31, 23, 59, 59, 999_999_000, time.UTC).UnixMicro()
		e := event.Event{
			ID:        rapid.StringN(1, -1, event.MaxIDLength).Draw(t, "id"),
			Timestamp: time.UnixMicro(rapid.Int64Range(first, last).Draw(t, "microseconds")).UTC(),
		}
		timestamp, id, err := e.Cursor().Position()
		if err != nil || !timestamp.Equal(e.Timestamp) || timestamp.Location() != time.UTC || id != e.ID {
			t.Errorf("Position = %v, %q, %v, want %v, %q", timestamp, id, err, e.Timestamp, e.ID)
		}
	})
}

func TestCursorIsSafeInURLs(t *testing.T) {
	t.Parallel()
	e := event.Event{ID: "\u00ff?&=+/#% 😀", Timestamp: noon}
	const safe = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	if rest := strings.Trim(string(e.Cursor()), safe); rest != "" {
		t.Errorf("cursor %q holds %q", e.Cursor(), rest)
	}
}

func TestCursorRefuses(t *testing.T) {
	t.Parallel()
	good := string(event.Event{ID: "id", Timestamp: noon}.Cursor())
	raw := func(bytes string) string { return base64.RawURLEncoding.EncodeToString([]byte(bytes)) }
	const at = "\x01\x00\x06\x2f\x00\x00\x00\x00\x00"
	if _, _, err := event.Cursor(raw(at + "id")).Position(); err != nil {
		t.Fatalf("the test's own cursor: %v", err)
	}
	for name, text := range map[string]string{
		"nothing":             "",
		"other text":          "next page",
		"a cut cursor":        good[:len(good)-1],
		"a longer cursor":     good + "=",
		"a line break inside": good[:4] + "\n" + good[4:],
		"a line break behind": good + "\r\n",
		"no ID":               raw(at),
		"another version":     raw("\x02" + at[1:] + "id"),
		"an ID in no UTF-8":   raw(at + "\xff"),
		"a time without end":  raw("\x01\x7f\xff\xff\xff\xff\xff\xff\xffid"),
		"a time before all":   raw("\x01\x80\x00\x00\x00\x00\x00\x00\x00id"),
	} {
		timestamp, id, err := event.Cursor(text).Position()
		var broken *event.FieldError
		if !errors.As(err, &broken) || broken.Field != "after" || broken.Value != text || !errors.Is(err, event.ErrInvalid) {
			t.Errorf("%s: error %v, want a *event.FieldError for \"after\"", name, err)
		}
		if !timestamp.IsZero() || id != "" {
			t.Errorf("%s: a place comes with the error: %v, %q", name, timestamp, id)
		}
	}
}

// Any text is either refused or the one spelling of its place.
func FuzzCursor(f *testing.F) {
	f.Add("")
	f.Add(string(event.Event{ID: "id", Timestamp: noon}.Cursor()))
	f.Add(string(event.New("custom", "tested").Cursor()) + "\n")
	f.Add("AQAGLwAAAAAAaWQ")
	f.Fuzz(func(t *testing.T, text string) {
		timestamp, id, err := event.Cursor(text).Position()
		if err != nil {
			if !errors.Is(err, event.ErrInvalid) {
				t.Errorf("error %v does not wrap event.ErrInvalid", err)
			}
			return
		}
		e := event.Event{ID: id, Timestamp: timestamp}
		if again := e.Cursor(); string(again) != text {
			t.Errorf("%q and %q are the same place", text, again)
		}
		e.Category, e.Action = "custom", "tested"
		if err := event.Validate(e); err != nil && len(id) <= event.MaxIDLength {
			t.Errorf("the place is no valid event's: %v", err)
		}
	})
}
