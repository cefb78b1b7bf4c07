package repositorytest_test

import (
	"context"
	"slices"
	"time"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
	"github.com/eventaudit/eventaudit/repository/memrepo"
)

func overviewMutants() []mutant {
	return []mutant{
		{name: "counts beyond the limit", caughtBy: "overview/count_up_to", spoil: func(mem *memrepo.Repository) repository.Repository {
			return countingAll{mem}
		}},
		{name: "calls half of them exact", caughtBy: "overview/histogram", spoil: spreading(func(counts map[string]int64) {
			for category := range counts {
				counts[category] /= 2
			}
		})},
		{name: "ends spans before the last moment", caughtBy: "overview/histogram_of_all_times", spoil: func(mem *memrepo.Repository) repository.Repository {
			return shortCalendar{mem}
		}},
		{name: "counts what is not there", caughtBy: "overview/histogram_of_nothing", spoil: spreading(func(counts map[string]int64) {
			counts["ghost"] = 1
		})},
	}
}

// countingAll counts all events, wherever it is to stop.
type countingAll struct{ *memrepo.Repository }

func (c countingAll) CountUpTo(ctx context.Context, f event.Filter, _ int) (int64, error) {
	return c.Count(ctx, f)
}

// shortCalendar has no time behind the last moment of a year.
type shortCalendar struct{ repository.Repository }

func (c shortCalendar) Histogram(ctx context.Context, f event.Filter, spans []repository.Span, most int) ([]repository.Slice, error) {
	last := time.Date(9999, time.December, 31, 23, 59, 59, 999_999_000, time.UTC)
	cut := slices.Clone(spans)
	for i := range cut {
		if cut[i].To.After(last) {
			cut[i].To = last
		}
	}
	return repository.Tally(c.Find(ctx, f), cut, nil)
}

// spreading returns repositories whose histograms count something else.
func spreading(spoil func(counts map[string]int64)) func(*memrepo.Repository) repository.Repository {
	return func(mem *memrepo.Repository) repository.Repository { return misspread{mem, spoil} }
}

type misspread struct {
	repository.Repository
	spoil func(counts map[string]int64)
}

func (m misspread) Histogram(ctx context.Context, f event.Filter, spans []repository.Span, most int) ([]repository.Slice, error) {
	slices, err := repository.Histogram(ctx, m.Repository, f, spans, most)
	for _, s := range slices {
		if s.Counts != nil {
			m.spoil(s.Counts)
		}
	}
	return slices, err
}
