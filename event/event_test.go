package event_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/eventaudit/eventaudit/event"
)

var noon = time.Date(2025, time.March, 1, 12, 0, 0, 0, time.UTC)

func TestNew(t *testing.T) {
	t.Parallel()
	before := time.Now().Truncate(time.Microsecond)
	e := event.New("custom", "tested")
	after := time.Now()

	if e.Timestamp.Before(before) || e.Timestamp.After(after) {
		t.Errorf("timestamp %v is not now (%v)", e.Timestamp, after)
	}
	if _, err := uuid.Parse(e.ID); err != nil {
		t.Errorf("ID %q: %v", e.ID, err)
	}
	want := event.Event{
		ID: e.ID, Timestamp: e.Timestamp,
		Category: "custom", Action: "tested", Outcome: event.OutcomeSuccess, SchemaVersion: event.SchemaVersion,
	}
	if diff := cmp.Diff(want, e); diff != "" {
		t.Errorf("New (-want +got):\n%s", diff)
	}
}

func TestComplete(t *testing.T) {
	t.Parallel()
	east := time.FixedZone("east", 3600)
	for _, test := range []struct {
		name        string
		given, want event.Event
	}{
		{
			"keeps what is set",
			event.Event{ID: "own", Timestamp: noon, Outcome: event.OutcomeDenied, SchemaVersion: 9},
			event.Event{ID: "own", Timestamp: noon, Outcome: event.OutcomeDenied, SchemaVersion: 9},
		},
		{
			"fills what is not",
			event.Event{ID: "own"},
			event.Event{ID: "own", Timestamp: noon, Outcome: event.OutcomeSuccess, SchemaVersion: event.SchemaVersion},
		},
		{
			"brings timestamps to UTC and cuts them",
			event.Event{ID: "own", Timestamp: time.Date(2025, time.March, 1, 13, 0, 0, 1999, east)},
			event.Event{ID: "own", Timestamp: noon.Add(time.Microsecond), Outcome: event.OutcomeSuccess, SchemaVersion: event.SchemaVersion},
		},
		{
			"cuts timestamps before 1970 downwards, too",
			event.Event{ID: "own", Timestamp: time.Unix(-1, 999_999_999)},
			event.Event{ID: "own", Timestamp: time.Unix(-1, 999_999_000).UTC(), Outcome: event.OutcomeSuccess, SchemaVersion: event.SchemaVersion},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := test.given
			got.Complete(noon.Add(999))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("Complete (-want +got):\n%s", diff)
			}
			if got.Timestamp.Location() != time.UTC {
				t.Errorf("the timestamp's zone is %v, want UTC", got.Timestamp.Location())
			}
			again := got
			again.Complete(time.Now())
			if diff := cmp.Diff(got, again); diff != "" {
				t.Errorf("completing again changes it:\n%s", diff)
			}
		})
	}
}

func TestNewIDIsUniqueAndRises(t *testing.T) {
	t.Parallel()
	const workers, each = 8, 2000
	made := make([][]string, workers)
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			for range each {
				made[w] = append(made[w], event.NewID())
			}
		})
	}
	group.Wait()

	seen := map[string]bool{}
	for _, ids := range made {
		if !slices.IsSorted(ids) {
			t.Error("IDs made by one goroutine do not rise")
		}
		for _, id := range ids {
			seen[id] = true
		}
	}
	if len(seen) != workers*each {
		t.Errorf("%d different IDs, want %d", len(seen), workers*each)
	}
	if id := uuid.MustParse(event.NewID()); id.Version() != 7 {
		t.Errorf("%s is a UUID of version %d, want 7", id, id.Version())
	}
}

