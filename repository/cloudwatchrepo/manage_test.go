package cloudwatchrepo_test

import (
	"errors"
	"fmt"
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

// The first Write creates the group with all that was asked for.
func TestCreateGroup(t *testing.T) {
	t.Parallel()
	server := start(t, nil)
	options := cloudwatchrepo.Options{
		Group: "/shop/audit", CreateGroup: true, RetentionDays: 365, Tags: map[string]string{"team": "audit"},
		KMSKey: "arn:aws:kms:eu-north-1:123456789012:key/1", DeletionProtection: true,
	}
	r := open(t, server, &options)
	if got := found(t, r, event.Filter{}); len(got) != 0 {
		t.Errorf("a list before the first event has %d", len(got))
	}
	if err := r.Ping(t.Context()); err != nil {
		t.Errorf("Ping: %v", err)
	}
	server.Inject(cloudwatchtest.Fault{Kind: cloudwatchtest.DenyAccess, Operation: "PutRetentionPolicy", Times: 1})
	if err := r.Write(t.Context(), some(1, time.Now())...); err == nil {
		t.Error("no error when the retention could not be set")
	}
	write(t, r, some(1, time.Now())...)
	g, _ := server.Group(options.Group)
	if g.RetentionInDays != 365 || g.Tags["team"] != "audit" || g.KMSKey != options.KMSKey || !g.DeletionProtected {
		t.Errorf("the group is %+v", g)
	}
	other := options
	other.RetentionDays, other.Tags = 7, nil
	write(t, open(t, server, &other), some(2, time.Now())...)
	if again, _ := server.Group(options.Group); again.RetentionInDays != 365 || again.Tags["team"] != "audit" {
		t.Errorf("the group has become %+v", again)
	}
}

// A group that is missing and not to be created is an error that says so.
func TestNoGroup(t *testing.T) {
	t.Parallel()
	server := start(t, nil)
	r := open(t, server, &cloudwatchrepo.Options{})
	_, count := repository.Count(t.Context(), r, event.Filter{})
	_, get := r.Get(t.Context(), event.NewID())
	for what, err := range map[string]error{
		"Write": r.Write(t.Context(), some(1, time.Now())...), "Count": count, "Get": get,
		"Ping": r.Ping(t.Context()), "RemoveAll": r.RemoveAll(t.Context()),
	} {
		if !errors.Is(err, cloudwatchrepo.ErrNoGroup) || !strings.Contains(err.Error(), "CreateGroup") {
			t.Errorf("%s: error %v, want ErrNoGroup", what, err)
		}
	}
	if n := server.Calls("CreateLogGroup"); n != 0 {
		t.Errorf("%d groups were created", n)
	}
	createGroup(t, server, false)
	write(t, r, some(1, time.Now())...)
}

// Each writer has a stream of its own, each day.
func TestStreamPerWriterAndDay(t *testing.T) {
	t.Parallel()
	server := start(t, nil)
	r := open(t, server, &cloudwatchrepo.Options{CreateGroup: true, Writer: "one"})
	midnight := time.Now().UTC().Truncate(24 * time.Hour)
	for _, moment := range []time.Time{midnight.Add(-time.Second), midnight, midnight.Add(time.Second)} {
		cloudwatchrepo.SetClock(r, at(moment))
		e := event.New("custom", "tested")
		e.Timestamp = moment
		write(t, r, e)
	}
	two := open(t, server, &cloudwatchrepo.Options{Writer: "two"})
	cloudwatchrepo.SetClock(two, at(midnight))
	write(t, two, some(1, midnight)...)
	g, _ := server.Group(cloudwatchrepo.DefaultGroup)
	before, today := midnight.Add(-time.Second).Format(time.DateOnly), midnight.Format(time.DateOnly)
	want := []string{
		"event-audit-stream/events/" + before + "/one",
		"event-audit-stream/events/" + today + "/one",
		"event-audit-stream/events/" + today + "/two",
	}
	if fmt.Sprint(g.Streams) != fmt.Sprint(want) {
		t.Errorf("streams %q, want %q", g.Streams, want)
	}
	if n := server.Calls("CreateLogStream"); n != 4 { // one found no group
		t.Errorf("%d calls to create streams", n)
	}
}

// RemoveAll deletes the streams of its trail, those of other writers too, and
// no others of the group.
func TestRemoveAllDeletesOurStreams(t *testing.T) {
	t.Parallel()
	server := start(t, nil)
	events := some(2, time.Now().Add(-time.Hour))
	events[1].Timestamp = noon
	for n := range 60 { // more streams than a page of them has
		write(t, open(t, server, &cloudwatchrepo.Options{CreateGroup: true, Writer: fmt.Sprint(n)}), events[0])
	}
	r := open(t, server, nil)
	write(t, r, events...)
	neighbour := open(t, server, &cloudwatchrepo.Options{Stream: "event-audit-stream-2"})
	write(t, neighbour, events...)
	for _, foreign := range []string{"app", "event-audit-stream", "event-audit-stream/other"} {
		if _, err := raw(server).CreateLogStream(t.Context(), &cloudwatchlogs.CreateLogStreamInput{
			LogGroupName: aws.String(cloudwatchrepo.DefaultGroup), LogStreamName: aws.String(foreign),
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.RemoveAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := ids(t, r, event.Filter{}); len(got) != 0 {
		t.Errorf("%q are left", got)
	}
	if got := ids(t, neighbour, event.Filter{}); len(got) != 2 {
		t.Errorf("%q are left of the neighbour's", got)
	}
	if g, _ := server.Group(cloudwatchrepo.DefaultGroup); len(g.Streams) != 5 {
		t.Errorf("streams %q are left", g.Streams)
	}
	write(t, r, events...)
	if got := ids(t, r, event.Filter{}); len(got) != 2 {
		t.Errorf("%q are there after another Write", got)
	}
}

// A trail whose name goes on where another one's ends has events of its own.
func TestTrailsWithNamesWithinEachOther(t *testing.T) {
	t.Parallel()
	server := start(t, nil)
	trails := map[string]*cloudwatchrepo.Repository{}
	for i, name := range []string{"a", "a/events", "a/clamped", "a/clamped/late", "a/events/2026-01-01"} {
		trails[name] = open(t, server, &cloudwatchrepo.Options{CreateGroup: true, Stream: name})
		events := some(2, time.Now().Add(-time.Hour))
		events[0].ID, events[1].ID = name, name+"-late"
		events[1].Timestamp = noon.Add(time.Duration(i) * time.Hour)
		write(t, trails[name], events...)
	}
	check := func(left int) {
		t.Helper()
		total := 0
		for name, r := range trails {
			got := ids(t, r, event.Filter{})
			if total += len(got); len(got) > 0 && (len(got) != 2 || got[0] != name+"-late" || got[1] != name) {
				t.Errorf("trail %q lists %q", name, got)
			}
		}
		if total != left {
			t.Errorf("%d events are left, want %d", total, left)
		}
	}
	check(10)
	if err := trails["a"].RemoveAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	check(8)
}

func TestRemoveAllUnderDeletionProtection(t *testing.T) {
	t.Parallel()
	server := start(t, nil)
	r := open(t, server, &cloudwatchrepo.Options{CreateGroup: true, DeletionProtection: true})
	write(t, r, some(3, time.Now())...)
	if err := r.RemoveAll(t.Context()); err == nil || !strings.Contains(err.Error(), "deletion protection") {
		t.Errorf("error %v", err)
	}
	if got := ids(t, r, event.Filter{}); len(got) != 3 {
		t.Errorf("%q are left", got)
	}
}

// That single events cannot be removed is said, and what can be done instead.
func TestRemoveNamesRetention(t *testing.T) {
	t.Parallel()
	r := open(t, start(t, nil), nil)
	n, err := repository.Remove(t.Context(), r, event.Filter{Actor: "anna"})
	if n != 0 || !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "retention of the log group") {
		t.Errorf("Remove = %d, %v", n, err)
	}
}

func TestWrongOptions(t *testing.T) {
	t.Parallel()
	client := raw(start(t, nil))
	tags := map[string]string{}
	for n := range 51 {
		tags[fmt.Sprint(n)] = ""
	}
	for _, test := range []struct {
		field   string
		client  cloudwatchrepo.Client
		options cloudwatchrepo.Options
	}{
		{"client", nil, cloudwatchrepo.Options{}},
		{"log_group", client, cloudwatchrepo.Options{Group: "a:b"}},
		{"log_group", client, cloudwatchrepo.Options{Group: strings.Repeat("g", 513)}},
		{"log_stream", client, cloudwatchrepo.Options{Stream: "a*b"}},
		{"log_stream", client, cloudwatchrepo.Options{Stream: "it's"}},
		{"log_stream", client, cloudwatchrepo.Options{Stream: "stream/"}},
		{"writer", client, cloudwatchrepo.Options{Writer: "host:1"}},
		{"writer", client, cloudwatchrepo.Options{Writer: "a/b"}},
		{"retention_days", client, cloudwatchrepo.Options{RetentionDays: 2}},
		{"tags", client, cloudwatchrepo.Options{Tags: tags}},
		{"max_event_bytes", client, cloudwatchrepo.Options{MaxEventBytes: 1000}},
		{"max_event_bytes", client, cloudwatchrepo.Options{MaxEventBytes: 1 << 20}},
		{"insights", client, cloudwatchrepo.Options{Insights: -time.Hour}},
	} {
		_, err := cloudwatchrepo.New(test.client, &test.options)
		if broken := new(event.FieldError); !errors.As(err, &broken) || broken.Field != test.field {
			t.Errorf("%+v: error %v, want one about %s", test.options, err, test.field)
		}
	}
	if _, err := cloudwatchrepo.New(client, nil); err != nil {
		t.Errorf("without options: %v", err)
	}
}

// Errors of AWS stay reachable.
func TestErrorsWrapThoseOfTheSDK(t *testing.T) {
	t.Parallel()
	r := open(t, start(t, nil), &cloudwatchrepo.Options{})
	missing := new(types.ResourceNotFoundException)
	if err := r.Write(t.Context(), some(1, time.Now())...); !errors.As(err, &missing) {
		t.Errorf("error %v, want one that wraps *types.ResourceNotFoundException", err)
	}
}
