package redisrepo_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
	"github.com/eventaudit/eventaudit/repository/redisrepo"
)

// deeper makes the payload of a stored event deeper than encoding/json reads,
// as events of older versions may have it.
func deeper(body string) string {
	return strings.Replace(body, `"payload":1`, `"payload":`+strings.Repeat(`[{"action":`, 5_000)+"1"+strings.Repeat("}]", 5_000), 1)
}

// spoiled returns a repository with five events, of which the third is spoiled.
func spoiled(t *testing.T, shards int, spoil func(body string) string) (*redisrepo.Repository, []event.Event) {
	t.Helper()
	r := open(t, shared(t), &redisrepo.Options{Shards: shards})
	events := some(5)
	for i := range events {
		events[i].Actor, events[i].Tenant, events[i].TargetType, events[i].TargetID = "ann", "acme", "Shop", "7"
		events[i].ActionObject, events[i].ActionObjectID, events[i].Payload = "Order", "17", event.JSON(1)
	}
	events[2].Reason = "because"
	write(t, r, events...)
	if err := redisrepo.Spoil(t.Context(), r, events[2].ID, spoil); err != nil {
		t.Fatal(err)
	}
	return r, events
}

// A list says which event it is that cannot be read, after those before it.
func TestABrokenEventIsNamed(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(string) string{
		"too deep": deeper,
		"cut":      func(body string) string { return body[:len(body)/2] },
		"no event": func(string) string { return "hunter2" },
	} {
		for _, shards := range []int{1, 3} {
			r, events := spoiled(t, shards, spoil)
			var got []string
			var problem error
			for e, err := range r.Find(t.Context(), event.Filter{}) {
				if problem = err; err == nil {
					got = append(got, e.ID)
				}
			}
			_, byID := r.Get(t.Context(), events[2].ID)
			for what, err := range map[string]error{"Find": problem, "Get": byID} {
				if err == nil || !strings.Contains(err.Error(), events[2].ID) || strings.Contains(err.Error(), "hunter2") {
					t.Errorf("%s: %s: error %v, want one that names %s", name, what, err, events[2].ID)
				}
			}
			if diff := cmp.Diff([]string{events[0].ID, events[1].ID}, got); diff != "" {
				t.Errorf("%s: found before it (-want +got):\n%s", name, diff)
			}
		}
	}
}

// An event that cannot be read keeps nothing from being removed, and is removed
// with all its indexes by whatever can be told of it.
func TestABrokenEventIsRemoved(t *testing.T) {
	t.Parallel()
	at := some(3)[2].Timestamp
	for _, test := range []struct {
		name   string
		filter event.Filter
		spoil  func(string) string
		want   int64 // how many are removed
	}{
		{"by the ID", event.Filter{ID: some(3)[2].ID}, deeper, 1},
		{"by an index", event.Filter{Category: "custom"}, deeper, 5},
		{"by what no index holds", event.Filter{Reason: "because"}, deeper, 1},
		{"by its time", event.Filter{From: at, To: at.Add(time.Second)}, func(string) string { return "" }, 1},
		{"not by what is another's", event.Filter{Reason: "none"}, deeper, 0},
		{"not by what cannot be told", event.Filter{Reason: "because"}, func(string) string { return "{" }, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r, _ := spoiled(t, 3, test.spoil)
			if n, err := repository.Remove(t.Context(), r, test.filter); err != nil || n != test.want {
				t.Errorf("%d events are removed, %v; want %d", n, err, test.want)
			}
			if n, err := r.Count(t.Context(), event.Filter{}); err != nil || n != 5-test.want {
				t.Errorf("%d events are left, %v; want %d", n, err, 5-test.want)
			}
			if test.want == 1 {
				if got := ids(t, r, event.Filter{Actor: "ann"}); len(got) != 4 {
					t.Errorf("%q are found, want the other four", got)
				}
			}
		})
	}
}

// Nothing is left of an event that is nested too deep, and of any event when
// all are removed.
func TestNothingIsLeftOfABrokenEvent(t *testing.T) {
	t.Parallel()
	r, events := spoiled(t, 1, deeper)
	for _, e := range events {
		if err := r.Remove(t.Context(), e.ID); err != nil {
			t.Errorf("%s: %v", e.ID, err)
		}
	}
	if n, err := redisrepo.Left(t.Context(), r); err != nil || n != 0 {
		t.Errorf("%d keys are left, %v", n, err)
	}
	for _, spoil := range []func(string) string{deeper, func(string) string { return "hunter2" }} {
		r, _ := spoiled(t, 1, spoil)
		if err := r.RemoveAll(t.Context()); err != nil {
			t.Error(err)
		}
		if n, err := r.Count(t.Context(), event.Filter{}); err != nil || n != 0 {
			t.Errorf("%d events are left, %v", n, err)
		}
	}
}
