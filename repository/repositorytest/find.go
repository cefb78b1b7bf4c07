package repositorytest

import (
	"context"
	"testing"
	"time"

	"github.com/eventaudit/eventaudit/event"
)

func findCases() []testCase {
	return []testCase{
		{
			"empty", "An empty repository yields nothing, and no error.",
			func(t *testing.T, s *store) { s.expectBothOrders(t, nil) },
		},
		{
			"again", "The sequence may be ranged over again and then sees what was written meanwhile.",
			func(t *testing.T, s *store) {
				events := series(6)
				stored := s.write(t, events[:3]...)
				sequence := s.repo.Find(t.Context(), event.Filter{})
				for range 2 {
					found, err := collect(sequence)
					must(t, "ranging over a sequence again", err)
					if problem := s.compareLists(stored, found); problem != "" {
						t.Error(problem)
					}
				}
				stored = append(stored, s.write(t, events[3:]...)...)
				found, err := collect(sequence)
				must(t, "ranging over a sequence after a write", err)
				if problem := s.compareLists(stored, found); problem != "" {
					t.Error(problem)
				}
			},
		},
		{
			"broken_off", "A loop may end early; nothing stays open, however often that happens.",
			func(t *testing.T, s *store) {
				stored := s.write(t, series(300)...)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				for range 100 { // more than any pool has connections
					for e, err := range s.repo.Find(ctx, event.Filter{}) {
						must(t, "the first event of a loop that ends early", err)
						if e.ID != stored[0].ID {
							t.Fatalf("the first event is %q, want %q", e.ID, stored[0].ID)
						}
						break
					}
				}
				must(t, "Write after loops that ended early", s.repo.Write(ctx, plain("afterwards")))
			},
		},
		{
			"lazy", "Find does nothing before its sequence is ranged over.",
			func(t *testing.T, s *store) {
				ctx, cancel := context.WithCancel(t.Context())
				never := s.repo.Find(ctx, event.Filter{})
				cancel()
				if _, err := collect(never); err == nil {
					t.Error("ranging after the context was cancelled yields no error")
				}
				s.expectAll(t, nil)
			},
		},
	}
}
