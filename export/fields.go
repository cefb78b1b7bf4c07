package export

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/eventaudit/eventaudit/event"
)

// field is a field of an event under its JSON name.
type field struct {
	name string
	// optional says that event.Event's JSON leaves it out when it is empty.
	optional bool
	value    func(*event.Event) any
}

// fields are all fields, in the order in which event.Event has them.
var fields = []field{
	{"id", false, func(e *event.Event) any { return e.ID }},
	{"category", false, func(e *event.Event) any { return e.Category }},
	{"action", false, func(e *event.Event) any { return e.Action }},
	{"actor", false, func(e *event.Event) any { return e.Actor }},
	{"action_object", false, func(e *event.Event) any { return e.ActionObject }},
	{"action_object_id", false, func(e *event.Event) any { return e.ActionObjectID }},
	{"target_type", false, func(e *event.Event) any { return e.TargetType }},
	{"target_id", false, func(e *event.Event) any { return e.TargetID }},
	{"timestamp", false, func(e *event.Event) any { return e.Timestamp }},
	{"result", true, func(e *event.Event) any { return e.Result }},
	{"payload", true, func(e *event.Event) any { return e.Payload }},
	{"outcome", false, func(e *event.Event) any { return string(e.Outcome) }},
	{"error", true, func(e *event.Event) any { return e.Error }},
	{"transaction_id", true, func(e *event.Event) any { return e.TransactionID }},
	{"request_id", true, func(e *event.Event) any { return e.RequestID }},
	{"trace_id", true, func(e *event.Event) any { return e.TraceID }},
	{"tenant", true, func(e *event.Event) any { return e.Tenant }},
	{"reason", true, func(e *event.Event) any { return e.Reason }},
	{"on_behalf_of", true, func(e *event.Event) any { return e.OnBehalfOf }},
	{"ip_address", true, func(e *event.Event) any { return e.IPAddress }},
	{"user_agent", true, func(e *event.Event) any { return e.UserAgent }},
	{"meta", true, func(e *event.Event) any { return e.Meta }},
	{"schema_version", false, func(e *event.Event) any { return int64(e.SchemaVersion) }},
	{"sequence", true, func(e *event.Event) any { return e.Sequence }},
	{"before_unknown", true, func(e *event.Event) any { return e.BeforeUnknown }},
}

// valueOf finds a field's value by its name.
var valueOf = func() map[string]func(*event.Event) any {
	byName := map[string]func(*event.Event) any{}
	for _, f := range fields {
		byName[f.name] = f.value
	}
	return byName
}()

// Fields returns the names that Options know, in the order in which they are
// written by default. The first eleven are those of the Python ancestor.
func Fields() []string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	return names
}

// Cell returns the value of a column as a cell shows it: documents and meta as
// compact JSON, times in the zone and format of the options, and guarded
// against formulas unless the options say otherwise.
func (o Options) Cell(value any) (string, error) {
	text, err := o.text(value)
	if err != nil || o.KeepFormulas {
		return text, err
	}
	return Guard(text), nil
}

func (o Options) text(value any) (string, error) {
	switch v := value.(type) {
	case string:
		return v, nil
	case time.Time:
		return o.timeText(v), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case bool:
		return strconv.FormatBool(v), nil
	case json.RawMessage:
		return compact(v)
	case map[string]string:
		return metaText(v)
	}
	return "", fmt.Errorf("export: no text for a %T", value)
}

func (o Options) timeText(t time.Time) string {
	layout := o.TimeFormat
	if layout == "" {
		layout = DefaultTimeFormat
	}
	return o.In(t).Format(layout)
}

// In returns the time in the zone of the options.
func (o Options) In(t time.Time) time.Time {
	if o.Location == nil {
		return t.UTC()
	}
	return t.In(o.Location)
}

func compact(document json.RawMessage) (string, error) {
	if len(document) == 0 {
		return "", nil
	}
	var buffer bytes.Buffer
	err := compactInto(&buffer, document)
	return buffer.String(), err
}

func compactInto(buffer *bytes.Buffer, document json.RawMessage) error {
	if err := json.Compact(buffer, document); err != nil {
		return fmt.Errorf("export: a document is no JSON: %w", err)
	}
	return nil
}

func metaText(meta map[string]string) (string, error) {
	if len(meta) == 0 {
		return "", nil
	}
	text, err := marshal(meta)
	return string(text), err
}

func keys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
