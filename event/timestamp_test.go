package event_test

import (
	"errors"
	"testing"
	"time"

	"github.com/eventaudit/eventaudit/event"
)

func TestParseTimestamp(t *testing.T) {
	t.Parallel()
	want := time.Date(2024, time.January, 5, 9, 30, 0, 123_456_000, time.UTC)
	for _, text := range []string{
		"2024-01-05T09:30:00.123456Z", "2024-01-05T10:30:00.123456+01:00", "2024-01-05 10:30:00.123456+0100",
		"2024-01-05 10:30:00.123456+01", "2024-01-05T09:30:00.123456", "2024-01-05 09:30:00.123456",
	} {
		if got, err := event.ParseTimestamp(text); err != nil || got != want {
			t.Errorf("ParseTimestamp(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "2024-01-05", "05.01.2024 09:30", "2024-02-30T00:00:00Z", "2024-01-05T09:30:00.1234567Z", "0000-12-31T00:00:00Z", "9999-12-31T23:59:59-01:00"} {
		if got, err := event.ParseTimestamp(text); !errors.Is(err, event.ErrInvalid) {
			t.Errorf("ParseTimestamp(%q) = %v, %v; want an error", text, got, err)
		}
	}
}

func FuzzParseTimestamp(f *testing.F) {
	for _, text := range []string{"2024-01-05T09:30:00.123456Z", "2024-01-05 09:30:00+01", "0001-01-01T00:00:00+14:00", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		at, err := event.ParseTimestamp(text)
		if err != nil {
			return
		}
		again, err := event.ParseTimestamp(at.Format(time.RFC3339Nano))
		if err != nil || again != at {
			t.Errorf("%q is read as %v, which is read as %v, %v", text, at, again, err)
		}
	})
}
