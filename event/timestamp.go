package event

import "time"

// timestampLayouts are the forms of ISO 8601 that Python, SQLAlchemy and the
// databases write besides RFC 3339.
var timestampLayouts = []string{
	"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07", "2006-01-02T15:04:05",
}

// ParseTimestamp reads the timestamp of an event as this and older versions
// wrote it: RFC 3339, or ISO 8601 with a space for the T or without an offset,
// which is UTC then. The error is a *FieldError when it is none of these,
// outside the years 1 to 9999, or finer than microseconds, which no repository
// could keep.
func ParseTimestamp(text string) (time.Time, error) {
	spelled := text
	if len(text) > 10 && text[10] == ' ' {
		spelled = text[:10] + "T" + text[11:]
	}
	for _, layout := range timestampLayouts {
		t, err := time.Parse(layout, spelled)
		if err != nil {
			continue
		}
		t = t.UTC()
		if !inCalendar(t) || t.Nanosecond()%1000 != 0 {
			break
		}
		return t, nil
	}
	return time.Time{}, &FieldError{Field: "timestamp", Value: text, Reason: "is not an ISO 8601 date and time of the years 1 to 9999, in microseconds"}
}
