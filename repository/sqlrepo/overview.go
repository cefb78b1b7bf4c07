package sqlrepo

import (
	"context"
	"database/sql"
	"fmt"
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
	for i, slice := range slices {
		if i > 0 {
			s.add(" UNION ALL ")
		}
		s.add("SELECT ", strconv.Itoa(i), ",", s.categories(), " FROM (SELECT ", s.categories(), " FROM ", r.table)
		f.From, f.To = slice.From, slice.To
		s.joined = false
		if !s.where(f) {
			s.and("1 = 0")
		}
		s.orderBy(f)
		s.add(" LIMIT ", strconv.Itoa(most+1), ") AS span", strconv.Itoa(i))
	}
	return r.tally(ctx, s, func(i int64, category string) { slices[i].Counts[category]++ })
}

func (s *statement) categories() string {
	return s.dialect.quoted("category") + "," + s.dialect.quoted("overflow")
}

// tally reads rows of a number and a category.
func (r *Repository) tally(ctx context.Context, s *statement, count func(number int64, category string)) error {
	rows, err := r.pool.QueryContext(ctx, s.text.String(), s.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var number int64
		var e event.Event
		var overflow sql.NullString
		if err := rows.Scan(&number, &e.Category, &overflow); err != nil {
			return err
		}
		e.Category = unescape(e.Category)
		if overflow.Valid {
			if err := restore(&e, overflow.String); err != nil {
				return err
			}
		}
		count(number, e.Category)
	}
	return rows.Err()
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
	s := &statement{dialect: r.dialect}
	for i, slice := range slices {
		if i > 0 {
			s.add(" UNION ALL ")
		}
		s.add("SELECT ", strconv.Itoa(i), ",", s.categories(), " FROM ", r.table)
		s.joined = false
		s.sampled(f, slice.Span, ends[i].spread(most))
	}
	found := make([]map[string]int64, len(slices))
	err = r.tally(ctx, s, func(i int64, category string) {
		if found[i] == nil {
			found[i] = map[string]int64{}
		}
		found[i][category]++
	})
	if err != nil {
		return err
	}
	for i, slice := range slices {
		slice.Counts = expected(slice.Counts, found[i], ends[i], most)
	}
	return nil
}

// sampled adds the conditions that pick the sampled rows that match.
func (s *statement) sampled(f event.Filter, span repository.Span, sequences []int64) {
	marks := make([]string, len(sequences))
	for i, n := range sequences {
		marks[i] = s.mark(n)
	}
	s.and(s.dialect.quoted(sequence), " IN (", strings.Join(marks, ","), ")")
	for _, field := range f.Fields() {
		value, _ := encode(field.Value)
		s.and(s.dialect.unindexed, s.dialect.quoted(field.Name), " = ", s.mark(value))
	}
	s.and(s.dialect.unindexed, s.timestamp(), " >= ", s.mark(s.dialect.bindTime(roundUp(span.From))))
	s.and(s.dialect.unindexed, s.timestamp(), " < ", s.mark(s.dialect.bindTime(roundUp(span.To))))
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
	s := &statement{dialect: r.dialect}
	for i, slice := range slices {
		for _, order := range []event.Order{event.OldestFirst, event.NewestFirst} {
			if s.text.Len() > 0 {
				s.add(" UNION ALL ")
			}
			s.add("SELECT ", strconv.Itoa(i), ",", s.dialect.quoted(sequence), " FROM (SELECT ", s.dialect.quoted(sequence), " FROM ", r.table)
			span := event.Filter{From: slice.From, To: slice.To, Order: order}
			s.joined = false
			if !s.where(span) {
				return nil, fmt.Errorf("events in a span without any, from %v", slice.From.Format(time.RFC3339))
			}
			s.orderBy(span)
			s.add(" LIMIT 1) AS ", []string{"first", "last"}[order], strconv.Itoa(i))
		}
	}
	found := make([]ends, len(slices))
	rows, err := r.pool.QueryContext(ctx, s.text.String(), s.args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var i, n int64
		if err := rows.Scan(&i, &n); err != nil {
			return nil, err
		}
		if e := &found[i]; *e == (ends{}) {
			*e = ends{n, n}
		} else {
			*e = ends{min(e.first, n), max(e.last, n)}
		}
	}
	return found, rows.Err()
}
