package sqlrepo_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/repository/sqlrepo"
)

// collect returns all events of the list.
func collect(t *testing.T, r *sqlrepo.Repository, f event.Filter) []event.Event {
	t.Helper()
	var events []event.Event
	for e, err := range r.Find(t.Context(), f) {
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

// texts are what makes databases stumble. The long ones differ in their last
// character only.
var texts = []string{
	"plain", "Plain", "plain ", " ", "ß", "ss", "🎉", `'"\;--%_`, "\n\t", "␛", "␛0", "␛␛", "\x00", "a\x00b",
	strings.Repeat("x", 255), strings.Repeat("x", 255) + "1", strings.Repeat("x", 255) + "2",
	strings.Repeat("🎉", 255), strings.Repeat("🎉", 300) + "1", strings.Repeat("🎉", 300) + "2",
	strings.Repeat("\x00", 200), "…sha256:", strings.Repeat("long", 20_000),
}

// TestEveryText stores each text in every string field, through Insert, which
// does not validate, and asks for it by every one of them.
func TestEveryText(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		r, db := migrated(t, s)
		var want []event.Event
		for i, text := range texts {
			e := event.New(text, text)
			e.ID = string(rune('A' + i))
			e.Timestamp = time.Date(2024, 1, 1, 0, 0, i, 1000, time.UTC)
			e.Sequence = int64(i + 1)
			for _, field := range []*string{
				&e.Actor, &e.ActionObject, &e.ActionObjectID, &e.TargetType, &e.TargetID, &e.Error, &e.TransactionID, &e.RequestID,
				&e.TraceID, &e.Tenant, &e.Reason, &e.OnBehalfOf, &e.IPAddress, &e.UserAgent,
			} {
				*field = text
			}
			e.Meta = map[string]string{text: text}
			want = append(want, e)
		}
		if err := r.Insert(t.Context(), db.Statement.ConnPool, want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, collect(t, r, event.Filter{})); diff != "" {
			t.Fatal(diff)
		}
		for i, text := range texts {
			if strings.Contains(text, "\x00") {
				continue // which a filter refuses, as Write does
			}
			for name, f := range map[string]event.Filter{
				"category": {Category: text}, "action": {Action: text}, "actor": {Actor: text}, "action_object": {ActionObject: text},
				"action_object_id": {ActionObjectID: text}, "target_type": {TargetType: text}, "target_id": {TargetID: text},
				"error": {Error: text}, "transaction_id": {TransactionID: text}, "request_id": {RequestID: text}, "trace_id": {TraceID: text},
				"tenant": {Tenant: text}, "reason": {Reason: text}, "on_behalf_of": {OnBehalfOf: text}, "ip_address": {IPAddress: text},
				"user_agent": {UserAgent: text}, "record": {ActionObject: text, ActionObjectID: text, Actor: text},
			} {
				got := collect(t, r, f)
				if len(got) != 1 || got[0].ID != want[i].ID {
					t.Errorf("%s %.20q: found %d events, want only %s", name, text, len(got), want[i].ID)
				}
			}
		}
	})
}

func TestDocumentsKeepTheirSpelling(t *testing.T) {
	t.Parallel()
	documents := []string{
		"", "null", "{}", `{"a":1,"a":2}`, `{ "b" : 1.0, "a" : 1e2 }`, `"\u0000\u0041"`, `"é"`, `[12345678901234567890.10]`,
		`"` + strings.Repeat("x", 1<<16) + `"`,
	}
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		r, _ := migrated(t, s)
		for _, document := range documents {
			e := event.New("custom", "tested")
			if document != "" {
				e.Result, e.Payload = json.RawMessage(document), json.RawMessage(document)
			}
			if err := r.Write(t.Context(), e); err != nil {
				t.Fatal(err)
			}
			got, err := r.Get(t.Context(), e.ID)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.Result, e.Result) || !slices.Equal(got.Payload, e.Payload) || (got.Result == nil) != (e.Result == nil) {
				t.Errorf("%.40s became %.40s and %.40s", document, got.Result, got.Payload)
			}
		}
	})
}

func TestMetaNilAndEmptyDiffer(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		r, _ := migrated(t, s)
		for _, meta := range []map[string]string{nil, {}, {"": ""}} {
			e := event.New("custom", "tested")
			e.Meta = meta
			if err := r.Write(t.Context(), e); err != nil {
				t.Fatal(err)
			}
			got, err := r.Get(t.Context(), e.ID)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(meta, got.Meta); diff != "" {
				t.Error(diff)
			}
		}
	})
}

func TestTimestampsOfEveryYear(t *testing.T) {
	t.Parallel()
	moments := []time.Time{
		time.Date(1, 1, 1, 0, 0, 0, 1000, time.UTC), time.Date(999, 12, 31, 23, 59, 59, 999_999_000, time.UTC),
		time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(1969, 12, 31, 23, 59, 59, 999_999_000, time.UTC),
		time.Date(2024, 3, 31, 2, 30, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC),
	}
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		r, _ := migrated(t, s)
		for _, i := range []int{3, 0, 5, 2, 4, 1} {
			e := event.New("custom", "tested")
			e.Timestamp = moments[i]
			if err := r.Write(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
		var got []time.Time
		for _, e := range collect(t, r, event.Filter{}) {
			got = append(got, e.Timestamp)
			page := collect(t, r, event.Filter{After: e.Cursor(), Order: event.NewestFirst})
			if len(page) != len(got)-1 {
				t.Errorf("%d events before %v, want %d", len(page), e.Timestamp, len(got)-1)
			}
		}
		if diff := cmp.Diff(moments, got); diff != "" {
			t.Error(diff)
		}
	})
}

// TestDriverSettings reads and writes MariaDB through connections whose
// settings would change a timestamp that the driver converts.
func TestDriverSettings(t *testing.T) {
	t.Parallel()
	s := testdb.New(t, testdb.MariaDB)
	writer, _ := migrated(t, s)
	e := event.New("custom", "tested")
	if err := writer.Write(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	base, _, _ := strings.Cut(s.DSN(), "?")
	for _, settings := range []string{"", "?parseTime=true&loc=America%2FNew_York", "?time_zone=%27-05%3A00%27", "?interpolateParams=true&parseTime=true"} {
		db, err := testdb.Dial(testdb.MariaDB, base+settings, nil)
		if err != nil {
			t.Fatal(err)
		}
		r, err := sqlrepo.New(db, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Write(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		got := collect(t, r, event.Filter{From: e.Timestamp, To: e.Timestamp.Add(time.Microsecond)})
		if len(got) != 1 || !got[0].Timestamp.Equal(e.Timestamp) {
			t.Errorf("%q: got %v, want one event of %v", settings, got, e.Timestamp)
		}
		pool, err := db.DB()
		if err != nil {
			t.Fatal(err)
		}
		if err := pool.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
