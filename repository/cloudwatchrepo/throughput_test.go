package cloudwatchrepo_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository/cloudwatchrepo"
	"github.com/eventaudit/eventaudit/repository/cloudwatchrepo/cloudwatchtest"
)

// model returns n events as hooks make them of changed rows.
func model(n int) []event.Event {
	now := time.Now()
	events := make([]event.Event, n)
	for i := range events {
		events[i] = event.Event{
			ID: event.NewID(), Category: event.CategoryModel, Action: event.ActionChanged, Actor: fmt.Sprint("user-", i%100),
			ActionObject: "Order", ActionObjectID: fmt.Sprint(i), Timestamp: now.Add(time.Duration(i) * time.Microsecond),
			TransactionID: event.NewID(), SchemaVersion: event.SchemaVersion, Sequence: int64(i + 1),
			Result: []byte(`{"old":{"status":"open","total":"1.50"},"new":{"status":"paid","total":"2.50"}}`),
		}
	}
	return events
}

// CloudWatch is paid and limited by the call: all calls but the last are full.
func TestCallsAreFull(t *testing.T) {
	t.Parallel()
	server := start(t, &cloudwatchtest.Options{Discard: true})
	write(t, open(t, server, nil), model(30_000)...)
	const limit = 1_048_576
	all := server.Batches()
	events, partial := 0, 0
	for _, b := range all {
		if events += b.Stored; b.Bytes < limit*98/100 {
			partial++
		}
		if b.Bytes > limit {
			t.Errorf("a call of %d bytes, the limit is %d", b.Bytes, limit)
		}
	}
	if events != 30_000 || partial > 1 || len(all) < 5 {
		t.Errorf("%d events in %d calls, %d of them not full: %+v", events, len(all), partial, all)
	}
}

// BenchmarkWrite encodes events and sends them, in full calls.
//
//	go test ./repository/cloudwatchrepo -run '^$' -bench BenchmarkWrite
func BenchmarkWrite(b *testing.B) {
	server := start(b, &cloudwatchtest.Options{Discard: true})
	r, err := cloudwatchrepo.New(server.Client(), &cloudwatchrepo.Options{CreateGroup: true})
	if err != nil {
		b.Fatal(err)
	}
	events := model(50_000)
	b.ReportAllocs()
	for b.Loop() {
		write(b, r, events...)
	}
	sent, bytes := 0, 0
	for _, batch := range server.Batches() {
		sent, bytes = sent+batch.Events, bytes+batch.Bytes
	}
	calls := float64(len(server.Batches()))
	b.ReportMetric(float64(sent)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(bytes)/calls, "bytes/call")
	b.ReportMetric(float64(bytes)/float64(sent), "bytes/event")
}
