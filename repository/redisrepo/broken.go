package redisrepo

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/eventaudit/eventaudit/event"
)

// rowOf returns the row of an event that is stored with that body. It is broken
// when the body is not what encode made, or is nested too deep for decode; the
// event then has its ID, and what else can be told of it, so that it can be
// removed together with its indexes.
func rowOf(id, body string, at place) row {
	e, err := decode(body)
	if err != nil {
		e = outline(body)
		e.ID = id
		err = fmt.Errorf("event %q is stored and cannot be read; remove it by that ID: %w", id, err)
	}
	return row{event: e, body: body, at: at, broken: err}
}

// outline returns what the body says in fields of text, as far as it can be
// read. It goes from token to token, for which no depth is too much.
func outline(body string) event.Event {
	fields, key, depth := map[string]string{}, "", 0
	decoder := json.NewDecoder(strings.NewReader(body))
	for token, err := decoder.Token(); err == nil; token, err = decoder.Token() {
		text, isText := token.(string)
		switch delimiter, _ := token.(json.Delim); {
		case delimiter == '{' || delimiter == '[':
			depth++
		case delimiter == '}' || delimiter == ']':
			depth--
		case depth == 1 && isText && key == "":
			key = text
			continue
		case depth == 1 && isText:
			fields[key] = text
		}
		if depth == 1 {
			key = "" // its value is over
		}
	}
	timestamp, err := time.Parse(time.RFC3339Nano, fields["timestamp"])
	if err != nil {
		timestamp = time.Time{}
	}
	return event.Event{
		Category: fields["category"], Action: fields["action"], Actor: fields["actor"], Timestamp: timestamp,
		ActionObject: fields["action_object"], ActionObjectID: fields["action_object_id"],
		TargetType: fields["target_type"], TargetID: fields["target_id"],
		Outcome: event.Outcome(fields["outcome"]), Error: fields["error"], TransactionID: fields["transaction_id"],
		RequestID: fields["request_id"], TraceID: fields["trace_id"], Tenant: fields["tenant"], Reason: fields["reason"],
		OnBehalfOf: fields["on_behalf_of"], IPAddress: fields["ip_address"], UserAgent: fields["user_agent"],
	}
}
