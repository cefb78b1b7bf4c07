package repository_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
	"github.com/eventaudit/eventaudit/repository/memrepo"
)

// twoMethods hides the powers of a repository.
type twoMethods struct{ repository.Repository }

// oneByOne can remove by ID only.
type oneByOne struct {
	repository.Repository
	repository.Remover
}

// out is a repository that cannot be reached.
type out struct{ err error }

func (o out) Write(context.Context, ...event.Event) error { return o.err }

func (o out) Find(context.Context, event.Filter) iter.Seq2[event.Event, error] {
	return repository.Failed(o.err)
}

// filled returns a memory repository with n events, "0" to "n-1", of two
// actors in turn.
func filled(t *testing.T, n int) *memrepo.Repository {
	t.Helper()
	mem := memrepo.New(nil)
	for i := range n {
		e := event.New("custom", "tested")
		e.ID, e.Actor = fmt.Sprint(i), []string{"anna", "bert"}[i%2]
		if err := mem.Write(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	return mem
}

func TestGet(t *testing.T) {
	t.Parallel()
	mem := filled(t, 3)
	for name, repo := range map[string]repository.Repository{"Getter": mem, "two methods": twoMethods{mem}} {
		got, err := repository.Get(t.Context(), repo, "1")
		if err != nil || got.ID != "1" || got.Actor != "bert" {
			t.Errorf("%s: Get = %q of %q, %v", name, got.ID, got.Actor, err)
		}
		if _, err := repository.Get(t.Context(), repo, "9"); !errors.Is(err, repository.ErrNotFound) || !strings.Contains(err.Error(), `"9"`) {
			t.Errorf("%s: error %v, want ErrNotFound that names the ID", name, err)
		}
		var broken *event.FieldError
		if _, err := repository.Get(t.Context(), repo, ""); !errors.As(err, &broken) || broken.Field != "id" {
			t.Errorf("%s: error %v without an ID, want a *event.FieldError", name, err)
		}
	}
	unreachable := out{errors.New("unreachable")}
	if _, err := repository.Get(t.Context(), unreachable, "1"); !errors.Is(err, unreachable.err) {
		t.Errorf("error %v, want the repository's", err)
	}
}

func TestCount(t *testing.T) {
	t.Parallel()
	mem := filled(t, 5)
	for name, repo := range map[string]repository.Repository{"Counter": mem, "two methods": twoMethods{mem}} {
		for _, test := range []struct {
			filter event.Filter
			want   int64
		}{
			{event.Filter{}, 5},
			{event.Filter{Actor: "anna"}, 3},
			{event.Filter{Actor: "nobody"}, 0},
			{event.Filter{Limit: 1, Offset: 4, Order: event.NewestFirst}, 5},
		} {
			if got, err := repository.Count(t.Context(), repo, test.filter); err != nil || got != test.want {
				t.Errorf("%s: Count(%+v) = %d, %v, want %d", name, test.filter, got, err, test.want)
			}
		}
		if _, err := repository.Count(t.Context(), repo, event.Filter{Limit: -1}); !errors.Is(err, event.ErrInvalid) {
			t.Errorf("%s: error %v for a broken limit, want event.ErrInvalid", name, err)
		}
	}
	unreachable := out{errors.New("unreachable")}
	if n, err := repository.Count(t.Context(), unreachable, event.Filter{}); n != 0 || !errors.Is(err, unreachable.err) {
		t.Errorf("Count = %d, %v, want 0 and the repository's error", n, err)
	}
}

func TestRemove(t *testing.T) {
	t.Parallel()
	for name, cut := range map[string]func(*memrepo.Repository) repository.Repository{
		"FilterRemover": func(mem *memrepo.Repository) repository.Repository { return mem },
		"Remover":       func(mem *memrepo.Repository) repository.Repository { return oneByOne{mem, mem} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mem := filled(t, 5)
			n, err := repository.Remove(t.Context(), cut(mem), event.Filter{Actor: "anna"})
			if err != nil || n != 3 {
				t.Errorf("Remove = %d, %v, want 3", n, err)
			}
			if left, err := mem.Count(t.Context(), event.Filter{}); err != nil || left != 2 {
				t.Errorf("%d events are left (%v), want 2", left, err)
			}
		})
	}
}

func TestRemovable(t *testing.T) {
	t.Parallel()
	cursor := event.New("custom", "tested").Cursor()
	for _, test := range []struct {
		name   string
		filter event.Filter
		field  string
		want   error
	}{
		{"by a field", event.Filter{Actor: "anna"}, "", nil},
		{"by time", event.Filter{To: time.Now()}, "", nil},
		{"in an order", event.Filter{Actor: "anna", Order: event.NewestFirst}, "", nil},
		{"everything", event.Filter{}, "", repository.ErrUnboundedRemove},
		{"everything, newest first", event.Filter{Order: event.NewestFirst}, "", repository.ErrUnboundedRemove},
		{"from a zero time with a zone", event.Filter{From: time.Time{}.In(time.FixedZone("far", 3600))}, "", repository.ErrUnboundedRemove},
		{"a number of them", event.Filter{Actor: "anna", Limit: 1}, "limit", event.ErrInvalid},
		{"behind a number of them", event.Filter{Actor: "anna", Offset: 1}, "offset", event.ErrInvalid},
		{"behind a cursor", event.Filter{Actor: "anna", After: cursor}, "after", event.ErrInvalid},
		{"only a limit", event.Filter{Limit: 1}, "limit", event.ErrInvalid},
		{"a broken filter", event.Filter{Outcome: "maybe"}, "outcome", event.ErrInvalid},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			mem := filled(t, 2)
			_, fromRemove := repository.Remove(t.Context(), twoMethods{mem}, test.filter)
			if test.want == nil {
				if err := repository.Removable(test.filter); err != nil {
					t.Errorf("Removable: %v", err)
				}
				return
			}
			for name, err := range map[string]error{"Removable": repository.Removable(test.filter), "Remove": fromRemove} {
				var broken *event.FieldError
				if !errors.Is(err, test.want) || test.field != "" && (!errors.As(err, &broken) || broken.Field != test.field) {
					t.Errorf("%s: error %v, want %v for %q", name, err, test.want, test.field)
				}
			}
		})
	}
}

