package cloudwatchtest

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode/utf8"
)

// Matches evaluates a pattern.
func Matches(text, message string) (bool, error) {
	p, err := parsePattern(text)
	if err != nil {
		return false, err
	}
	return p.matches(record{message: []byte(message), parsed: &document{}}), nil
}

// CheckPut compares what the parser understands with what encoding/json does.
func CheckPut(t *testing.T, body []byte) {
	t.Helper()
	var want struct {
		LogGroupName, LogStreamName string
		LogEvents                   []struct {
			Timestamp int64
			Message   string
		}
	}
	if json.Unmarshal(body, &want) != nil || !utf8.Valid(body) {
		return
	}
	got, err := parsePut(bytes.Clone(body))
	if err != nil {
		return // it takes what the SDK sends, not all of JSON
	}
	if got.group != want.LogGroupName || got.stream != want.LogStreamName || len(got.events) != len(want.LogEvents) {
		t.Fatalf("%+v, want %+v", got, want)
	}
	for i, e := range want.LogEvents {
		if string(got.events[i].message) != e.Message || got.events[i].time != e.Timestamp {
			t.Errorf("event %d is %q at %d, want %q at %d", i, got.events[i].message, got.events[i].time, e.Message, e.Timestamp)
		}
	}
}
