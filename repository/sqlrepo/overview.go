package sqlrepo

import (
	"context"
	"database/sql"
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
	slices := make([]repository.Slice, len(spans))
	for i, span := range spans {
		slices[i] = repository.Slice{Span: span, Counts: map[string]int64{}, Exact: true}
	}
	if err := r.looked(ctx, f, slices, most); err != nil {
		return nil, failed(ctx, "histogram", err)
	}
	var full []*repository.Slice
	for i := range slices {
		if s := &slices[i]; s.Total() > int64(most) {
			s.Exact = false
			full = append(full, s)
		}
	}
	if err := r.sample(ctx, f, full, most); err != nil {
		return nil, failed(ctx, "histogram", err)
	}
	return slices, nil
}

// looked counts the first events of each span, one more than most.
func (r *Repository) looked(ctx context.Context, f event.Filter, slices []repository.Slice, most int) error {
	s := &statement{dialect: r.dialect}
	s.each(spansOf(slices), func(from, to func() string) {
		s.add("SELECT ", s.columns("category", "overflow"), " FROM ", r.table)
		s.where(f)
		s.within(from, to)
		s.orderBy(f)
		s.add(" LIMIT ", strconv.Itoa(most+1))
	})
	var i int
	var category string
	var overflow sql.NullString
	return r.scanAll(ctx, s, []any{&i, &category, &overflow}, func() error {
		name, err := categoryOf(category, overflow)
		slices[i].Counts[name]++
		return err
	})
}

func spansOf(slices []repository.Slice) []repository.Span {
	spans := make([]repository.Span, len(slices))
	for i, s := range slices {
		spans[i] = s.Span
	}
	return spans
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
			s.add("(", strconv.Itoa(i), ",", s.moment(span.From), "::timestamptz,", s.moment(span.To), "::timestamptz)")
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

// moment marks the time, or the nearest one that every database can store.
func (s *statement) moment(t time.Time) string {
	switch t = roundUp(t); {
	case t.Before(earliest):
		t = earliest
	case t.After(latest):
		t = latest
	}
	return s.mark(s.dialect.bindTime(t))
}

func (s *statement) within(from, to func() string) {
	s.and(s.timestamp(), " >= ", from())
	s.and(s.timestamp(), " < ", to())
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

// sample replaces the counts of the slices by what samples let expect.
func (r *Repository) sample(ctx context.Context, f event.Filter, slices []*repository.Slice, most int) error {
	if len(slices) == 0 {
		return nil
	}
	ends, err := r.ends(ctx, slices)
	if err != nil {
		return err
	}
	drawn := map[int64][]int{} // by sequence, for which slices
	for i := range slices {
		for _, n := range ends[i].spread(most) {
			drawn[n] = append(drawn[n], i)
		}
	}
	found := make([]map[string]int64, len(slices))
	for i := range found {
		found[i] = map[string]int64{}
	}
	err = r.drawn(ctx, f, drawn, func(i int, category string, at time.Time) {
		if !at.Before(slices[i].From) && at.Before(slices[i].To) {
			found[i][category]++
		}
	})
	for i, slice := range slices {
		slice.Counts = expected(slice.Counts, found[i], ends[i], most)
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

// expected raises what samples found to all sequences of the span. There are at
// least those that were looked at.
func expected(looked, found map[string]int64, all ends, most int) map[string]int64 {
	raised := map[string]int64{}
	for category, n := range found {
		raised[category] = n * all.count() / int64(most)
	}
	for category, n := range looked {
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
func (r *Repository) ends(ctx context.Context, slices []*repository.Slice) ([]ends, error) {
	found := make([]ends, len(slices))
	spans := make([]repository.Span, len(slices))
	for i, slice := range slices {
		spans[i] = slice.Span
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