// removals finds the first event gone already and fails at the third.
type removals struct{ n int }

func (r *removals) Remove(_ context.Context, id string) error {
	r.n++
	switch r.n {
	case 1:
		return fmt.Errorf("%s: %w", id, repository.ErrNotFound)
	case 3:
		return errors.New("connection lost")
	}
	return nil
}

func TestRemoveOneByOneSaysHowFarItCame(t *testing.T) {
	t.Parallel()
	n, err := repository.Remove(t.Context(), oneByOne{filled(t, 5), &removals{}}, event.Filter{Category: "custom"})
	if n != 1 || err == nil || err.Error() != "connection lost" {
		t.Errorf("Remove = %d, %v, want the 1 that was removed before the error", n, err)
	}
	unreachable := out{errors.New("unreachable")}
	if n, err := repository.Remove(t.Context(), oneByOne{unreachable, &removals{}}, event.Filter{Actor: "anna"}); n != 0 || !errors.Is(err, unreachable.err) {
		t.Errorf("Remove = %d, %v, want 0 and the repository's error", n, err)
	}
}

func TestRemoveAll(t *testing.T) {
	t.Parallel()
	mem := filled(t, 3)
	if err := repository.RemoveAll(t.Context(), mem); err != nil {
		t.Error(err)
	}
	if n, err := mem.Count(t.Context(), event.Filter{}); err != nil || n != 0 {
		t.Errorf("%d events are left (%v)", n, err)
	}
}

