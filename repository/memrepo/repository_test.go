package memrepo_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
	"github.com/eventaudit/eventaudit/repository/memrepo"
	"github.com/eventaudit/eventaudit/repository/repositorytest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	repositorytest.Run(t, func(*testing.T) repository.Repository { return memrepo.New(nil) })
}

func BenchmarkRepository(b *testing.B) {
	repositorytest.Benchmark(b, func(*testing.B) repository.Repository { return memrepo.New(nil) })
}

func TestOpenedByName(t *testing.T) {
	t.Parallel()
	one, err := repository.Open(t.Context(), "memory", repository.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	other, err := repository.Open(t.Context(), "memory", repository.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	write(t, one, event.New("custom", "tested"))
	if n := count(t, one); n != 1 {
		t.Errorf("the repository holds %d events, want 1", n)
	}
	if n := count(t, other); n != 0 {
		t.Errorf("another repository of the same name holds %d events, want 0", n)
	}
}

func TestSequence(t *testing.T) {
	t.Parallel()
	repo := memrepo.New(nil)
	for _, step := range []struct {
		id    string
		given int64
	}{{"a", 0}, {"b", 0}, {"c", 10}, {"d", 0}, {"e", 5}, {"f", 0}} {
		e := event.New("custom", "tested")
		e.ID, e.Sequence = step.id, step.given
		write(t, repo, e)
	}
	got := map[string]int64{}
	for e, err := range repo.Find(t.Context(), event.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		got[e.ID] = e.Sequence
	}
	want := map[string]int64{"a": 1, "b": 2, "c": 10, "d": 11, "e": 5, "f": 12}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sequences (-want +got):\n%s", diff)
	}
}

func TestCallerMayWriteAndRemoveWhileRanging(t *testing.T) {
	t.Parallel()
	repo := memrepo.New(nil)
	write(t, repo, event.New("custom", "tested"), event.New("custom", "tested"))
	seen := 0
	for e, err := range repo.Find(t.Context(), event.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		seen++
		write(t, repo, event.New("custom", "added while ranging"))
		if err := repo.Remove(t.Context(), e.ID); err != nil {
			t.Errorf("Remove while ranging: %v", err)
		}
	}
	if n := count(t, repo); seen != 2 || n != 2 {
		t.Errorf("saw %d events and left %d, want 2 and 2", seen, n)
	}
}

func TestStoredEventsAreApartFromTheCallers(t *testing.T) {
	t.Parallel()
	repo := memrepo.New(nil)
	given := event.New("custom", "tested")
	given.Payload, given.Result = event.JSON("payload"), event.JSON("result")
	given.Meta = map[string]string{"key": "value"}
	write(t, repo, given)

	spoil := func(e event.Event) {
		e.Payload[1], e.Result[1] = 'X', 'X'
		e.Meta["key"] = "changed"
	}
	spoil(given)
	for range 2 {
		got, err := repo.Get(t.Context(), given.ID)
		if err != nil {
			t.Fatal(err)
		}
		if string(got.Payload) != `"payload"` || string(got.Result) != `"result"` || got.Meta["key"] != "value" {
			t.Errorf("the stored event changed: payload %s, result %s, meta %v", got.Payload, got.Result, got.Meta)
		}
		spoil(got)
	}
}

func write(t *testing.T, repo repository.Repository, events ...event.Event) {
	t.Helper()
	if err := repo.Write(t.Context(), events...); err != nil {
		t.Fatal(err)
	}
}

func count(t *testing.T, repo repository.Repository) int64 {
	t.Helper()
	n, err := repository.Count(t.Context(), repo, event.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
