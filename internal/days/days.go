// Package days says when the days of a calendar begin. Not every day begins at
// midnight: in Santiago, Cairo and elsewhere the clocks have gone from 23:59:59
// to 01:00.
package days

import "time"

// behind is more than any clock has differed from UTC.
const behind = 48 * time.Hour

// Begin returns the first instant at which the calendar in the zone shows that
// day, or a later one where the day was left out. A day ends where the next one
// begins; as with time.Date, day may be one more than the month has.
func Begin(year int, month time.Month, day int, zone *time.Location) time.Time {
	midnight := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	for at := midnight.Add(-behind).In(zone); ; {
		_, offset := at.Zone()
		begin := midnight.Add(-time.Duration(offset) * time.Second).In(zone)
		if begin.Before(at) {
			begin = at // the clocks went over midnight
		}
		_, end := at.ZoneBounds()
		// On the last day of some years there is an end that is past already.
		if !end.After(at) || begin.Before(end) {
			return begin
		}
		at = end
	}
}
