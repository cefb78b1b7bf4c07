package cli

import (
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/days"
)

// period are the flags that bound a command in time.
type period struct{ start, end, zone string }

func (p *period) register(flags *pflag.FlagSet) {
	flags.Var((*narrowing)(&p.start), "start-date", "the first `DAY`, for example 2024-01-01")
	flags.Var((*narrowing)(&p.end), "end-date", "the last `DAY`, which is included")
	flags.StringVar(&p.zone, "time-zone", "UTC", "the `ZONE` that days begin in and times are shown in, for example Europe/Berlin")
}

// bound puts the days into the filter, as moments, and returns their zone.
func (p *period) bound(f *event.Filter) (*time.Location, error) {
	zone, err := time.LoadLocation(p.zone)
	if err != nil {
		return nil, misused(&event.FieldError{Field: "time-zone", Value: p.zone, Reason: "is unknown; use UTC or a name of the IANA database, for example Europe/Berlin"})
	}
	start, err := day("start-date", p.start)
	if err != nil {
		return nil, misused(err)
	}
	end, err := day("end-date", p.end)
	if err != nil {
		return nil, misused(err)
	}
	if p.start != "" && p.end != "" && start.After(end) {
		return nil, misused(&event.FieldError{Field: "start-date", Value: p.start, Reason: fmt.Sprintf("is after end-date %s; swap them", p.end)})
	}
	if p.start != "" {
		f.From = days.Begin(start.Year(), start.Month(), start.Day(), zone)
	}
	if p.end != "" {
		f.To = days.Begin(end.Year(), end.Month(), end.Day()+1, zone)
	}
	return zone, nil
}

// day returns the day of the calendar, in UTC whatever the zone; zero without one.
func day(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.DateOnly, text)
	if err != nil || at.Year() < 1 {
		return time.Time{}, &event.FieldError{Field: flag, Value: text, Reason: "is no day of the calendar; write it as YYYY-MM-DD"}
	}
	return at, nil
}
