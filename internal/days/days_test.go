package days_test

import (
	"testing"
	"time"

	"github.com/eventaudit/eventaudit/internal/days"
)

func zoneOf(t *testing.T, name string) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func TestBegin(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ zone, day, want string }{
		{"UTC", "2026-09-06", "2026-09-06T00:00:00Z"},
		{"Asia/Kathmandu", "2026-09-06", "2026-09-06T00:00:00+05:45"},
		{"Europe/Berlin", "2026-03-29", "2026-03-29T00:00:00+01:00"},
		{"Europe/Berlin", "2026-03-30", "2026-03-30T00:00:00+02:00"},
		{"America/Santiago", "2026-09-06", "2026-09-06T01:00:00-03:00"}, // no midnight
		{"America/Santiago", "2026-09-07", "2026-09-07T00:00:00-03:00"},
		{"Africa/Cairo", "2026-04-24", "2026-04-24T01:00:00+03:00"}, // no midnight
		{"America/Havana", "2026-03-08", "2026-03-08T01:00:00-04:00"},
		{"America/Havana", "2026-11-01", "2026-11-01T00:00:00-04:00"},    // midnight twice
		{"America/St_Johns", "2010-11-07", "2010-11-07T00:00:00-02:30"},  // and the day before twice
		{"America/Toronto", "1919-03-31", "1919-03-31T00:30:00-04:00"},   // half an hour before and after
		{"Pacific/Apia", "2011-12-30", "2011-12-31T00:00:00+14:00"},      // left out
		{"Pacific/Kwajalein", "1993-08-21", "1993-08-22T00:00:00+12:00"}, // left out
	} {
		day, err := time.Parse(time.DateOnly, c.day)
		if err != nil {
			t.Fatal(err)
		}
		got := days.Begin(day.Year(), day.Month(), day.Day(), zoneOf(t, c.zone))
		if got.Format(time.RFC3339Nano) != c.want {
			t.Errorf("%s begins in %s at %s, want %s", c.day, c.zone, got.Format(time.RFC3339Nano), c.want)
		}
	}
}

// The months go on as those of time.Date.
func TestBeginOfTheDayAfterTheLast(t *testing.T) {
	t.Parallel()
	got := days.Begin(2024, time.December, 32, time.UTC)
	if want := time.Date(2025, time.January, 1, 0, 0, 0, 0, time.UTC); !got.Equal(want) {
		t.Errorf("it begins at %v, want %v", got, want)
	}
}

// dateOf is the date that the calendar shows.
func dateOf(at time.Time) string { return at.Format(time.DateOnly) }

// Of every day: at its beginning the calendar shows it, and never before. The
// years go beyond those whose changes of the clocks are written down.
func TestBeginOfAllDays(t *testing.T) {
	t.Parallel()
	leftOut := map[string]bool{"Pacific/Apia 2011-12-30": true, "Pacific/Kwajalein 1993-08-21": true}
	for _, name := range []string{
		"Africa/Cairo", "Africa/Casablanca", "America/Asuncion", "America/Havana", "America/New_York", "America/Nuuk", "America/Santiago",
		"America/Sao_Paulo", "America/St_Johns", "Asia/Amman", "Asia/Beirut", "Asia/Gaza", "Asia/Tehran", "Atlantic/Azores",
		"Australia/Lord_Howe", "Europe/Berlin", "Pacific/Apia", "Pacific/Kwajalein", "UTC",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			zone := zoneOf(t, name)
			for day := time.Date(1965, time.January, 1, 0, 0, 0, 0, time.UTC); day.Year() < 2050; day = day.AddDate(0, 0, 1) {
				begin := days.Begin(day.Year(), day.Month(), day.Day(), zone)
				if got := dateOf(begin); got != dateOf(day) && !leftOut[name+" "+dateOf(day)] {
					t.Errorf("where %s begins it is %s", dateOf(day), got)
				}
				for _, before := range []time.Duration{1, time.Minute, 30 * time.Minute, time.Hour, 90 * time.Minute, 2 * time.Hour, 24 * time.Hour} {
					if got := dateOf(begin.Add(-before)); got >= dateOf(day) {
						t.Errorf("%v before %s begins it is %s", before, dateOf(day), got)
					}
				}
			}
		})
	}
}
