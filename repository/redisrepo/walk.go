package redisrepo

import (
	"context"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/eventaudit/eventaudit/event"
)

// walk goes through sorted sets that lie in several places, as if they were
// one. It reads their members first and then the events of those that come
// next, so that no event is read in vain because its place is not.
type walk struct {
	repo    *Repository
	store   *store
	streams []*stream
	bounds  bounds
	newest  bool // goes first
	page    int  // how many members come next
	chunk   int  // how many members are read of a stream at once
}

// stream is one sorted set of a walk.
type stream struct {
	at      place
	key     string
	members []string // read and not passed yet
	last    string   // the member that was read last
	ended   bool     // there are no others to read
}

// Pages grow from one to the other while a loop goes on: most loops end early,
// and events may be large.
const (
	firstPage = 50
	lastPage  = 250
)

// walk prepares the walk through the smallest sets that hold what the filter
// asks for.
func (r *Repository) walk(ctx context.Context, f event.Filter) (*walk, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s, err := r.opened(ctx)
	if err != nil {
		return nil, err
	}
	places, err := r.places(ctx, s, s.all())
	if err != nil {
		return nil, err
	}
	w := &walk{repo: r, store: s, bounds: boundsOf(f), newest: f.Order == event.NewestFirst, page: firstPage}
	kinds, exact := candidates(f)
	if wanted := f.Limit + f.Offset; exact && f.Limit > 0 && wanted > 0 {
		w.page = min(wanted, lastPage)
	}
	if w.streams, err = r.streams(ctx, s, places, kinds, w.bounds); err != nil {
		return nil, err
	}
	w.chunk = w.page
	if n := len(w.streams); n > 1 {
		w.chunk = 2*w.page/n + 10 // more would hardly be used
	}
	return w, nil
}

// streams returns, for each place, the smallest of the sets.
func (r *Repository) streams(ctx context.Context, s *store, places []place, kinds []string, b bounds) ([]*stream, error) {
	var keys []string
	for _, at := range places {
		for _, kind := range kinds {
			keys = append(keys, r.key(s, at, kind))
		}
	}
	counts := make([]int64, len(keys))
	if len(kinds) > 1 {
		var err error
		if counts, err = r.countRanges(ctx, keys, b); err != nil {
			return nil, err
		}
	}
	var streams []*stream
	for i, at := range places {
		from := i * len(kinds)
		of := counts[from : from+len(kinds)]
		smallest := slices.Index(of, slices.Min(of))
		streams = append(streams, &stream{at: at, key: keys[from+smallest]})
	}
	return streams, nil
}

// countRanges counts the members of the sets between the bounds.
func (r *Repository) countRanges(ctx context.Context, keys []string, b bounds) ([]int64, error) {
	counts := make([]int64, len(keys))
	if len(keys) == 0 {
		return counts, nil
	}
	replies := make([]*redis.IntCmd, len(keys))
	_, err := r.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, key := range keys {
			replies[i] = pipe.ZLexCount(ctx, key, b.from, b.to)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i, reply := range replies {
		counts[i] = reply.Val()
	}
	return counts, nil
}

// next returns the rows that come next; none at the end.
func (w *walk) next(ctx context.Context) ([]row, error) {
	for {
		members, err := w.pass(ctx)
		if err != nil || len(members) == 0 {
			return nil, err
		}
		w.page = min(2*w.page, lastPage)
		w.chunk = min(2*w.chunk, lastPage)
		rows, err := w.load(ctx, members)
		if err != nil || len(rows) > 0 { // else all of them have just been removed
			return rows, err
		}
	}
}

// passed is a member of a stream.
type passed struct {
	member string
	at     place
}

// pass returns the members that come next.
func (w *walk) pass(ctx context.Context) ([]passed, error) {
	var page []passed
	for len(page) < w.page {
		if err := w.fill(ctx); err != nil {
			return nil, err
		}
		first := w.first()
		if first == nil {
			break
		}
		page = append(page, passed{first.members[0], first.at})
		first.members = first.members[1:]
	}
	return page, nil
}

// first returns the stream whose member comes next, nil at the end.
func (w *walk) first() *stream {
	var first *stream
	for _, s := range w.streams {
		if len(s.members) > 0 && (first == nil || (s.members[0] < first.members[0]) != w.newest) {
			first = s
		}
	}
	return first
}

// fill reads on where nothing is left that has been read.
func (w *walk) fill(ctx context.Context) error {
	var empty []*stream
	for _, s := range w.streams {
		if len(s.members) == 0 && !s.ended {
			empty = append(empty, s)
		}
	}
	if len(empty) == 0 {
		return nil
	}
	replies := make([]*redis.StringSliceCmd, len(empty))
	_, err := w.repo.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, s := range empty {
			replies[i] = w.read(ctx, pipe, s)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i, s := range empty {
		s.members = replies[i].Val()
		s.ended = len(s.members) < w.chunk
		if len(s.members) > 0 {
			s.last = s.members[len(s.members)-1]
		}
	}
	return nil
}

// read asks for the next members of a stream. ZRANGE with BYLEX and REV is
// avoided: client versions differ in which bound they expect first, and the
// wrong one yields nothing.
func (w *walk) read(ctx context.Context, pipe redis.Pipeliner, s *stream) *redis.StringSliceCmd {
	by := &redis.ZRangeBy{Min: w.bounds.from, Max: w.bounds.to, Count: int64(w.chunk)}
	switch {
	case w.newest && s.last != "":
		by.Max = "(" + s.last
	case s.last != "":
		by.Min = "(" + s.last
	}
	if w.newest {
		return pipe.ZRevRangeByLex(ctx, s.key, by)
	}
	return pipe.ZRangeByLex(ctx, s.key, by)
}

// load reads the events of the members. Those that were removed meanwhile are
// left out, also when their ID has come back at another time.
func (w *walk) load(ctx context.Context, members []passed) ([]row, error) {
	ids := map[place][]string{}
	for _, m := range members {
		ids[m.at] = append(ids[m.at], idOf(m.member))
	}
	replies := map[place]*redis.SliceCmd{}
	_, err := w.repo.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for at, ids := range ids {
			replies[at] = pipe.HMGet(ctx, w.repo.key(w.store, at, bodies), ids...)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var rows []row
	at := map[place]int{}
	for _, m := range members {
		body, stored := replies[m.at].Val()[at[m.at]].(string)
		at[m.at]++
		if !stored {
			continue
		}
		row := rowOf(idOf(m.member), body, m.at)
		if row.broken != nil && row.event.Timestamp.IsZero() {
			row.event.Timestamp = timeOf(m.member)
		}
		if memberOf(row.event) == m.member {
			rows = append(rows, row)
		}
	}
	return rows, nil
}
