package repositorytest

import (
	"errors"
	"testing"
	"time"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
)

func powerCases() []testCase {
	return []testCase{
		{
			"get", "Get returns the event with exactly that ID, otherwise repository.ErrNotFound.",
			func(t *testing.T, s *store) {
				stored := s.write(t, full(), plain("Other"))
				for _, want := range stored {
					got, err := repository.Get(t.Context(), s.repo, want.ID)
					must(t, "Get", err)
					if problem := s.compare(want, got); problem != "" {
						t.Errorf("Get(%q): %s", want.ID, problem)
					}
				}
				for _, id := range []string{"nobody", "other", "Other ", "Othe", "%", "Other'"} {
					if e, err := repository.Get(t.Context(), s.repo, id); !errors.Is(err, repository.ErrNotFound) {
						t.Errorf("Get(%q) = event %q, error %v, want repository.ErrNotFound", id, e.ID, err)
					}
				}
				_, err := repository.Get(t.Context(), s.repo, "")
				blames(t, "Get without an ID", err, "id")
			},
		},
		{
			"count", "Count counts what the filter matches and ignores Limit, Offset and Order.",
			func(t *testing.T, s *store) {
				s.expectCount(t, event.Filter{}, nil)
				events := series(20)
				for i := range events {
					events[i].Actor = []string{"anna", "Anna", "bert"}[i%3]
				}
				stored := s.write(t, events...)
				for _, f := range []event.Filter{
					{},
					{Limit: 3},
					{Offset: 15},
					{Limit: 3, Offset: 100, Order: event.NewestFirst},
					{Actor: "anna"},
					{Actor: "nobody"},
					{From: noon.Add(5 * time.Second), To: noon.Add(7 * time.Second)},
					{After: stored[9].Cursor()},
					{After: stored[9].Cursor(), Order: event.NewestFirst, Actor: "bert"},
				} {
					s.expectCount(t, f, stored)
				}
			},
		},
		{
			"ping", "Ping answers without an error while the repository is reachable, empty or not.",
			func(t *testing.T, s *store) {
				must(t, "Ping of an empty repository", repository.Ping(t.Context(), s.repo))
				s.write(t, plain("one"))
				must(t, "Ping", repository.Ping(t.Context(), s.repo))
			},
		},
	}
}
