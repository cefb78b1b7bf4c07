package redisrepo_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testredis"
	"github.com/eventaudit/eventaudit/repository/redisrepo"
)

// Redis drops expired events with all of their keys, and no others.
func TestRetention(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t)
	r := open(t, server.Client, &redisrepo.Options{Retention: time.Second})
	kept := event.New("custom", "kept")
	kept.Timestamp = time.Now().Add(time.Hour)
	gone := event.New("custom", "gone")
	gone.Timestamp = time.Now().Add(-time.Hour) // before it was written
	soon := event.New("custom", "soon")
	write(t, r, kept, gone, soon)
	testredis.Eventually(t, "only one event is left", func(ctx context.Context) error {
		if got := strings.Join(ids(t, r, event.Filter{}), " "); got != kept.ID {
			return fmt.Errorf("%s are left", got)
		}
		return nil
	})
	for _, f := range []event.Filter{{ID: soon.ID}, {ID: gone.ID}, {Action: "soon"}, {Category: "custom", To: time.Now()}} {
		if n, err := r.Count(t.Context(), f); err != nil || n != 0 {
			t.Errorf("%d events (%v) of %+v, want none", n, err, f)
		}
	}
	// Its body, its list, its category and its action; the layout, the buckets.
	testredis.Eventually(t, "no keys of the others are left", func(ctx context.Context) error {
		if n, err := server.Client.DBSize(ctx).Result(); err != nil || n != 6 {
			return fmt.Errorf("%d keys are left (%w)", n, err)
		}
		return nil
	})
	write(t, r, soon) // opens another bucket, or the same
	late := event.New("custom", "late")
	write(t, r, late)
	keys := server.Do(t, "KEYS", "*:buckets").([]any)
	if buckets := server.Do(t, "GET", keys[0]).(string); strings.Count(buckets, " ") > 2 {
		t.Errorf("the list of buckets is never cleared: %s", buckets)
	}
}

// All keys of a bucket expire at one moment, a tenth of the retention late at
// most.
func TestRetentionIsKept(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t)
	const keep = 1000 * time.Hour
	r := open(t, server.Client, &redisrepo.Options{Retention: keep})
	e := event.New("custom", "tested")
	e.Actor = "anna"
	write(t, r, e)
	moments := map[int64]bool{}
	for _, key := range server.Do(t, "KEYS", "*").([]any) {
		if moment := server.Do(t, "PEXPIRETIME", key).(int64); moment > 0 {
			moments[moment] = true
			if late := time.UnixMilli(moment).Sub(e.Timestamp.Add(keep)); late < 0 || late > keep/10+time.Millisecond {
				t.Errorf("%s expires %v late", key, late)
			}
		} else if name := key.(string); !strings.HasSuffix(name, ":layout") && !strings.HasSuffix(name, ":buckets") {
			t.Errorf("%s never expires", name)
		}
	}
	if len(moments) != 1 {
		t.Errorf("the keys expire at %d moments", len(moments))
	}
}

// A changed retention is for new events, and all are one list.
func TestRetentionChanges(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t)
	prefix := "trail"
	events := some(3)
	for i, keep := range []time.Duration{0, 50 * 365 * 24 * time.Hour, 100 * 365 * 24 * time.Hour} {
		r := open(t, server.Client, &redisrepo.Options{Prefix: prefix, Retention: keep})
		write(t, r, events[:i+1]...) // the older ones again
	}
	r := open(t, server.Client, &redisrepo.Options{Prefix: prefix})
	if got := strings.Join(ids(t, r, event.Filter{}), " "); got != "event-00000 event-00001 event-00002" {
		t.Errorf("the list is %s", got)
	}
	for _, f := range []event.Filter{{Category: "custom"}, {}} {
		if n, err := r.Count(t.Context(), f); err != nil || n != 3 {
			t.Errorf("%d events (%v), want 3", n, err)
		}
	}
	if n, err := r.RemoveMatching(t.Context(), event.Filter{Category: "custom"}); err != nil || n != 3 {
		t.Errorf("%d removed (%v), want 3", n, err)
	}
}