// The first eleven keys are the ancestor's; its exports and tables stay
// readable as long as they and their order stay.
func TestJSONKeys(t *testing.T) {
	t.Parallel()
	ancestor := []string{
		"id", "category", "action", "actor", "action_object", "action_object_id",
		"target_type", "target_id", "timestamp", "result", "payload",
	}
	encoded, err := json.Marshal(filledEvent())
	if err != nil {
		t.Fatal(err)
	}
	keys := topLevelKeys(t, encoded)
	if diff := cmp.Diff(ancestor, keys[:len(ancestor)]); diff != "" {
		t.Errorf("the first keys (-want +got):\n%s", diff)
	}
	if want := reflect.TypeFor[event.Event]().NumField(); len(keys) != want {
		t.Errorf("%d keys for %d fields: %q", len(keys), want, keys)
	}
	for _, key := range keys {
		if key != strings.ToLower(key) {
			t.Errorf("key %q is not in snake case", key)
		}
	}
}

func TestJSONRoundTrip(t *testing.T) {
	t.Parallel()
	withNull := event.New("custom", "tested")
	withNull.Payload = json.RawMessage("null")
	for name, want := range map[string]event.Event{
		"every field":     filledEvent(),
		"required fields": event.New("custom", "tested"),
		"a null document": withNull,
	} {
		encoded, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got event.Event
		if err := json.Unmarshal(encoded, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestCompareIsAnOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := anEvent().Draw(t, "a"), anEvent().Draw(t, "b"), anEvent().Draw(t, "c")
		if event.Compare(a, b) != -event.Compare(b, a) {
			t.Errorf("Compare(a, b) = %d, Compare(b, a) = %d", event.Compare(a, b), event.Compare(b, a))
		}
		if event.Compare(a, b) <= 0 && event.Compare(b, c) <= 0 && event.Compare(a, c) > 0 {
			t.Error("a <= b <= c, but not a <= c")
		}
		if same := a.ID == b.ID && a.Timestamp.Equal(b.Timestamp); same != (event.Compare(a, b) == 0) {
			t.Errorf("Compare = %d for the same place: %t", event.Compare(a, b), same)
		}
		if a.Timestamp.Before(b.Timestamp) && event.Compare(a, b) >= 0 {
			t.Error("the earlier event is not the lesser one")
		}
	})
}

// anEvent draws events that differ little, so that ties and hits happen.
func anEvent() *rapid.Generator[event.Event] {
	return rapid.Custom(func(t *rapid.T) event.Event {
		e := event.Event{}
		v := reflect.ValueOf(&e).Elem()
		for _, name := range sharedFields() {
			v.FieldByName(name).SetString(rapid.SampledFrom([]string{"", "a", "A", "a "}).Draw(t, name))
		}
		e.ID = rapid.SampledFrom([]string{"a", "b", "B", "aa", "é"}).Draw(t, "id")
		e.Timestamp = noon.Add(time.Duration(rapid.IntRange(-3, 3).Draw(t, "microseconds")) * time.Microsecond)
		e.Outcome = rapid.SampledFrom([]event.Outcome{event.OutcomeSuccess, event.OutcomeFailure}).Draw(t, "outcome")
		return e
	})
}

// filledEvent returns an event in which no field is zero.
func filledEvent() event.Event {
	e := event.Event{
		ID: event.NewID(), Timestamp: noon, Outcome: event.OutcomeFailure,
		Payload: event.JSON(map[string]any{"key": "value"}), Result: event.JSON([]int{1, 2}),
		Meta: map[string]string{"region": "eu"}, SchemaVersion: 1, Sequence: 2, BeforeUnknown: true,
	}
	v := reflect.ValueOf(&e).Elem()
	for _, name := range sharedFields() {
		if v.FieldByName(name).IsZero() {
			v.FieldByName(name).SetString("some " + name)
		}
	}
	return e
}

// sharedFields are the names of the string fields of Event. Filter has them
// all; Outcome has a type of its own and is left out.
func sharedFields() []string {
	var names []string
	for f := range reflect.TypeFor[event.Event]().Fields() {
		if f.Type == reflect.TypeFor[string]() {
			names = append(names, f.Name)
		}
	}
	return names
}

func topLevelKeys(t *testing.T, object []byte) []string {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(string(object)))
	if _, err := decoder.Token(); err != nil {
		t.Fatal(err)
	}
	var keys []string
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key.(string))
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			t.Fatal(err)
		}
	}
	return keys
}