func TestUnsupported(t *testing.T) {
	t.Parallel()
	repo := twoMethods{filled(t, 1)}
	_, remove := repository.Remove(t.Context(), repo, event.Filter{Actor: "anna"})
	for want, err := range map[string]error{
		"repository: remove from repository_test.twoMethods: unsupported operation":     remove,
		"repository: remove all from repository_test.twoMethods: unsupported operation": repository.RemoveAll(t.Context(), repo),
	} {
		if !errors.Is(err, errors.ErrUnsupported) || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func TestPing(t *testing.T) {
	t.Parallel()
	for name, repo := range map[string]repository.Repository{
		"Pinger": filled(t, 1), "two methods": twoMethods{filled(t, 1)}, "two methods, empty": twoMethods{memrepo.New(nil)},
	} {
		if err := repository.Ping(t.Context(), repo); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	unreachable := out{errors.New("unreachable")}
	if err := repository.Ping(t.Context(), unreachable); !errors.Is(err, unreachable.err) {
		t.Errorf("error %v, want the repository's", err)
	}
}

func TestPrepare(t *testing.T) {
	t.Parallel()
	given := []event.Event{{Category: "custom", Action: "tested"}, {ID: "own", Category: "custom", Action: "tested", SchemaVersion: 4}}
	before := []event.Event{given[0], given[1]}
	start := time.Now().Truncate(time.Microsecond)
	ready, err := repository.Prepare(given)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, given); diff != "" {
		t.Errorf("Prepare changed its argument (-want +got):\n%s", diff)
	}
	first, second := ready[0], ready[1]
	if first.ID == "" || first.Timestamp.Before(start) || first.Outcome != event.OutcomeSuccess || first.SchemaVersion != event.SchemaVersion {
		t.Errorf("the first event is not complete: %+v", first)
	}
	if second.ID != "own" || second.SchemaVersion != 4 || !second.Timestamp.Equal(first.Timestamp) {
		t.Errorf("the second event is %+v, want its own ID and version, and the first one's time", second)
	}
	if ready, err := repository.Prepare(nil); err != nil || len(ready) != 0 {
		t.Errorf("Prepare of nothing = %v, %v", ready, err)
	}
}

func TestPrepareNamesEveryInvalidEvent(t *testing.T) {
	t.Parallel()
	good := event.Event{Category: "custom", Action: "tested"}
	ready, err := repository.Prepare([]event.Event{{Action: "tested"}, good, {Category: "custom", Outcome: "maybe"}})
	if ready != nil || !errors.Is(err, event.ErrInvalid) {
		t.Fatalf("Prepare = %v, %v, want only an error that wraps event.ErrInvalid", ready, err)
	}
	for _, part := range []string{"event 1 of 3: category", "event 3 of 3: action", `outcome "maybe"`} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q lacks %q", err, part)
		}
	}
	if strings.Contains(err.Error(), "event 2") {
		t.Errorf("error %q blames the good event", err)
	}
}

func TestPage(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		filter event.Filter
		want   string
	}{
		{"all", event.Filter{}, "a b c d e"},
		{"newest first", event.Filter{Order: event.NewestFirst}, "e d c b a"},
		{"a limit", event.Filter{Limit: 2}, "a b"},
		{"a limit beyond the end", event.Filter{Limit: 9}, "a b c d e"},
		{"an offset", event.Filter{Offset: 3}, "d e"},
		{"an offset beyond the end", event.Filter{Offset: 9, Limit: 1}, ""},
		{"a page", event.Filter{Offset: 1, Limit: 2, Order: event.NewestFirst}, "d c"},
	} {
		var matching []event.Event
		for _, place := range []struct {
			id      string
			seconds int64
		}{{"c", 2}, {"e", 3}, {"a", 1}, {"d", 2}, {"b", 2}} {
			matching = append(matching, event.Event{ID: place.id, Timestamp: time.Unix(place.seconds, 0)})
		}
		var ids []string
		for _, e := range repository.Page(matching, test.filter) {
			ids = append(ids, e.ID)
		}
		if got := strings.Join(ids, " "); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestFailed(t *testing.T) {
	t.Parallel()
	want := errors.New("broken")
	calls := 0
	for e, err := range repository.Failed(want) {
		calls++
		if !errors.Is(err, want) {
			t.Errorf("error %v, want %v", err, want)
		}
		if diff := cmp.Diff(event.Event{}, e); diff != "" {
			t.Errorf("an event comes with the error: %s", diff)
		}
	}
	if calls != 1 {
		t.Errorf("yields %d times, want once", calls)
	}
}
