package cloudwatchrepo_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/google/go-cmp/cmp"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
	"github.com/eventaudit/eventaudit/repository/cloudwatchrepo"
	"github.com/eventaudit/eventaudit/repository/cloudwatchrepo/cloudwatchtest"
)

// hostile are values that turn a filter pattern into another one, or into
// none, where they are pasted into it.
func hostile() []string {
	return []string{
		`x") || ($.actor = "*`, `a"b`, `u1*`, `u1x`, `u1`, `*`, `a\b`, `a\\b`, `\`, `\"`, "a\nb", "a\r\n", "a\tb", `%u1%`, `%`,
		`a)b`, `)`, `(`, `}`, `{ $.id = "*" }`, `'`, `a' or @message like '`, `a|b`, "$.actor", "&&", "||",
		"é", "漢字", "😀", "\u202ea", "\x00", " u1", "u1 ", "1", "1.0", "01", "TRUE", "null", "NULL",
		strings.Repeat("v", 2048), strings.Repeat("v", 2047), strings.Repeat("v", 2047) + "w",
	}
}

func TestHostileValues(t *testing.T) {
	t.Parallel()
	for name, insights := range map[string]time.Duration{"filter patterns": 0, "Logs Insights": time.Nanosecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := open(t, start(t, nil), &cloudwatchrepo.Options{CreateGroup: true, Insights: insights})
			values := hostile()
			events := some(len(values), time.Now().Add(-time.Hour))
			for i, value := range values {
				events[i].Actor, events[i].ActionObjectID, events[i].Tenant = value, value, value
			}
			write(t, r, events...)
			for i, value := range values {
				for _, f := range []event.Filter{
					{Actor: value},
					{ActionObjectID: value, Order: event.NewestFirst},
					{Actor: value, Tenant: value, ActionObjectID: value, Category: "custom", Limit: 1},
				} {
					if got := ids(t, r, f); len(got) != 1 || got[0] != events[i].ID {
						t.Errorf("%q finds %q, want %s", value, got, events[i].ID)
					}
				}
			}
		})
	}
}

// A pattern holds what is safe in it and has 1,024 characters at most.
func TestFilterPattern(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("v", 500)
	for _, test := range []struct {
		filter event.Filter
		want   string
		exact  bool
	}{
		{event.Filter{}, "", true},
		{event.Filter{Actor: "u1"}, `{ ($.actor = "u1") }`, true},
		{event.Filter{Category: "model", Actor: "a b_c.d:e@f/g+h-i"}, `{ ($.actor = "a b_c.d:e@f/g+h-i") && ($.category = "model") }`, true},
		{event.Filter{Category: "model", Actor: `x") || ($.actor = "*`}, `{ ($.category = "model") }`, false},
		{event.Filter{Actor: "u1*"}, "", false},
		{event.Filter{Actor: "u1 "}, "", false},
		{event.Filter{Actor: "é"}, "", false},
		{event.Filter{Tenant: long, Reason: long, Actor: "u1"}, `{ ($.actor = "u1") && ($.tenant = "` + long + `") }`, false},
		{event.Filter{Outcome: event.OutcomeDenied}, `{ ($.outcome = "denied") }`, true},
	} {
		if got, exact := cloudwatchrepo.FilterPattern(test.filter); got != test.want || exact != test.exact || len(got) > 1024 {
			t.Errorf("%+v: %q, %v, want %q, %v", test.filter, got, exact, test.want, test.exact)
		}
	}
}

// Events of one millisecond are in the order of lists, whatever streams and
// pages they are on.
func TestTiesOverStreamsAndPages(t *testing.T) {
	t.Parallel()
	server := start(t, &cloudwatchtest.Options{ScanPerPage: 7})
	moment := time.Now().Add(-time.Hour).Truncate(time.Millisecond).UTC()
	events := some(120, moment)
	for i := range events {
		events[i].ID = fmt.Sprintf("event-%03d", (i*37)%120)
		events[i].Timestamp = moment.Add(time.Duration(i/60)*time.Millisecond + time.Duration(i%3)*time.Microsecond)
	}
	for i := range 3 {
		write(t, open(t, server, nil), events[i*40:(i+1)*40]...) // a stream each
	}
	slices.SortFunc(events, event.Compare)
	r := open(t, server, nil)
	if diff := cmp.Diff(events, found(t, r, event.Filter{})); diff != "" {
		t.Error(diff)
	}
	for _, order := range []event.Order{event.OldestFirst, event.NewestFirst} {
		var paged []event.Event
		for f := (event.Filter{Limit: 11, Order: order}); ; {
			page := found(t, r, f)
			paged = append(paged, page...)
			if len(page) < f.Limit {
				break
			}
			f.After = page[len(page)-1].Cursor()
		}
		if diff := cmp.Diff(events, paged); diff != "" {
			t.Errorf("order %d: %s", order, diff)
		}
		slices.Reverse(events)
	}
}

