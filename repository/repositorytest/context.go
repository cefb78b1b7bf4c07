package repositorytest

import (
	"context"
	"errors"
	"testing"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
)

func contextCases() []testCase {
	return []testCase{
		{
			"cancelled_before", "With a cancelled context nothing is written, read or removed; the error wraps context.Canceled.", cancelledBefore,
		},
		{
			"cancelled_during", "A list that the context cuts off ends with an error that wraps context.Canceled, never as if it were complete.", cancelledDuring,
		},
	}
}

func cancelledBefore(t *testing.T, s *store) {
	stored := s.write(t, series(3)...)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	calls := map[string]func() error{
		"Write": func() error { return s.repo.Write(ctx, plain("late")) },
		"Find": func() error {
			found, err := collect(s.repo.Find(ctx, event.Filter{}))
			if len(found) > 0 {
				t.Errorf("Find yields %d events", len(found))
			}
			return err
		},
		"Get": func() error {
			_, err := repository.Get(ctx, s.repo, stored[0].ID)
			return err
		},
		"Count": func() error {
			_, err := repository.Count(ctx, s.repo, event.Filter{})
			return err
		},
		"Ping": func() error { return repository.Ping(ctx, s.repo) },
	}
	if !s.features.NoRemove {
		calls["Remove"] = func() error {
			_, err := repository.Remove(ctx, s.repo, event.Filter{ID: stored[0].ID})
			return err
		}
	}
	if !s.features.NoRemoveAll {
		calls["RemoveAll"] = func() error { return repository.RemoveAll(ctx, s.repo) }
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error %v, want one that wraps context.Canceled", name, err)
		}
	}
	s.expectAll(t, stored)
}

func cancelledDuring(t *testing.T, s *store) {
	const n = 2000
	s.write(t, series(n)...)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	read := 0
	for e, err := range s.repo.Find(ctx, event.Filter{}) {
		if err != nil {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("the list ends with %v, want an error that wraps context.Canceled", err)
			}
			if e.ID != "" {
				t.Errorf("the error comes with event %q", e.ID)
			}
			return
		}
		read++
		cancel()
	}
	if read != n { // a repository that had read everything may hand it over
		t.Errorf("the list ends after %d of %d events without an error", read, n)
	}
}
