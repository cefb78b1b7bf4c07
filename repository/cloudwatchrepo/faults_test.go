package cloudwatchrepo_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
	"github.com/eventaudit/eventaudit/repository/cloudwatchrepo"
	"github.com/eventaudit/eventaudit/repository/cloudwatchrepo/cloudwatchtest"
)

// A fifth of the calls is throttled, the answers of a tenth are lost, half of
// the pages are empty: no event is lost, none is listed twice.
func TestSixteenWritersInTrouble(t *testing.T) {
	t.Parallel()
	const writers, each, atOnce = 16, 1000, 20
	server := start(t, &cloudwatchtest.Options{ScanPerPage: 3000})
	server.Inject(cloudwatchtest.Fault{Kind: cloudwatchtest.Throttle, Operation: "PutLogEvents", Share: 0.2})
	server.Inject(cloudwatchtest.Fault{Kind: cloudwatchtest.LoseReply, Operation: "PutLogEvents", Share: 0.1})
	server.Inject(cloudwatchtest.Fault{Kind: cloudwatchtest.EmptyPage, Operation: "FilterLogEvents", Share: 0.5})
	since := time.Now().Add(-time.Hour)
	var group sync.WaitGroup
	for w := range writers {
		r := open(t, server, nil)
		group.Go(func() {
			for batch := range slices.Chunk(someOf(w, each, since), atOnce) {
				err := errors.New("not written yet")
				for try := 0; err != nil && try < 10; try++ { // as the relay would
					err = r.Write(t.Context(), batch...)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if stored := len(server.Messages(cloudwatchrepo.DefaultGroup)); stored <= writers*each {
		t.Errorf("%d events are stored, want some twice", stored)
	}
	for _, order := range []event.Order{event.OldestFirst, event.NewestFirst} {
		times := map[string]int{}
		for _, e := range found(t, open(t, server, nil), event.Filter{Order: order}) {
			times[e.ID]++
		}
		for id, n := range times {
			if n != 1 {
				t.Fatalf("%s is listed %d times", id, n)
			}
		}
		if len(times) != writers*each {
			t.Errorf("%d events are listed, want %d", len(times), writers*each)
		}
	}
}

// someOf returns n events of a writer's own, of which some share their time
// with those of others.
func someOf(writer, n int, since time.Time) []event.Event {
	events := some(n, since)
	for i := range events {
		events[i].ID = fmt.Sprintf("writer-%02d-%s", writer, events[i].ID)
	}
	return events
}

func TestReplyLostAfterStoring(t *testing.T) {
	t.Parallel()
	server := start(t, nil)
	r := open(t, server, nil)
	events := some(3, time.Now().Add(-time.Hour))
	events[1].Timestamp = noon // is too old, and gets another time at each attempt
	server.Inject(cloudwatchtest.Fault{Kind: cloudwatchtest.LoseReply, Operation: "PutLogEvents", Times: 3})
	write(t, r, events...)
	if n := len(server.Messages(cloudwatchrepo.DefaultGroup)); n <= len(events) {
		t.Errorf("%d events are stored, want some twice", n)
	}
	if got := ids(t, r, event.Filter{}); fmt.Sprint(got) != "[event-000001 event-000000 event-000002]" {
		t.Errorf("the list is %q", got)
	}
}

func TestThrottledAndThenServed(t *testing.T) {
	t.Parallel()
	for _, fault := range []cloudwatchtest.Fault{
		{Kind: cloudwatchtest.Throttle, Times: 5},
		{Kind: cloudwatchtest.Unavailable, Times: 5},
		{Kind: cloudwatchtest.InternalError, Times: 5},
		{Kind: cloudwatchtest.Slow, Wait: time.Minute, Times: 3},
	} {
		server := start(t, nil)
		r := open(t, server, nil)
		cloudwatchrepo.Hurry(r, 500*time.Millisecond)
		write(t, r, some(1, time.Now())...)
		server.Inject(fault)
		write(t, r, some(2, time.Now())[1])
		server.Inject(fault)
		if got := found(t, r, event.Filter{}); len(got) != 2 {
			t.Errorf("%+v: %d events, want 2", fault, len(got))
		}
	}
}

// What lasts is not tried again, and is never the fault of an event.
func TestCredentials(t *testing.T) {
	t.Parallel()
	for _, kind := range []cloudwatchtest.Kind{cloudwatchtest.DenyAccess, cloudwatchtest.ExpireCredentials, cloudwatchtest.BreakSignature} {
		server := start(t, nil)
		r := open(t, server, nil)
		server.Inject(cloudwatchtest.Fault{Kind: kind, Operation: "PutLogEvents"})
		err := r.Write(t.Context(), some(3, time.Now())...)
		if rejected := new(repository.RejectedError); err == nil || errors.As(err, &rejected) || errors.Is(err, event.ErrInvalid) {
			t.Errorf("%v: error %v, want one that is not about the events", kind, err)
		}
		if n := server.Calls("PutLogEvents"); n > 2 { // two by the SDK
			t.Errorf("%v: %d calls", kind, n)
		}
		server.Heal()
		write(t, r, some(3, time.Now())...)
	}
}

func TestOutageEndsWrite(t *testing.T) {
	t.Parallel()
	server := start(t, nil)
	r := open(t, server, nil)
	server.Inject(cloudwatchtest.Fault{Kind: cloudwatchtest.Throttle, Operation: "PutLogEvents"})
	err := r.Write(t.Context(), some(1, time.Now())...)
	if err == nil || !strings.Contains(err.Error(), "write: ThrottlingException: Rate exceeded") {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	server.Heal()
	server.Inject(cloudwatchtest.Fault{Kind: cloudwatchtest.Slow, Wait: time.Minute})
	if err := r.Write(ctx, some(1, time.Now())...); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want context.DeadlineExceeded", err)
	}
}

// Streams and groups that somebody deletes are created again.
func TestVanishedStreamAndGroup(t *testing.T) {
	t.Parallel()
	server := start(t, nil)
	r := open(t, server, nil)
	events := some(4, time.Now().Add(-time.Hour))
	write(t, r, events[0])
	server.Inject(cloudwatchtest.Fault{Kind: cloudwatchtest.VanishStream, Operation: "PutLogEvents", Times: 1})
	write(t, r, events[1])
	if got := ids(t, r, event.Filter{}); fmt.Sprint(got) != "[event-000001]" { // the other went with its stream
		t.Errorf("the list is %q", got)
	}
	if _, err := raw(server).DeleteLogGroup(t.Context(), &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: aws.String(cloudwatchrepo.DefaultGroup)}); err != nil {
		t.Fatal(err)
	}
	if got := ids(t, r, event.Filter{}); len(got) > 0 {
		t.Errorf("the list of a group that is not there is %q", got)
	}
	write(t, r, events[2])
	if got := ids(t, r, event.Filter{}); fmt.Sprint(got) != "[event-000002]" {
		t.Errorf("the list is %q", got)
	}
	server.Inject(cloudwatchtest.Fault{Kind: cloudwatchtest.VanishStream, Operation: "PutLogEvents"})
	if err := r.Write(t.Context(), events[3]); err == nil || !strings.Contains(err.Error(), "ResourceNotFoundException") {
		t.Errorf("error %v when the stream vanishes again and again", err)
	}
}
