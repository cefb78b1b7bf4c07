package cloudwatchrepo_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
	"github.com/eventaudit/eventaudit/repository/cloudwatchrepo"
	"github.com/eventaudit/eventaudit/repository/cloudwatchrepo/cloudwatchtest"
)

// A batch holds ten thousand events. Those of a trail are so large that a
// megabyte is full before.
func TestBatchOf10000EventsAndOneMore(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{9_999: "[9999]", 10_000: "[10000]", 10_001: "[10000 1]"} {
		if got := fmt.Sprint(cloudwatchrepo.BatchSizes(n)); got != want {
			t.Errorf("%d events make batches of %s, want %s", n, got, want)
		}
	}
}

// Calls hold a megabyte at most, counted with 26 bytes for each event and
// without the head-room, and less than a day, sorted.
func TestBatchLimits(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC().Truncate(time.Millisecond)
	ago := func(ages ...time.Duration) []event.Event {
		events := some(len(ages), now)
		for i, age := range ages {
			events[i].Timestamp = now.Add(-age)
		}
		return events
	}
	const hour = time.Hour
	for _, test := range []struct {
		name   string
		events []event.Event
		calls  int
	}{
		{"all that fits with the head-room", sized(10, batchBytes/10-26), 1},
		{"a few bytes more", sized(10, batchBytes/10-26+1), 2},
		{"a megabyte", sized(10, 1_048_576/10-26), 2},
		{"24 hours", ago(24*hour, 0), 2},
		{"a millisecond less than 24 hours", ago(24*hour-time.Millisecond, 0), 1},
		{"unsorted", ago(1*hour, 3*hour, 2*hour), 1},
		{"three days", ago(1*hour, 70*hour, 30*hour, 69*hour), 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := start(t, nil)
			r := open(t, server, nil)
			write(t, r, test.events...)
			if got := server.Batches(); len(got) != test.calls {
				t.Errorf("%d calls, want %d: %+v", len(got), test.calls, got)
			}
			if got := found(t, r, event.Filter{}); len(got) != len(test.events) {
				t.Errorf("%d events are there, want %d", len(got), len(test.events))
			}
		})
	}
}

// An event of exactly what CloudWatch takes stays whole; with one byte more it
// is shortened, and stays valid.
func TestEventOf1048550BytesAndOneMore(t *testing.T) {
	t.Parallel()
	const most = 1_048_550
	server := start(t, nil)
	r := open(t, server, nil)
	events := longerLast(sized(2, most))
	whole, more := events[0], events[1]
	write(t, r, whole, more)
	got := found(t, r, event.Filter{})
	if len(got) != 2 || string(got[0].Payload) != string(whole.Payload) {
		t.Fatalf("%d events, the first one changed", len(got))
	}
	var left struct {
		Text struct {
			Truncated bool `json:"_truncated"`
			Bytes     int
			SHA256    string
			Head      string
		}
	}
	if err := json.Unmarshal(got[1].Payload, &left); err != nil {
		t.Fatal(err)
	}
	var was struct{ Text json.RawMessage }
	if err := json.Unmarshal(more.Payload, &was); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(was.Text)
	if s := left.Text; !s.Truncated || s.Bytes != len(was.Text) || s.SHA256 != hex.EncodeToString(sum[:]) || s.Head != string(was.Text[:2048]) {
		t.Errorf("what is left of the payload: %.300s", got[1].Payload)
	}
}

// Multi-byte characters count as bytes.
func TestEventOfMultiByteCharacters(t *testing.T) {
	t.Parallel()
	r := open(t, start(t, nil), nil)
	e := some(1, time.Now())[0]
	e.Payload = event.JSON(strings.Repeat("é", 524_000)) // half a million characters, a megabyte
	write(t, r, e)
	if got := found(t, r, event.Filter{})[0]; string(got.Payload) != string(e.Payload) {
		t.Error("the payload has changed")
	}
	e.ID, e.Payload = "larger", event.JSON(strings.Repeat("é", 524_288))
	write(t, r, e)
	if got := found(t, r, event.Filter{ID: "larger"})[0]; !json.Valid(got.Payload) || len(got.Payload) > 3000 {
		t.Errorf("the payload is %d bytes", len(got.Payload))
	}
}

