package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// segments is how many parts of a measurement are looked at for its spread.
const segments = 5

// setting is a database, with the ways of auditing that are compared on it. The
// first one is what the others are related to.
type setting struct {
	name     string
	variants []variant
	// open opens a fresh database for a variant.
	open func(v variant) (*subject, error)
	// operations are what is measured, if it is not the writes.
	operations []operation
}

// cell is the outcome of one operation for one variant.
type cell struct {
	median time.Duration
	// ratio is that to the first variant, from lowest to highest in the segments.
	ratio, lowest, highest float64
}

// table has the cells by operation and variant.
type table struct {
	setting    string
	operations []string
	variants   []string
	cells      map[string]map[string]cell
}

// measure runs all operations of all variants in turns.
func (s setting) measure(ctx context.Context, operations []operation, rounds int) (_ *table, err error) {
	var subjects []*subject
	defer func() {
		for _, one := range subjects {
			err = errors.Join(err, one.Close())
		}
	}()
	t := &table{setting: s.name, cells: map[string]map[string]cell{}}
	for _, v := range s.variants {
		one, err := s.open(v)
		if one != nil {
			subjects = append(subjects, one)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", v.name, err)
		}
		t.variants = append(t.variants, v.name)
	}
	for _, o := range operations {
		n := rounds
		if o.large {
			n = max(segments, rounds/4)
		}
		times := make([][]time.Duration, len(subjects))
		for round := -3; round < n; round++ { // the first ones are not counted
			for i := range subjects {
				if ctx.Err() != nil {
					return nil, ctx.Err()
				}
				at := (i + max(round, 0)) % len(subjects)
				took, err := subjects[at].once(o)
				if err != nil {
					return nil, fmt.Errorf("%s, %s: %w", subjects[at].name, o.name, err)
				}
				if round >= 0 {
					times[at] = append(times[at], took)
				}
			}
		}
		t.operations, t.cells[o.name] = append(t.operations, o.name), map[string]cell{}
		for i, one := range subjects {
			t.cells[o.name][one.name] = compare(times[0], times[i])
		}
	}
	return t, nil
}

// once runs an operation once.
func (s *subject) once(o operation) (time.Duration, error) {
	if run, ok := s.runs[o.name]; ok {
		if s.prepare != nil {
			if err := s.prepare(); err != nil {
				return 0, err
			}
		}
		start := time.Now()
		err := run()
		return time.Since(start), err
	}
	prepared, err := o.prepare(s.db)
	if err != nil {
		return 0, err
	}
	start := time.Now()
	err = o.run(s.db, prepared)
	return time.Since(start), err
}

// compare relates what was measured in turns.
func compare(base, times []time.Duration) cell {
	c := cell{median: median(times), ratio: ratio(base, times)}
	size := len(times) / segments
	var parts []float64
	for i := range segments {
		parts = append(parts, ratio(base[i*size:(i+1)*size], times[i*size:(i+1)*size]))
	}
	c.lowest, c.highest = slices.Min(parts), slices.Max(parts)
	return c
}

func ratio(base, times []time.Duration) float64 {
	return float64(median(times)) / float64(median(base))
}

func median(times []time.Duration) time.Duration {
	sorted := slices.SortedFunc(slices.Values(times), cmp.Compare[time.Duration])
	return sorted[len(sorted)/2]
}
