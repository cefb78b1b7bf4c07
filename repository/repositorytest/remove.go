package repositorytest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
)

func removeCases() []testCase {
	return []testCase{
		{
			"matching", "Remove removes what the filter matches and nothing else, and returns how many there were. Without the feature it is refused.", removeMatching,
		},
		{
			"awkward", "Removal takes text as text, as reading does.", removeAwkward,
		},
		{
			"unbounded", "A removal without a filter is refused with repository.ErrUnboundedRemove and removes nothing.", removeUnbounded,
		},
		{
			"broken", "A removal that pages or does not validate is refused with a *event.FieldError and removes nothing.", removeBroken,
		},
		{
			"by_id", "A Remover removes the one event, or answers repository.ErrNotFound.", removeByID,
		},
		{
			"again", "An event that was removed may be written again.", removeAndWrite,
		},
		{
			"all", "RemoveAll leaves the repository empty and usable. Without the feature it is refused.", removeAll,
		},
	}
}

// refusesRemoval checks a repository that cannot remove: it says so and keeps
// its events.
func (s *store) refusesRemoval(t *testing.T) (refuses bool) {
	t.Helper()
	if !s.features.NoRemove {
		return false
	}
	stored := s.write(t, series(3)...)
	if n, err := repository.Remove(t.Context(), s.repo, event.Filter{ID: stored[0].ID}); n != 0 || !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Remove = %d, %v, want 0 and errors.ErrUnsupported", n, err)
	}
	s.expectAll(t, stored)
	return true
}

// remove removes by the filter, checks the count and what is left, and returns
// that.
func (s *store) remove(t *testing.T, f event.Filter, stored []event.Event) []event.Event {
	t.Helper()
	var left []event.Event
	for _, e := range stored {
		if !f.Match(e) {
			left = append(left, e)
		}
	}
	n, err := repository.Remove(t.Context(), s.repo, f)
	if want := int64(len(stored) - len(left)); err != nil || n != want {
		t.Errorf("Remove(%s) = %d, %v, want %d", describe(f), n, err, want)
	}
	s.awaitCount(t, len(left))
	s.expectAll(t, left)
	return left
}

func removeMatching(t *testing.T, s *store) {
	if s.refusesRemoval(t) {
		return
	}
	events := series(60)
	for i := range events {
		events[i].Actor = []string{"anna", "Anna", "anna ", "bert"}[i%4]
		events[i].Tenant = []string{"acme", "bell", "core"}[i%3]
	}
	stored := s.write(t, events...)
	for _, f := range []event.Filter{
		{Actor: "nobody"},
		{Actor: "anna", Tenant: "acme"},
		{Actor: "anna"},
		{To: noon.Add(10 * time.Second)},
		{Tenant: "bell", From: noon.Add(40 * time.Second), To: noon.Add(50 * time.Second)},
		{Outcome: event.OutcomeFailure},
		{From: noon.Add(30*time.Second + time.Nanosecond), Order: event.NewestFirst},
		{ID: stored[10].ID},
		{Category: "custom"},
		{Category: "custom"},
	} {
		stored = s.remove(t, f, stored)
	}
}

func removeAwkward(t *testing.T, s *store) {
	if s.refusesRemoval(t) {
		return
	}
	values := []string{"a", "A", "a ", "á", "%", "_", "*", "?", "[a]", "'", `"`, `\`, "' OR '1'='1", "a|b", "{a}", "😀"}
	var events []event.Event
	for i, value := range values {
		e := plain(fmt.Sprintf("event-%02d", i))
		e.Actor, e.Reason = value, value
		events = append(events, e)
	}
	stored := s.write(t, events...)
	for _, value := range values {
		stored = s.remove(t, event.Filter{Actor: value}, stored)
	}
}

func removeUnbounded(t *testing.T, s *store) {
	stored := s.write(t, series(3)...)
	for _, f := range []event.Filter{{}, {Order: event.NewestFirst}} {
		calls := map[string]func() (int64, error){
			"Remove": func() (int64, error) { return repository.Remove(t.Context(), s.repo, f) },
		}
		if remover, ok := s.repo.(repository.FilterRemover); ok {
			calls["RemoveMatching"] = func() (int64, error) { return remover.RemoveMatching(t.Context(), f) }
		}
		for name, call := range calls {
			if n, err := call(); n != 0 || !errors.Is(err, repository.ErrUnboundedRemove) {
				t.Errorf("%s(%s) = %d, %v, want 0 and repository.ErrUnboundedRemove", name, describe(f), n, err)
			}
		}
	}
	s.expectAll(t, stored)
}

func removeBroken(t *testing.T, s *store) {
	stored := s.write(t, series(3)...)
	broken := brokenFilters()
	broken["limit"] = event.Filter{Category: "custom", Limit: 1}
	broken["offset"] = event.Filter{Category: "custom", Offset: 1}
	broken["after"] = event.Filter{Category: "custom", After: stored[0].Cursor()}
	for field, f := range broken {
		_, err := repository.Remove(t.Context(), s.repo, f)
		blames(t, fmt.Sprintf("Remove(%s)", describe(f)), err, field)
		if remover, ok := s.repo.(repository.FilterRemover); ok {
			_, err := remover.RemoveMatching(t.Context(), f)
			blames(t, fmt.Sprintf("RemoveMatching(%s)", describe(f)), err, field)
		}
	}
	s.expectAll(t, stored)
}

func removeByID(t *testing.T, s *store) {
	if s.refusesRemoval(t) {
		return
	}
	stored := s.write(t, plain("id"), plain("ID"), plain("id "), plain("%"))
	remover, ok := s.repo.(repository.Remover)
	if !ok { // then Remove does it by filter
		s.remove(t, event.Filter{ID: "id"}, stored)
		return
	}
	must(t, "Remove", remover.Remove(t.Context(), "id"))
	s.awaitCount(t, len(stored)-1)
	for _, id := range []string{"id", "Id", "_", "", "nobody"} {
		if err := remover.Remove(t.Context(), id); !errors.Is(err, repository.ErrNotFound) {
			t.Errorf("Remove(%q): error %v, want repository.ErrNotFound", id, err)
		}
	}
	s.expectAll(t, stored[1:])
}

func removeAndWrite(t *testing.T, s *store) {
	if s.refusesRemoval(t) {
		return
	}
	first := full()
	s.remove(t, event.Filter{ID: first.ID}, s.write(t, first))
	second := s.write(t, otherwise(first))
	s.expectAll(t, second)
	s.expect(t, event.Filter{Actor: first.Actor}, second)
}

func removeAll(t *testing.T, s *store) {
	stored := s.write(t, series(20)...)
	err := repository.RemoveAll(t.Context(), s.repo)
	if s.features.NoRemoveAll {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("RemoveAll: error %v, want errors.ErrUnsupported", err)
		}
		s.expectAll(t, stored)
		return
	}
	must(t, "RemoveAll", err)
	s.awaitCount(t, 0)
	s.expectAll(t, nil)
	s.expectCount(t, event.Filter{}, nil)
	must(t, "RemoveAll of an empty repository", repository.RemoveAll(t.Context(), s.repo))
	s.expectAll(t, s.write(t, stored[:5]...))
}