// Nothing that is not UTF-8 comes as far as the count of bytes, which the SDK
// would change by replacing it.
func TestInvalidUTF8IsRefused(t *testing.T) {
	t.Parallel()
	server := start(t, nil)
	r := open(t, server, nil)
	for _, e := range []event.Event{
		{Category: "custom", Action: "tested", Actor: strings.Repeat("a", 1000) + "\xff"},
		{Category: "custom", Action: "tested", Payload: json.RawMessage("\"\xff\"")},
	} {
		if err := r.Write(t.Context(), e); !errors.Is(err, event.ErrInvalid) {
			t.Errorf("error %v, want event.ErrInvalid", err)
		}
	}
	if n := server.Calls("PutLogEvents"); n != 0 {
		t.Errorf("%d calls", n)
	}
}

// An event that is too large without its documents is refused by its ID; the
// others of the call are stored.
func TestEventThatCannotBeShortened(t *testing.T) {
	t.Parallel()
	r := open(t, start(t, nil), nil)
	events := some(3, time.Now().Add(-time.Hour))
	events[1].Error = strings.Repeat("x", 1<<20)
	expectRejected(t, r.Write(t.Context(), events...), "larger", events[1].ID)
	if got := ids(t, r, event.Filter{}); fmt.Sprint(got) != fmt.Sprint([]string{events[0].ID, events[2].ID}) {
		t.Errorf("%q are stored", got)
	}
}

// Events out of the time that CloudWatch accepts are stored under the time of
// their arrival, marked, and found by their own.
func TestBacklogOf15Days(t *testing.T) {
	t.Parallel()
	server := start(t, nil)
	r := open(t, server, nil)
	now := time.Now().UTC().Truncate(time.Microsecond)
	events := some(4, now)
	for i, age := range []time.Duration{15 * 24 * time.Hour, 10 * 365 * 24 * time.Hour, time.Hour, -3 * time.Hour} {
		events[i].Timestamp = now.Add(-age)
	}
	write(t, r, events...)
	for _, m := range server.Messages(cloudwatchrepo.DefaultGroup) {
		marked := strings.Contains(m.Text, `"_ts_clamped":true`)
		isLate, isEarly := strings.Contains(m.Stream, "/clamped/late/"), strings.Contains(m.Stream, "/clamped/early/")
		if marked != (isLate || isEarly) || marked == strings.Contains(m.Text, `"event-000002"`) || isEarly != strings.Contains(m.Text, `"event-000003"`) {
			t.Errorf("%s at %v: %s", m.Stream, m.Time, m.Text)
		}
		if marked && m.Time.Before(now.Truncate(time.Millisecond)) {
			t.Errorf("%s is stored at %v, not at the time of its arrival", m.Text, m.Time)
		}
	}
	for _, e := range events {
		for _, f := range []event.Filter{
			{From: e.Timestamp, To: e.Timestamp.Add(time.Microsecond)},
			{From: e.Timestamp, To: e.Timestamp.Add(time.Microsecond), Order: event.NewestFirst},
			{ID: e.ID},
		} {
			if got := ids(t, r, f); len(got) != 1 || got[0] != e.ID {
				t.Errorf("%s: %+v finds %q", e.ID, f, got)
			}
		}
	}
	if got := ids(t, r, event.Filter{}); fmt.Sprint(got) != "[event-000001 event-000000 event-000002 event-000003]" {
		t.Errorf("the list is %q", got)
	}
	recent := event.Filter{From: now.Add(-24 * time.Hour), To: now.Add(time.Hour)}
	if got := ids(t, r, recent); fmt.Sprint(got) != "[event-000002]" {
		t.Errorf("the day's list is %q", got)
	}
}

