package repositorytest

import (
	"fmt"
	"sync"
	"testing"

	"github.com/eventaudit/eventaudit/event"
)

const writers = 8

func concurrencyCases() []testCase {
	return []testCase{
		{
			"writers", "Goroutines may write at the same time; no event is lost and none doubled.",
			func(t *testing.T, s *store) {
				const each = 25
				var stored []event.Event
				for i, e := range series(writers * each) {
					e.Actor = fmt.Sprint("writer-", i%writers)
					e.Complete(noon)
					stored = append(stored, e)
				}
				together(func(writer int) {
					for i := writer; i < len(stored); i += writers {
						if err := s.repo.Write(t.Context(), stored[i]); err != nil {
							t.Errorf("Write: %v", err)
						}
					}
				})
				s.awaitCount(t, len(stored))
				s.expectAll(t, stored)
			},
		},
		{
			"same_id", "When goroutines write the same ID at the same time exactly one of their events is stored.",
			func(t *testing.T, s *store) {
				const rounds = 20
				together(func(writer int) {
					for round := range rounds {
						e := plain(fmt.Sprintf("round-%02d", round))
						e.Actor, e.Reason = fmt.Sprint(writer), fmt.Sprint(writer)
						if err := s.repo.Write(t.Context(), e); err != nil {
							t.Errorf("Write: %v", err)
						}
					}
				})
				s.awaitCount(t, rounds)
				found := s.find(t, event.Filter{})
				if len(found) != rounds {
					t.Fatalf("%d events are stored, want %d: %s", len(found), rounds, ids(found))
				}
				for _, e := range found {
					if e.Actor == "" || e.Actor != e.Reason {
						t.Errorf("event %q is mixed from two: actor %q, reason %q", e.ID, e.Actor, e.Reason)
					}
				}
			},
		},
		{
			"readers", "Goroutines may read while others write; they never see half an event.",
			func(t *testing.T, s *store) {
				whole := full()
				together(func(n int) {
					for i := range 10 {
						if n%2 == 0 {
							e := whole
							e.ID = fmt.Sprintf("event-%d-%d", n, i)
							if err := s.repo.Write(t.Context(), e); err != nil {
								t.Errorf("Write: %v", err)
							}
							continue
						}
						found, err := collect(s.repo.Find(t.Context(), event.Filter{Actor: whole.Actor}))
						if err != nil {
							t.Errorf("Find: %v", err)
						}
						for _, e := range found {
							e.ID = whole.ID
							if problem := s.compare(whole, e); problem != "" {
								t.Errorf("a reader sees %s", problem)
							}
						}
					}
				})
			},
		},
	}
}

// together runs the function in several goroutines and waits for them.
func together(work func(n int)) {
	var group sync.WaitGroup
	for n := range writers {
		group.Go(func() { work(n) })
	}
	group.Wait()
}
