package redisrepo

import (
	"context"
	"math"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
)

var (
	_ repository.LimitedCounter = (*Repository)(nil)
	_ repository.Histogrammer   = (*Repository)(nil)
)

// CountUpTo implements [repository.LimitedCounter].
func (r *Repository) CountUpTo(ctx context.Context, f event.Filter, most int) (int64, error) {
	f.Limit, f.Offset = 0, 0
	if _, exact := candidates(f); exact {
		n, err := r.Count(ctx, f)
		return min(n, int64(most)), err
	}
	f.Limit = most
	var n int64
	for _, err := range r.Find(ctx, f) {
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

// Histogram implements [repository.Histogrammer]. How many events there are in a
// span, the sorted sets tell; of what category they are, and where no set holds
// just those that match, samples that are taken evenly by rank.
func (r *Repository) Histogram(ctx context.Context, f event.Filter, spans []repository.Span, most int) ([]repository.Slice, error) {
	all := f
	all.From, all.To = spans[0].From, spans[len(spans)-1].To
	w, err := r.walk(ctx, all)
	if err != nil {
		return nil, r.failed(ctx, "histogram", err)
	}
	samples, err := w.ranks(ctx, spans, most)
	if err != nil {
		return nil, r.failed(ctx, "histogram", err)
	}
	counted := make([]repository.Slice, len(spans))
	for i, span := range spans {
		counted[i] = repository.Slice{Span: span, Counts: map[string]int64{}, Exact: samples[i].size() <= int64(most)}
	}
	_, exact := candidates(f)
	if exact && f.Category != "" { // there is nothing left to tell
		for i, sample := range samples {
			if n := sample.size(); n > 0 {
				counted[i].Counts[f.Category] = n
			}
			counted[i].Exact = true
		}
		return counted, nil
	}
	if err := w.tally(ctx, f, samples, counted); err != nil {
		return nil, r.failed(ctx, "histogram", err)
	}
	return counted, nil
}

// sample is what is looked at in a span: runs of members, in each stream.
type sample []runs

// runs are the members of a stream that lie in a span, and those of them that
// are looked at.
type runs struct {
	first, size int64 // ranks
	from        []int64
	length      int64
}

func (s sample) size() (n int64) {
	for _, r := range s {
		n += r.size
	}
	return n
}

// ranks asks where the spans lie in the streams, and chooses what is looked at.
func (w *walk) ranks(ctx context.Context, spans []repository.Span, most int) ([]sample, error) {
	replies := make([][2]*redis.IntCmd, 0, len(spans)*len(w.streams))
	_, err := w.repo.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, span := range spans {
			b := boundsOf(event.Filter{From: span.From, To: span.To})
			for _, s := range w.streams {
				replies = append(replies, [2]*redis.IntCmd{
					pipe.ZLexCount(ctx, s.key, "-", "("+b.from[1:]), pipe.ZLexCount(ctx, s.key, b.from, b.to),
				})
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	samples := make([]sample, len(spans))
	for i := range spans {
		for j := range w.streams {
			reply := replies[i*len(w.streams)+j]
			samples[i] = append(samples[i], runs{first: reply[0].Val(), size: reply[1].Val()})
		}
		samples[i].choose(int64(most))
	}
	return samples, nil
}

// runLength is how many neighbours are looked at: asking for each member alone
// would take longer than looking at it.
const runLength = 5

// choose takes the whole span where it is small, otherwise runs that are spread
// evenly over it.
func (s sample) choose(most int64) {
	all := s.size()
	for i := range s {
		r := &s[i]
		if all <= most {
			r.from, r.length = []int64{r.first}, r.size
			continue
		}
		n := int64(math.Ceil(float64(most) * float64(r.size) / float64(all) / runLength))
		r.length = min(runLength, r.size)
		for k := range n {
			r.from = append(r.from, r.first+(r.size-r.length)*(2*k+1)/(2*n))
		}
	}
}

// tally counts what matches among the samples, and raises it to their spans.
func (w *walk) tally(ctx context.Context, f event.Filter, samples []sample, counted []repository.Slice) error {
	members, of, err := w.members(ctx, samples)
	if err != nil || len(members) == 0 {
		return err
	}
	looked := make([]int64, len(counted))
	for _, i := range of {
		looked[i]++
	}
	rows, err := w.load(ctx, members)
	if err != nil {
		return err
	}
	for _, row := range rows {
		i := spanOf(counted, row.event)
		if i >= 0 && f.Match(row.event) {
			counted[i].Counts[row.event.Category]++
		}
	}
	for i, s := range counted {
		for category, n := range s.Counts {
			if !s.Exact {
				s.Counts[category] = n * samples[i].size() / looked[i]
			}
		}
	}
	return nil
}

// spanOf returns the slice that the event lies in, -1 when it lies in none.
func spanOf(all []repository.Slice, e event.Event) int {
	return slices.IndexFunc(all, func(s repository.Slice) bool {
		return !e.Timestamp.Before(s.From) && e.Timestamp.Before(s.To)
	})
}

// members reads the members of the samples, and says of which span each is.
func (w *walk) members(ctx context.Context, samples []sample) (found []passed, span []int, err error) {
	type asked struct {
		at    place
		span  int
		reply *redis.StringSliceCmd
	}
	var all []asked
	_, err = w.repo.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, sample := range samples {
			for j, r := range sample {
				for _, from := range r.from {
					if r.length > 0 {
						all = append(all, asked{w.streams[j].at, i, pipe.ZRange(ctx, w.streams[j].key, from, from+r.length-1)})
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	for _, a := range all {
		for _, member := range a.reply.Val() {
			found, span = append(found, passed{member, a.at}), append(span, a.span)
		}
	}
	return found, span, nil
}