// What CloudWatch drops within an answer that is a success is refused by its
// ID; what it stores is done. Its clock is days away from ours here, so that
// clamping cannot help.
func TestRejectedIndexes(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC().Truncate(time.Second)
	day := 24 * time.Hour
	for _, test := range []struct {
		name      string
		ahead     time.Duration // CloudWatch's clock
		retention int32
		ages      []time.Duration
		refused   string // by their numbers
		reason    string
	}{
		{"too old, and some stored", 13 * day, 0, []time.Duration{3 * day, 2 * day, 12 * time.Hour, 0}, "", ""},
		{"too old, all", 20 * day, 0, []time.Duration{0, time.Hour}, "0 1", "too old"},
		{"expired, and some stored", 12 * time.Hour, 1, []time.Duration{30 * time.Hour, 20 * time.Hour, time.Hour}, "", ""},
		{"expired, all", 3 * day, 1, []time.Duration{0, time.Hour}, "0 1", "retention"},
		{"too new, and some stored", -30 * time.Minute, 0, []time.Duration{0, -100 * time.Minute}, "", ""},
		{"too new, all", -5 * time.Hour, 0, []time.Duration{0, time.Hour}, "0 1", "too far in the future"},
		{"too new, and some stored for good", -5 * time.Hour, 0, []time.Duration{0, 4 * time.Hour, 6 * time.Hour}, "0", "too far in the future"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := start(t, &cloudwatchtest.Options{Now: at(now.Add(test.ahead))})
			createGroup(t, server, false)
			if test.retention > 0 {
				_, err := raw(server).PutRetentionPolicy(t.Context(), &cloudwatchlogs.PutRetentionPolicyInput{
					LogGroupName: aws.String(cloudwatchrepo.DefaultGroup), RetentionInDays: aws.Int32(test.retention),
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			r := open(t, server, nil)
			cloudwatchrepo.SetClock(r, at(now))
			var events []event.Event
			for i, age := range test.ages {
				e := some(1, now.Add(-age))[0]
				e.ID = fmt.Sprint(i)
				events = append(events, e)
			}
			err := r.Write(t.Context(), events...)
			refused := strings.Fields(test.refused)
			if len(refused) == 0 && err != nil {
				t.Errorf("error %v", err)
			} else if len(refused) > 0 {
				expectRejected(t, err, test.reason, refused...)
			}
			if got := len(found(t, r, event.Filter{})); got != len(events)-len(refused) {
				t.Errorf("%d events are stored, want %d", got, len(events)-len(refused))
			}
		})
	}
}

// Of a call that CloudWatch refuses as a whole the event at fault is found.
func TestOneBadEventAmongMany(t *testing.T) {
	t.Parallel()
	server := start(t, nil)
	client := &picky{Client: raw(server), bad: "event-000123"}
	r, err := cloudwatchrepo.New(client, &cloudwatchrepo.Options{CreateGroup: true, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	expectRejected(t, r.Write(t.Context(), some(500, time.Now().Add(-time.Hour))...), "invalid", "event-000123")
	if got := found(t, r, event.Filter{}); len(got) != 499 {
		t.Errorf("%d events are stored, want 499", len(got))
	}
}

// expectRejected checks that the error names these events and the reason.
func expectRejected(t *testing.T, err error, reason string, ids ...string) {
	t.Helper()
	var rejected *repository.RejectedError
	if !errors.As(err, &rejected) || !sameSet(rejected.IDs, ids) || !strings.Contains(err.Error(), reason) {
		t.Errorf("error %v, want a RejectedError for %q with reason %q", err, ids, reason)
	}
}

func sameSet(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b)
}

// picky is a client that refuses calls with one event, as CloudWatch would if
// it minded that event.
type picky struct {
	cloudwatchrepo.Client
	bad string
}

func (p *picky) PutLogEvents(ctx context.Context, in *cloudwatchlogs.PutLogEventsInput, _ ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.PutLogEventsOutput, error) {
	for _, e := range in.LogEvents {
		if strings.Contains(*e.Message, p.bad) {
			return nil, &types.InvalidParameterException{Message: e.Message}
		}
	}
	return p.Client.PutLogEvents(ctx, in)
}

// batchBytes is a megabyte without a hundredth, in ten equal parts.
const batchBytes = 1_038_010

// sized returns n events of so many bytes.
func sized(n, size int) []event.Event {
	events := some(n, time.Now().Add(-time.Hour))
	for i := range events {
		events[i].Payload = json.RawMessage(`{"text":""}`)
		message, _, err := cloudwatchrepo.Encode(events[i], 1<<30)
		if err != nil {
			panic(err)
		}
		events[i].Payload = json.RawMessage(`{"text":"` + strings.Repeat("x", size-len(message)) + `"}`)
	}
	return events
}

// longerLast makes the last of these events a byte longer.
func longerLast(events []event.Event) []event.Event {
	last := &events[len(events)-1]
	last.Payload = json.RawMessage(strings.Replace(string(last.Payload), `":"`, `":"x`, 1))
	return events
}
