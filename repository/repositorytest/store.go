package repositorytest

import (
	"context"
	"fmt"
	"testing"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
)

// store is the repository under test, with the steps that the cases are made
// of.
type store struct {
	repo     repository.Repository
	features Features
}

// write stores the events, waits until they show, and returns them as Find
// has to yield them.
func (s *store) write(t *testing.T, events ...event.Event) []event.Event {
	t.Helper()
	want, err := repository.Prepare(events)
	if err != nil {
		t.Fatalf("the suite made an invalid event: %v", err)
	}
	if err := s.repo.Write(t.Context(), events...); err != nil {
		t.Fatalf("Write of %d events: %v", len(events), err)
	}
	s.await(t, func() error { return s.shows(t.Context(), want) })
	return want
}

// await waits for a change to show, where the repository needs that.
func (s *store) await(t *testing.T, check func() error) {
	t.Helper()
	if s.features.Eventually != nil {
		s.features.Eventually(t, check)
	}
}

// shows reports whether all of the events can be found.
func (s *store) shows(ctx context.Context, events []event.Event) error {
	stored, err := collect(s.repo.Find(ctx, event.Filter{}))
	if err != nil {
		return err
	}
	there := map[string]bool{}
	for _, e := range stored {
		there[e.ID] = true
	}
	for _, e := range events {
		if !there[e.ID] {
			return fmt.Errorf("event %s does not show", quote(e.ID))
		}
	}
	return nil
}

// awaitCount waits until the repository shows n events.
func (s *store) awaitCount(t *testing.T, n int) {
	t.Helper()
	s.await(t, func() error {
		stored, err := collect(s.repo.Find(t.Context(), event.Filter{}))
		if err == nil && len(stored) != n {
			err = fmt.Errorf("%d events show, not %d", len(stored), n)
		}
		return err
	})
}

// find returns what Find yields, and ends the test when that is an error.
func (s *store) find(t *testing.T, f event.Filter) []event.Event {
	t.Helper()
	found, err := collect(s.repo.Find(t.Context(), f))
	if err != nil {
		t.Fatalf("Find(%s): %v", describe(f), err)
	}
	return found
}

// expect checks that Find answers the filter as the reference does, given the
// events that are stored.
func (s *store) expect(t *testing.T, f event.Filter, stored []event.Event) {
	t.Helper()
	want, got := answer(stored, f), s.find(t, f)
	if problem := s.compareLists(want, got); problem != "" {
		t.Errorf("Find(%s): %s", describe(f), problem)
	}
}

// expectAll checks that exactly these events are stored.
func (s *store) expectAll(t *testing.T, stored []event.Event) {
	t.Helper()
	s.expect(t, event.Filter{}, stored)
}

// must ends the test when a step of it went wrong.
func must(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}
