package sqlrepo

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
)

var (
	_ repository.LimitedCounter = (*Repository)(nil)
	_ repository.Histogrammer   = (*Repository)(nil)
)

// CountUpTo implements [repository.LimitedCounter].
func (r *Repository) CountUpTo(ctx context.Context, f event.Filter, most int) (int64, error) {
	if err := f.Validate(); err != nil {
		return 0, err
	}
	s := &statement{dialect: r.dialect}
	s.add("SELECT count(*) FROM (SELECT 1 FROM ", r.table)
	if !s.matching(f) {
		return 0, nil
	}
	s.add(" LIMIT ", strconv.Itoa(most), ") AS counted")
	var n int64
	if err := r.pool.QueryRowContext(ctx, s.text.String(), s.args...).Scan(&n); err != nil {
		return 0, failed(ctx, "count", err)
	}
	return n, nil
}

// Histogram implements [repository.Histogrammer].
//
// Of a span with more events than are to be looked at it takes samples, evenly
// by sequence: the database assigns sequences one after the other, so that
// they say how many events there are, and their primary key leads to each.
func (r *Repository) Histogram(ctx context.Context, f event.Filter, spans []repository.Span, most int) ([]repository.Slice, error) {
	var counted []repository.Slice
	for some := range slices.Chunk(spans, maxSpans) {
		of, err := r.histogram(ctx, f, some, most)
		if err != nil {
			return nil, failed(ctx, "histogram", err)
		}
		counted = append(counted, of...)
	}
	return counted, nil
}

// What one statement takes: SQLite knows no longer UNION than of 500, and no
// more than 32,766 arguments.
const (
	maxSpans  = 100
	maxSample = 200 // of each span
)

func (r *Repository) histogram(ctx context.Context, f event.Filter, spans []repository.Span, most int) ([]repository.Slice, error) {
	looks, err := r.look(ctx, f, spans, most)
	if err != nil {
		return nil, err
	}
	var full []*look
	counted := make([]repository.Slice, len(spans))
	for i := range looks {
		if l := &looks[i]; l.Total() > int64(most) {
			l.Exact = false
			full = append(full, l)
		}
	}
	err = r.sample(ctx, f, full, min(most, maxSample))
	for i, l := range looks {
		counted[i] = l.Slice
	}
	return counted, err
}

// look is what the first events of a span tell.
type look struct {
	repository.Slice
	// reached is the highest sequence among them.
	reached int64
}

// look counts the first events of each span, one more than most.
func (r *Repository) look(ctx context.Context, f event.Filter, spans []repository.Span, most int) ([]look, error) {
	looks := make([]look, len(spans))
	for i, span := range spans {
		looks[i].Slice = repository.Slice{Span: span, Counts: map[string]int64{}, Exact: true}
	}
	s := &statement{dialect: r.dialect}
	s.each(spans, func(from, to func() string) {
		s.add("SELECT ", s.columns(sequence, "category", "overflow"), " FROM ", r.table)
		s.where(f)
		s.within(from, to)
		s.orderBy(f)
		s.add(" LIMIT ", strconv.Itoa(most+1))
	})
	var i int
	var n int64
	var category string
	var overflow sql.NullString
	return looks, r.scanAll(ctx, s, []any{&i, &n, &category, &overflow}, func() error {
		name, err := categoryOf(category, overflow)
		looks[i].Counts[name]++
		looks[i].reached = max(looks[i].reached, n)
		return err
	})
}

// each adds a question for every span, whose rows get the number of the span in
// front. A database that plans each part of a UNION by itself is asked once,
// with the spans as a table.
func (s *statement) each(spans []repository.Span, question func(from, to func() string)) {
	if s.dialect.lateral {
		s.add("SELECT b.n, x.* FROM (VALUES ")
		for i, span := range spans {
			if i > 0 {
				s.add(",")
			}
			from, to := cmp.Or(s.moment(span.From), "'infinity'"), cmp.Or(s.moment(span.To), "'infinity'")
			s.add("(", strconv.Itoa(i), ",", from, "::timestamptz,", to, "::timestamptz)")
		}
		s.add(") AS b (n, lo, hi) CROSS JOIN LATERAL (")
		question(func() string { return "b.lo" }, func() string { return "b.hi" })
		s.add(") AS x")
		return
	}
	for i, span := range spans {
		if i > 0 {
			s.add(" UNION ALL ")
		}
		s.add("SELECT ", strconv.Itoa(i), ", x", strconv.Itoa(i), ".* FROM (")
		s.joined = false
		question(func() string { return s.moment(span.From) }, func() string { return s.moment(span.To) })
		s.add(") AS x", strconv.Itoa(i))
	}
}

// moment marks the time, or the earliest one that every database can store. It
// returns nothing for a time that is after all of them.
func (s *statement) moment(t time.Time) string {
	switch t = roundUp(t); {
	case t.Before(earliest):
		t = earliest
	case t.After(latest):
		return ""
	}
	return s.mark(s.dialect.bindTime(t))
}

