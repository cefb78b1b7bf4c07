package cloudwatchrepo_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
	"github.com/eventaudit/eventaudit/repository/cloudwatchrepo"
	"github.com/eventaudit/eventaudit/repository/cloudwatchrepo/cloudwatchtest"
)

var quiet = slog.New(slog.DiscardHandler)

// start returns a server for the test.
func start(t testing.TB, opts *cloudwatchtest.Options) *cloudwatchtest.Server {
	t.Helper()
	server, err := cloudwatchtest.Start(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server
}

// impatient makes the SDK repeat calls without waiting long.
func impatient(o *cloudwatchlogs.Options) {
	o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = 2
		o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return time.Millisecond, nil })
		o.RateLimiter = unlimited{}
	})
}

// unlimited lets the SDK repeat as often as it likes.
type unlimited struct{}

func (unlimited) GetToken(context.Context, uint) (func() error, error) {
	return func() error { return nil }, nil
}
func (unlimited) AddTokens(uint) error { return nil }

// open returns a repository on the server.
func open(t testing.TB, server *cloudwatchtest.Server, opts *cloudwatchrepo.Options) *cloudwatchrepo.Repository {
	t.Helper()
	if opts == nil {
		opts = &cloudwatchrepo.Options{CreateGroup: true}
	}
	if opts.Logger == nil {
		opts.Logger = quiet
	}
	r, err := cloudwatchrepo.New(server.Client(impatient), opts)
	if err != nil {
		t.Fatal(err)
	}
	cloudwatchrepo.Hurry(r, 20*time.Second)
	return r
}

// noon is when events of these tests happen, unless they are about now.
var noon = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

// at is a clock that stands still.
func at(moment time.Time) func() time.Time { return func() time.Time { return moment } }

// some returns n events, one per second, since the moment.
func some(n int, since time.Time) []event.Event {
	events := make([]event.Event, n)
	for i := range events {
		events[i] = event.New("custom", "tested")
		events[i].ID = fmt.Sprintf("event-%06d", i)
		events[i].Timestamp = since.Add(time.Duration(i) * time.Second).Truncate(time.Microsecond).UTC()
	}
	return events
}

func write(t testing.TB, r repository.Repository, events ...event.Event) {
	t.Helper()
	if err := r.Write(t.Context(), events...); err != nil {
		t.Fatal(err)
	}
}

// found returns what the filter finds.
func found(t testing.TB, r repository.Repository, f event.Filter) (events []event.Event) {
	t.Helper()
	for e, err := range r.Find(t.Context(), f) {
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

// ids returns the IDs that the filter finds.
func ids(t testing.TB, r repository.Repository, f event.Filter) []string {
	t.Helper()
	var ids []string
	for _, e := range found(t, r, f) {
		ids = append(ids, e.ID)
	}
	return ids
}

// raw is a client for what a repository does not do.
func raw(server *cloudwatchtest.Server) *cloudwatchlogs.Client { return server.Client(impatient) }

func createGroup(t testing.TB, server *cloudwatchtest.Server, protected bool) {
	t.Helper()
	_, err := raw(server).CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{
		LogGroupName: aws.String(cloudwatchrepo.DefaultGroup), DeletionProtectionEnabled: aws.Bool(protected),
	})
	if err != nil {
		t.Fatal(err)
	}
}
