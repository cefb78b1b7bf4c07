package export

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/eventaudit/eventaudit/event"
)

// DefaultTimeFormat is how times are written in cells: RFC 3339 with the
// microseconds that events have.
const DefaultTimeFormat = "2006-01-02T15:04:05.000000Z07:00"

// Options say what an exporter writes, and how. The zero value writes every
// field of an event, in UTC.
type Options struct {
	// Fields are the fields to write, in that order, by their JSON names.
	// Default: all, in the order of the fields of event.Event.
	Fields []string
	// IgnoreFields are fields to leave out.
	IgnoreFields []string
	// Location is the time zone of timestamps. Default: UTC.
	Location *time.Location
	// TimeFormat is how cells show timestamps, as a layout of package time.
	// JSON keeps RFC 3339, whatever is set here. Default: DefaultTimeFormat.
	TimeFormat string
	// Labels are what the header calls fields, by their JSON names. JSON keys
	// stay what they are. Default: the JSON names.
	Labels map[string]string
	// KeepFormulas writes cells as they are, for readers that are no
	// spreadsheets. Default: cells that begin like a formula are guarded; see
	// Guard.
	KeepFormulas bool
}

// Column is one field of events, as the Options choose them.
type Column struct {
	// Name is the JSON name of the field, Label what a header calls it.
	Name, Label string
	// Value returns the field of an event: a string, a time.Time, an int64, a
	// bool, a json.RawMessage or a map[string]string.
	Value func(e *event.Event) any
}

// Columns returns what is to be written, in order. The error is a
// *event.FieldError when an option is wrong.
func (o Options) Columns() ([]Column, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	names := o.Fields
	if len(names) == 0 {
		names = Fields()
	}
	var columns []Column
	for _, name := range names {
		if slices.Contains(o.IgnoreFields, name) {
			continue
		}
		label, ok := o.Labels[name]
		if !ok {
			label = name
		}
		columns = append(columns, Column{Name: name, Label: label, Value: valueOf[name]})
	}
	if len(columns) == 0 {
		return nil, &event.FieldError{Field: "ignore_fields", Value: strings.Join(o.IgnoreFields, ","), Reason: "leaves nothing to write; leave fewer fields out"}
	}
	return columns, nil
}

func (o Options) check() error {
	for i, name := range o.Fields {
		if slices.Contains(o.Fields[:i], name) {
			return &event.FieldError{Field: "fields", Value: name, Reason: "comes twice; name it once"}
		}
	}
	for _, named := range []struct {
		option string
		names  []string
	}{{"fields", o.Fields}, {"ignore_fields", o.IgnoreFields}, {"labels", keys(o.Labels)}} {
		for _, name := range named.names {
			if valueOf[name] == nil {
				return &event.FieldError{Field: named.option, Value: name, Reason: "is no field of an event; choose from " + strings.Join(Fields(), ", ")}
			}
		}
	}
	if o.TimeFormat != "" && !isLayout(o.TimeFormat) {
		return &event.FieldError{Field: "time_format", Value: o.TimeFormat, Reason: fmt.Sprintf("is no layout of Go's package time; write the reference time, for example %q", time.DateTime)}
	}
	return nil
}

// isLayout reports whether the layout shows anything of a time.
func isLayout(layout string) bool {
	a := time.Date(2001, time.February, 3, 4, 5, 6, 7000, time.UTC)
	b := time.Date(2010, time.November, 12, 13, 14, 15, 16000, time.UTC)
	return a.Format(layout) != b.Format(layout)
}
