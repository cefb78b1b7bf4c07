package redisrepo_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testredis"
	"github.com/eventaudit/eventaudit/repository"
	"github.com/eventaudit/eventaudit/repository/redisrepo"
)

func TestSlotsAreThoseOfRedis(t *testing.T) {
	t.Parallel()
	node := testredis.Start(t, "--cluster-enabled", "yes", "--cluster-port", testredis.FreePort(t))
	for _, tag := range []string{"0.0", "a", "123456789", "käse", strings.Repeat("x", 300), "\x00\xff"} {
		want := node.Do(t, "CLUSTER", "KEYSLOT", "audit:{"+tag+"}:0:b").(int64)
		if got := redisrepo.Slot(tag); int64(got) != want {
			t.Errorf("tag %q: slot %d, want %d", tag, got, want)
		}
	}
}

// However many masters share the slots evenly, they share the shards evenly.
func TestShardsLieEvenly(t *testing.T) {
	t.Parallel()
	for n := 1; n <= redisrepo.MaxShards; n++ {
		seen := map[int]bool{}
		for _, tag := range redisrepo.ShardTags(n) {
			seen[redisrepo.Slot(tag)*n/16384] = true
		}
		if len(seen) != n {
			t.Errorf("%d shards lie in %d of as many runs of slots", n, len(seen))
		}
	}
}

// The values that reached other events' keys in an ancestor, and some more.
func TestValuesReachOnlyThemselves(t *testing.T) {
	t.Parallel()
	values := []string{
		"*", "?", "[", "]", "[a]", "u[1]", `\`, `\*`, "|", "a|b", ":", "a:b", "{", "}", "{}", "{0.0}", "{a}:b",
		" ", "  ", " a", "a ", "a", "ab", "a*", "a?", "\n", "\r\n", "\x00", "'", `"`, "ä", "a\u0308", "0", "00",
		strings.Repeat("x", 10<<10), strings.Repeat("x", 10<<10) + "y", strings.Repeat("*", 10<<10),
	}
	r := open(t, shared(t), nil)
	events := some(2 * len(values))
	for i := range events {
		first, second := values[i/2], values[(i+1)/2%len(values)] // itself and the next one
		events[i].Actor, events[i].Tenant = first, second
		events[i].ActionObject, events[i].ActionObjectID = first, second
		events[i].TargetType, events[i].TargetID = second, first
		if first == " " { // empty strings are stored and never asked for
			events[i].Tenant, events[i].TargetID = "", ""
		}
	}
	write(t, r, events...)
	for i, value := range values {
		other := values[(i+1)%len(values)]
		for _, f := range []event.Filter{
			{Actor: value},
			{Tenant: value},
			{ActionObject: value},
			{ActionObjectID: value},
			{TargetType: value},
			{TargetID: value},
			{ActionObject: value, ActionObjectID: other},
			{TargetType: value, TargetID: other},
			{Actor: value, Tenant: other},
		} {
			var want []string
			for _, e := range events {
				if f.Match(e) {
					want = append(want, e.ID)
				}
			}
			if got := ids(t, r, f); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%d events with value %d, want %d", len(got), i, len(want))
			}
			n, err := repository.Count(t.Context(), r, f)
			if err != nil || n != int64(len(want)) {
				t.Errorf("Count is %d (%v) for value %d, want %d", n, err, i, len(want))
			}
		}
	}
}

// No pair of values shares a set with a pair that is written alike.
func TestPairsAreNotJoined(t *testing.T) {
	t.Parallel()
	r := open(t, shared(t), nil)
	events := some(4)
	for i, pair := range [][2]string{{"a", "bc"}, {"ab", "c"}, {"a:b", "c"}, {"a", "b:c"}} {
		events[i].ActionObject, events[i].ActionObjectID = pair[0], pair[1]
	}
	write(t, r, events...)
	for _, e := range events {
		f := event.Filter{ActionObject: e.ActionObject, ActionObjectID: e.ActionObjectID}
		if got := ids(t, r, f); len(got) != 1 || got[0] != e.ID {
			t.Errorf("%v finds %q", f, got)
		}
		if n, err := r.Count(t.Context(), f); err != nil || n != 1 {
			t.Errorf("%v counts %d, %v", f, n, err)
		}
	}
}