func (s *statement) within(from, to func() string) {
	if first := from(); first == "" {
		s.and("1 = 0")
	} else {
		s.and(s.timestamp(), " >= ", first)
	}
	if end := to(); end != "" {
		s.and(s.timestamp(), " < ", end)
	}
}

func (s *statement) columns(names ...string) string {
	for i, name := range names {
		names[i] = s.dialect.quoted(name)
	}
	return strings.Join(names, ",")
}

// scanAll reads the rows of the statement into the variables, one after the
// other.
func (r *Repository) scanAll(ctx context.Context, s *statement, into []any, next func() error) error {
	rows, err := r.pool.QueryContext(ctx, s.text.String(), s.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		if err := next(); err != nil {
			return err
		}
	}
	return rows.Err()
}

// categoryOf returns a category as it was written.
func categoryOf(stored string, overflow sql.NullString) (string, error) {
	e := event.Event{Category: unescape(stored)}
	if !overflow.Valid {
		return e.Category, nil
	}
	err := restore(&e, overflow.String)
	return e.Category, err
}

// sample replaces the counts by what samples let expect.
func (r *Repository) sample(ctx context.Context, f event.Filter, full []*look, most int) error {
	if len(full) == 0 {
		return nil
	}
	ends, err := r.ends(ctx, full)
	if err != nil {
		return err
	}
	drawn := map[int64][]int{} // by sequence, for which spans
	found := make([]map[string]int64, len(full))
	for i := range full {
		found[i] = map[string]int64{}
		for _, n := range ends[i].spread(most) {
			drawn[n] = append(drawn[n], i)
		}
	}
	err = r.drawn(ctx, f, drawn, func(i int, category string, at time.Time) {
		if !at.Before(full[i].From) && at.Before(full[i].To) {
			found[i][category]++
		}
	})
	for i, l := range full {
		l.Counts = l.expected(found[i], ends[i], int64(most))
	}
	return err
}

// drawn reads those of the drawn events that match.
func (r *Repository) drawn(ctx context.Context, f event.Filter, drawn map[int64][]int, count func(i int, category string, at time.Time)) error {
	s := &statement{dialect: r.dialect}
	s.add("SELECT ", s.columns(sequence, "category", "overflow"), ",", r.dialect.readTime, " FROM ", r.table)
	marks := make([]string, 0, len(drawn))
	for n := range drawn {
		marks = append(marks, s.mark(n))
	}
	s.and(s.columns(sequence), " IN (", strings.Join(marks, ","), ")")
	for _, field := range f.Fields() {
		value, _ := encode(field.Value)
		s.and("COALESCE(", s.columns(field.Name), ", '') = ", s.mark(value)) // by no other index than that on the sequence
	}
	var n int64
	var category string
	var overflow sql.NullString
	var at time.Time
	return r.scanAll(ctx, s, []any{&n, &category, &overflow, timestamp{&at}}, func() error {
		name, err := categoryOf(category, overflow)
		for _, i := range drawn[n] {
			count(i, name, at)
		}
		return err
	})
}

// expected raises what the samples found to all sequences of the span. Where
// they found little, the events that were looked at tell more: how many sequences
// it took to meet them. There are at least these.
func (l look) expected(found map[string]int64, all ends, samples int64) map[string]int64 {
	hits := repository.Slice{Counts: found}.Total()
	counts, share := found, float64(all.count())/float64(samples)
	if few := samples / 4; hits < few {
		looked := float64(l.Total())
		share = min(float64(all.count())/float64(max(l.reached-all.first+1, 1)), share*float64(few)/looked)
		counts = l.Counts
	}
	raised := map[string]int64{}
	for category, n := range counts {
		raised[category] = int64(float64(n) * share)
	}
	for category, n := range l.Counts {
		raised[category] = max(raised[category], n)
	}
	return raised
}

// ends are the sequences of the first and the last event of a span.
type ends struct{ first, last int64 }

func (e ends) count() int64 { return e.last - e.first + 1 }

// spread returns so many sequences, evenly from one end to the other.
func (e ends) spread(n int) []int64 {
	sequences := make([]int64, n)
	for i := range sequences {
		sequences[i] = e.first + int64(float64(e.count())*(float64(i)+0.5)/float64(n))
	}
	return sequences
}

// ends reads the sequences at the ends of the spans, whatever the filter.
func (r *Repository) ends(ctx context.Context, full []*look) ([]ends, error) {
	found := make([]ends, len(full))
	spans := make([]repository.Span, len(full))
	for i, l := range full {
		spans[i] = l.Span
	}
	for _, order := range []event.Order{event.OldestFirst, event.NewestFirst} {
		s := &statement{dialect: r.dialect}
		s.each(spans, func(from, to func() string) {
			s.add("SELECT ", s.columns(sequence), " FROM ", r.table)
			s.within(from, to)
			s.orderBy(event.Filter{Order: order})
			s.add(" LIMIT 1")
		})
		var i int
		var n int64
		err := r.scanAll(ctx, s, []any{&i, &n}, func() error {
			if e := &found[i]; *e == (ends{}) {
				*e = ends{n, n}
			} else {
				*e = ends{min(e.first, n), max(e.last, n)}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}
