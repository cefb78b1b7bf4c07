package cli

import (
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/eventaudit/eventaudit/event"
)

// days are the flags that bound a command in time.
type days struct{ start, end, zone string }

func (d *days) register(flags *pflag.FlagSet) {
	flags.StringVar(&d.start, "start-date", "", "the first `DAY`, for example 2024-01-01")
	flags.StringVar(&d.end, "end-date", "", "the last `DAY`, which is included")
	flags.StringVar(&d.zone, "time-zone", "UTC", "the `ZONE` that days begin in and times are shown in, for example Europe/Berlin")
}

// bound puts the days into the filter, as moments, and returns their zone.
func (d *days) bound(f *event.Filter) (*time.Location, error) {
	zone, err := time.LoadLocation(d.zone)
	if err != nil {
		return nil, misused(&event.FieldError{Field: "time-zone", Value: d.zone, Reason: "is unknown; use UTC or a name of the IANA database, for example Europe/Berlin"})
	}
	if f.From, err = day("start-date", d.start, zone); err != nil {
		return nil, misused(err)
	}
	if f.To, err = day("end-date", d.end, zone); err != nil {
		return nil, misused(err)
	}
	if !f.From.IsZero() && !f.To.IsZero() && f.From.After(f.To) {
		return nil, misused(&event.FieldError{Field: "start-date", Value: d.start, Reason: fmt.Sprintf("is after end-date %s; swap them", d.end)})
	}
	if !f.To.IsZero() {
		f.To = f.To.AddDate(0, 0, 1) // where the day after begins
	}
	return zone, nil
}

// day returns the moment at which the day begins, zero without a day.
func day(flag, text string, zone *time.Location) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.ParseInLocation(time.DateOnly, text, zone)
	if err != nil {
		return time.Time{}, &event.FieldError{Field: flag, Value: text, Reason: "is no day of the calendar; write it as YYYY-MM-DD"}
	}
	return at, nil
}