// Of several contents under one ID and timestamp the first counts.
func TestFirstContentCounts(t *testing.T) {
	t.Parallel()
	for _, age := range []time.Duration{time.Hour, 100 * 24 * time.Hour} {
		server := start(t, nil)
		first := some(1, time.Now().Add(-age))[0]
		other := first
		first.Actor, other.Actor = "anna", "bert"
		write(t, open(t, server, nil), first)
		r := open(t, server, nil)
		for range 3 {
			write(t, r, other)
		}
		for _, f := range []event.Filter{{}, {Order: event.NewestFirst}, {ID: first.ID}} {
			if got := found(t, r, f); len(got) != 1 || got[0].Actor != "anna" {
				t.Errorf("%+v lists %+v", f, got)
			}
		}
	}
}

// An event that is asked for by a UUIDv7 is looked for around the time in it,
// and found where else it may be.
func TestGetReadsAroundTheTimeOfTheID(t *testing.T) {
	t.Parallel()
	server := start(t, &cloudwatchtest.Options{ScanPerPage: 100})
	r := open(t, server, nil)
	old := make([]event.Event, 10_000)
	for i := range old {
		old[i] = event.New("custom", "tested")
		old[i].Timestamp = old[i].Timestamp.Add(-10 * 24 * time.Hour).Add(time.Duration(i) * time.Second)
	}
	recent := event.New("custom", "recent")
	past := event.New("custom", "of ten days ago")
	past.Timestamp = past.Timestamp.Add(-10 * 24 * time.Hour)
	ancient := event.New("custom", "of long ago")
	ancient.Timestamp = noon.AddDate(-20, 0, 0)
	write(t, r, append(old, recent, past, ancient)...)
	before := server.Calls("FilterLogEvents")
	for _, e := range []event.Event{recent, ancient} {
		if got, err := r.Get(t.Context(), e.ID); err != nil || got.Action != e.Action {
			t.Errorf("Get = %+v, %v", got, err)
		}
	}
	if n := server.Calls("FilterLogEvents") - before; n > 4 {
		t.Errorf("%d calls for two events", n)
	}
	if got, err := r.Get(t.Context(), past.ID); err != nil || got.Action != past.Action {
		t.Errorf("Get = %+v, %v", got, err)
	}
}

// A page reads little more than itself.
func TestAPageReadsAPage(t *testing.T) {
	t.Parallel()
	server := start(t, nil)
	r := open(t, server, nil)
	write(t, r, some(20_000, time.Now().Add(-12*time.Hour))...)
	before := server.Calls("FilterLogEvents")
	for _, order := range []event.Order{event.OldestFirst, event.NewestFirst} {
		if got := found(t, r, event.Filter{Limit: 50, Order: order}); len(got) != 50 {
			t.Errorf("%d events", len(got))
		}
	}
	if n := server.Calls("FilterLogEvents") - before; n > 4 {
		t.Errorf("%d calls for two pages", n)
	}
}

// A query has 10,000 rows at most: lists go on with another one, also in the
// midst of a millisecond.
func TestInsightsGoOn(t *testing.T) {
	t.Parallel()
	server := start(t, nil)
	r := open(t, server, &cloudwatchrepo.Options{CreateGroup: true, Insights: time.Nanosecond})
	moment := time.Now().Add(-time.Hour).Truncate(time.Millisecond).UTC()
	events := some(2*cloudwatchrepo.QueryRows+500, moment)
	for i := range events {
		if i < cloudwatchrepo.QueryRows+100 {
			events[i].Timestamp = moment // more than a query has
		}
	}
	write(t, r, events...)
	for _, order := range []event.Order{event.OldestFirst, event.NewestFirst} {
		if !sameOrder(events, found(t, r, event.Filter{Order: order})) {
			t.Errorf("order %d: the list is another one", order)
		}
		slices.Reverse(events)
	}
	if server.Calls("StartQuery") < 6 {
		t.Errorf("%d queries", server.Calls("StartQuery"))
	}
}

