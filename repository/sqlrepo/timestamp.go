package sqlrepo

import (
	"fmt"
	"time"
)

// textTime is the form of a timestamp where it is text.
const textTime = "2006-01-02T15:04:05.000000Z"

// The timestamps that every database can store.
var (
	earliest = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC)
)

// timestamp reads a timestamp in any form in which a driver gives it.
type timestamp struct{ into *time.Time }

// Scan implements sql.Scanner.
func (t timestamp) Scan(source any) (err error) {
	switch value := source.(type) {
	case time.Time:
		*t.into = value.UTC()
	case string:
		*t.into, err = time.Parse(textTime, value)
	case []byte:
		*t.into, err = time.Parse(textTime, string(value))
	default:
		err = fmt.Errorf("timestamp is a %T", source)
	}
	return err
}

// roundUp returns the first microsecond that is not before t: a timestamp of
// whole microseconds is before t exactly when it is before roundUp(t).
func roundUp(t time.Time) time.Time {
	cut := t.UTC().Truncate(time.Microsecond)
	if cut.Before(t) {
		return cut.Add(time.Microsecond)
	}
	return cut
}
