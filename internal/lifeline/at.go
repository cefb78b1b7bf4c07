package lifeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Source knows the rows of one table.
type Source interface {
	// Steps returns the steps of the rows that have had the key, as the
	// function Steps does. Those that gave a row the key or took it are in it.
	Steps(ctx context.Context, id string) ([]Step, error)
	// Live returns the row that has the key now, nil when there is none. Known
	// is false when the table cannot be asked.
	Live(ctx context.Context, id string) (row Row, known bool, err error)
}

// The ways in which a trail cannot tell what a row was.
var (
	// ErrNothingKnown says that there is neither an event nor a row.
	ErrNothingKnown = errors.New("neither the trail nor the table has such a record")
	// ErrContradiction says that a row came or went without an event, so that
	// it cannot be told whether it was there.
	ErrContradiction = errors.New("the record came or went outside of the trail")
)

// State is a row at a moment.
type State struct {
	// Exists says that there was a row. Nothing else is set without.
	Exists bool
	// Row has the cells that are known.
	Row Row
	// Unknown are the columns whose value at that moment cannot be told:
	// masked, not recorded, or changed outside of the trail.
	Unknown []string
	// Last is the last step before, nil when the trail has none; Next the
	// first one after.
	Last, Next *Step
}

// At returns what the row with the key was at the moment. A column whose
// changes may go without an event is Unknown; silent tells them, nil is none.
//
// A value counts as known when the nearest step before says it or the nearest
// one after, the live row at last; and when both do, only if they agree.
func At(ctx context.Context, rows Source, id string, at time.Time, silent func(column string) bool) (State, error) {
	steps, err := rows.Steps(ctx, id)
	if err != nil {
		return State{}, err
	}
	after := 0
	for i, s := range steps {
		if !s.Event.Timestamp.After(at) {
			after = i + 1
		}
	}
	w := walk{rows: rows, id: id}
	state, err := w.existence(ctx, steps, after)
	if err != nil || !state.Exists {
		return state, err
	}
	past, future := Row{}, Row{}
	if err := w.back(ctx, steps[:after], past); err != nil {
		return State{}, err
	}
	if err := w.forth(ctx, steps[after:], future); err != nil {
		return State{}, err
	}
	state.combine(past, future, silent)
	return state, nil
}

// existence says whether there was a row between two steps.
func (w walk) existence(ctx context.Context, steps []Step, after int) (State, error) {
	var state State
	was, is := -1, -1 // no, yes or not known: by the step before, by the one after
	if after > 0 {
		state.Last = &steps[after-1]
		was = truth(state.Last.To == w.id)
	}
	if after < len(steps) {
		state.Next = &steps[after]
		is = truth(state.Next.From == w.id)
	} else {
		live, known, err := w.rows.Live(ctx, w.id)
		if err != nil {
			return State{}, err
		}
		if known {
			is = truth(live != nil)
		}
		if state.Last != nil && state.Last.Blind && live != nil {
			was = 1 // a soft delete
		}
	}
	switch {
	case was < 0 && is < 0, len(steps) == 0 && is == 0:
		return State{}, ErrNothingKnown
	case was >= 0 && is >= 0 && was != is:
		return State{}, fmt.Errorf("%w, after %s", ErrContradiction, state.Last.Event.Timestamp.Format(time.RFC3339Nano))
	}
	state.Exists = max(was, is) == 1
	return state, nil
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

// walk follows a row through its steps.
type walk struct {
	rows Source
	id   string
}

// back collects the last value that the steps gave each column.
func (w walk) back(ctx context.Context, steps []Step, values Row) error {
	for i := len(steps) - 1; i >= 0; i-- {
		s := steps[i]
		if s.To != w.id || s.Blind {
			return nil
		}
		add(values, s.New)
		if s.From == w.id {
			continue
		}
		if s.From == "" {
			return nil
		}
		earlier, err := w.rows.Steps(ctx, s.From)
		if err != nil {
			return err
		}
		place := placeOf(earlier, s)
		return walk{w.rows, s.From}.back(ctx, earlier[:max(place, 0)], values)
	}
	return nil
}

// forth collects the first value that the steps found in each column, and what
// the live row has in the columns that they did not touch.
func (w walk) forth(ctx context.Context, steps []Step, values Row) error {
	for _, s := range steps {
		if s.From != w.id || s.Blind || s.Event.BeforeUnknown {
			return nil
		}
		add(values, s.Old)
		for column := range s.New {
			if _, told := s.Old[column]; !told {
				add(values, Row{column: nil}) // what it was before is not told
			}
		}
		if s.To == "" {
			return nil
		}
		if s.To != w.id {
			later, err := w.rows.Steps(ctx, s.To)
			if err != nil {
				return err
			}
			place := placeOf(later, s)
			return walk{w.rows, s.To}.forth(ctx, later[place+1:], values)
		}
	}
	live, _, err := w.rows.Live(ctx, w.id)
	add(values, live)
	return err
}

// add takes the values of columns that have none yet.
func add(into, values Row) {
	for column, value := range values {
		if _, ok := into[column]; !ok {
			into[column] = value
		}
	}
}

// placeOf finds a step among those of another key, -1 when it is not there.
func placeOf(steps []Step, s Step) int {
	return slices.IndexFunc(steps, func(other Step) bool { return other.Event.ID == s.Event.ID })
}

func (s *State) combine(past, future Row, silent func(string) bool) {
	s.Row = Row{}
	columns := maps.Clone(past)
	maps.Copy(columns, future)
	for column := range columns {
		was, before := told(past, column)
		is, after := told(future, column)
		switch {
		case silent != nil && silent(column), before && after && !Same(was, is), !before && !after:
			s.Unknown = append(s.Unknown, column)
		case before:
			s.Row[column] = was
		default:
			s.Row[column] = is
		}
	}
	slices.Sort(s.Unknown)
}

// told returns a value that is there and not masked.
func told(row Row, column string) (cell json.RawMessage, ok bool) {
	cell = row[column]
	return cell, cell != nil && !Masked(cell)
}
