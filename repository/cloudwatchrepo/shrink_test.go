package cloudwatchrepo_test

import (
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository/cloudwatchrepo"
)

// document draws a JSON document of objects, lists and texts.
func document(t *rapid.T, depth int) any {
	kind := rapid.IntRange(0, 3).Draw(t, "kind")
	if depth == 0 {
		kind = min(kind, 1)
	}
	switch kind {
	case 0:
		return rapid.StringN(-1, -1, 9000).Draw(t, "text")
	case 1:
		return rapid.Float64().Draw(t, "number")
	case 2:
		list := make([]any, rapid.IntRange(0, 4).Draw(t, "length"))
		for i := range list {
			list[i] = document(t, depth-1)
		}
		return list
	}
	object := map[string]any{}
	for range rapid.IntRange(0, 5).Draw(t, "size") {
		object[rapid.String().Draw(t, "key")] = document(t, depth-1)
	}
	return object
}

// Whatever the documents of an event are, it becomes a JSON object within the
// limit, which says who did what and when; what fits is not touched.
func TestAnyEventIsShortened(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		const limit = 16 << 10
		e := event.Event{
			ID: "id", Category: "custom", Action: "tested", Actor: "anna", Timestamp: time.Unix(1_700_000_000, 0).UTC(),
			Outcome: event.OutcomeSuccess, SchemaVersion: 1,
			Payload: event.JSON(document(t, 6)), Result: event.JSON(document(t, 6)),
		}
		message, shortened, err := cloudwatchrepo.Encode(e, limit)
		if err != nil {
			t.Fatal(err)
		}
		whole, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := cloudwatchrepo.Decode(string(message))
		if !ok || len(message) > limit || got.ID != e.ID || got.Actor != e.Actor || got.Action != e.Action || !got.Timestamp.Equal(e.Timestamp) {
			t.Fatalf("%d bytes: %.500s", len(message), message)
		}
		if same := string(got.Payload) == string(e.Payload) && string(got.Result) == string(e.Result); same == shortened || shortened && len(whole) < limit/2 {
			t.Fatalf("an event of %d bytes: shortened %v, unchanged %v", len(whole), shortened, same)
		}
	})
}