// sameOrder compares lists that are too long to show.
func sameOrder(a, b []event.Event) bool {
	return slices.EqualFunc(a, b, func(a, b event.Event) bool { return event.Compare(a, b) == 0 })
}

// Narrow ranges are read without Insights.
func TestInsightsAreForWideRanges(t *testing.T) {
	t.Parallel()
	server := start(t, nil)
	r := open(t, server, &cloudwatchrepo.Options{CreateGroup: true, Insights: 48 * time.Hour})
	now := time.Now()
	write(t, r, some(1, now)...)
	for width, queries := range map[time.Duration]bool{time.Hour: false, 49 * time.Hour: true} {
		before := server.Calls("StartQuery")
		if got := found(t, r, event.Filter{From: now.Add(-time.Second), To: now.Add(width)}); len(got) != 1 {
			t.Errorf("%v: %d events", width, len(got))
		}
		timely := server.Calls("StartQuery") - before - 2 // those of clamped events have no bounds
		if (timely == 1) != queries {
			t.Errorf("%v: %d queries", width, timely)
		}
	}
}

// More clamped events than are held at once are read again and again.
func TestManyClampedEvents(t *testing.T) {
	t.Parallel()
	r := open(t, start(t, nil), nil)
	events := some(12_000, noon)
	shuffled := slices.Clone(events)
	for i := range shuffled {
		j := (i * 7919) % len(shuffled)
		shuffled[i], shuffled[j] = shuffled[j], shuffled[i]
	}
	write(t, r, shuffled...)
	for _, order := range []event.Order{event.OldestFirst, event.NewestFirst} {
		if !sameOrder(events, found(t, r, event.Filter{Order: order})) {
			t.Errorf("order %d: the list is another one", order)
		}
		slices.Reverse(events)
	}
}

// What others write into our streams is passed over with a warning, which
// does not repeat it.
func TestForeignLines(t *testing.T) {
	t.Parallel()
	server := start(t, nil)
	var log bytes.Buffer
	r := open(t, server, &cloudwatchrepo.Options{CreateGroup: true, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	write(t, r, some(1, time.Now())...)
	stream := server.Messages(cloudwatchrepo.DefaultGroup)[0].Stream
	for _, text := range []string{"plain text", `{"id":"","note":"no id"}`, `[1]`, `{"id":`} {
		_, err := raw(server).PutLogEvents(t.Context(), &cloudwatchlogs.PutLogEventsInput{
			LogGroupName: aws.String(cloudwatchrepo.DefaultGroup), LogStreamName: aws.String(stream),
			LogEvents: []types.InputLogEvent{{Message: aws.String(text), Timestamp: aws.Int64(time.Now().UnixMilli())}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := ids(t, r, event.Filter{}); len(got) != 1 {
		t.Errorf("the list is %q", got)
	}
	if n := strings.Count(log.String(), "is no event"); n != 4 || strings.Contains(log.String(), "plain text") {
		t.Errorf("%d warnings: %s", n, log.String())
	}
}

// disorderly is a client whose pages are out of order.
type disorderly struct{ cloudwatchrepo.Client }

func (d disorderly) FilterLogEvents(ctx context.Context, in *cloudwatchlogs.FilterLogEventsInput, _ ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.FilterLogEventsOutput, error) {
	out, err := d.Client.FilterLogEvents(ctx, in)
	if err == nil {
		slices.Reverse(out.Events)
	}
	return out, err
}

func TestDisorderIsAnError(t *testing.T) {
	t.Parallel()
	server := start(t, nil)
	write(t, open(t, server, nil), some(2, time.Now().Add(-time.Hour))...)
	r, err := cloudwatchrepo.New(disorderly{raw(server)}, &cloudwatchrepo.Options{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := repository.Count(t.Context(), r, event.Filter{}); err == nil || !strings.Contains(err.Error(), "out of order") {
		t.Errorf("Count = %d, %v", n, err)
	}
}
