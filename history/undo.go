package history

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/eventaudit/eventaudit/internal/lifeline"
)

// begin finds the rows as they are, and what happened to them since.
func (p *planner) begin(ctx context.Context) (err error) {
	p.holders = map[[2]string]*life{}
	for _, l := range slices.Backward(p.all) {
		if l.was == "" && l.is == "" {
			continue // nothing is left of it
		}
		if l.at = l.is; l.at != "" {
			p.holders[[2]string{l.object, l.at}] = l
		}
		if l.now, err = l.target.live(l.at); err != nil {
			return err
		}
		if err := p.unchanged(ctx, l, l.now); err != nil {
			return err
		}
	}
	return nil
}

// undo plans what takes a row back over a stretch of events. What was before the
// first one has to be restored, or is in conflict. What was between two is there
// for the sake of other rows, which refer to it or have its unique values in the
// meantime: so much of it as is known.
func (p *planner) undo(st *stretch) error {
	l := st.life
	if st == l.stretches[0] {
		return p.finish(l)
	}
	switch {
	case st.was == "" && l.at == "":
		return nil
	case st.was == "" && !l.stays():
		p.operate(l, Delete, "", nil)
		return nil
	case l.at == "":
		row, told := l.target.all(st.old)
		if !told {
			return nil
		}
		return p.stopOver(l, Insert, row)
	}
	row := l.target.told(st.found(), l.now)
	if len(row) == 0 {
		return nil
	}
	return p.stopOver(l, Update, row)
}

// stopOver plans an operation that is not the last one of its row. It is left out
// where another row has the key by now.
func (p *planner) stopOver(l *life, verb Verb, row lifeline.Row) error {
	id := l.target.columns.IDOf(over(l.now, row))
	taken, err := p.taken(l, id)
	if err == nil && taken == nil {
		p.operate(l, verb, id, row)
	}
	return err
}

// finish plans the operation that makes a row what it was before the events.
func (p *planner) finish(l *life) error {
	if l.was == "" {
		if l.at != "" {
			p.operate(l, Delete, "", nil)
		}
		return nil
	}
	taken, err := p.taken(l, l.was)
	if err != nil {
		return err
	}
	if taken != nil {
		p.conflict(l.object, l.was, "", "", taken)
	}
	if l.at == "" {
		p.operate(l, Insert, l.was, p.whole(l))
	} else if row := p.part(l, l.now); len(row) > 0 {
		p.operate(l, Update, l.was, row)
	}
	return nil
}

// taken says why the row cannot have a key: another one has it. It is nil when
// the key is free.
func (p *planner) taken(l *life, id string) (taken, err error) {
	if id == l.at {
		return nil, nil
	}
	switch holder, known := p.holders[[2]string{l.object, id}]; {
	case holder != nil:
		return errSwapped, nil
	case known:
		return nil, nil // the row that has it gets another before
	}
	row, err := l.target.live(id)
	if err == nil && row != nil {
		taken = fmt.Errorf("%w: there is a row with the key again", ErrChangedSince)
	}
	return taken, err
}

// operate adds an operation to the plan, after which the row has the id.
func (p *planner) operate(l *life, verb Verb, id string, row lifeline.Row) {
	op := Operation{Verb: verb, Object: l.object, ID: l.at, row: row, now: l.now}
	before := op.now
	switch verb {
	case Insert:
		op.ID = id
	case Update:
		before = lifeline.Row{}
		for column := range row {
			before[column] = op.now[column]
		}
	}
	op.Changes = l.target.changes(before, row, true)
	p.found.Operations = append(p.found.Operations, op)
	if l.at != "" {
		p.holders[[2]string{l.object, l.at}] = nil
	}
	if l.at, l.now = id, nil; id != "" {
		p.holders[[2]string{l.object, id}] = l
		l.now = over(op.now, row)
	}
}

// over returns a row with the values of another over its own.
func over(row, values lifeline.Row) lifeline.Row {
	both := lifeline.Row{}
	maps.Copy(both, row)
	maps.Copy(both, values)
	return both
}

// unchanged finds what happened to the row after the events.
func (p *planner) unchanged(ctx context.Context, l *life, now lifeline.Row) error {
	id := l.lastID()
	steps, err := l.target.steps(ctx, id)
	if err != nil {
		return err
	}
	place := slices.IndexFunc(steps, func(s lifeline.Step) bool { return s.Event.ID == l.last.Event.ID })
	for _, s := range steps[place+1:] {
		if p.undone[s.Event.ID] {
			continue // it is about another row, which took the key
		}
		p.conflict(l.object, id, "", s.Event.ID, ErrChangedSince)
	}
	if l.is != "" && now == nil {
		p.conflict(l.object, id, "", "", fmt.Errorf("%w: it is gone", ErrChangedSince))
		return nil
	}
	for _, column := range slices.Sorted(maps.Keys(l.new)) {
		is, there := now[column]
		if there && !lifeline.Masked(l.new[column]) && !lifeline.Same(is, l.new[column]) && !l.target.columns.Silent(column) {
			p.conflict(l.object, id, column, "", ErrChangedSince)
		}
	}
	return nil
}

// whole returns all values of a row that was deleted.
func (p *planner) whole(l *life) lifeline.Row {
	row := lifeline.Row{}
	for _, column := range l.target.columns.Columns() {
		switch value, told := l.old[column]; {
		case l.target.columns.Generated(column):
		case !told:
			p.conflict(l.object, l.was, column, l.last.Event.ID, ErrNotRecorded)
		default:
			row[column] = p.usable(l, column, value)
		}
	}
	p.gone(l)
	return row
}

// part returns the values that an existing row has to get back.
func (p *planner) part(l *life, now lifeline.Row) lifeline.Row {
	row := lifeline.Row{}
	for _, column := range slices.Sorted(maps.Keys(l.missing)) {
		p.conflict(l.object, l.was, column, l.last.Event.ID, ErrNotRecorded)
	}
	for _, column := range slices.Sorted(maps.Keys(l.old)) {
		is, there := now[column]
		switch value := l.old[column]; {
		case !there, l.target.columns.Generated(column), lifeline.Same(is, value):
		case l.target.columns.Silent(column) && !lifeline.Same(is, l.new[column]): // it went on without events
		default:
			row[column] = p.usable(l, column, value)
		}
	}
	p.gone(l)
	return row
}

// usable returns a value that is to be restored.
func (p *planner) usable(l *life, column string, value []byte) []byte {
	if lifeline.Masked(value) {
		p.conflict(l.object, l.was, column, l.last.Event.ID, ErrMasked)
	}
	return value
}

// gone finds the columns of the trail that the table has no longer.
func (p *planner) gone(l *life) {
	for _, column := range slices.Sorted(maps.Keys(l.old)) {
		if !slices.Contains(l.target.columns.Columns(), column) {
			p.conflict(l.object, l.was, column, l.last.Event.ID, ErrUnknownColumn)
		}
	}
}

// all returns the values of a whole row, and whether all of them are told.
func (t *target) all(values lifeline.Row) (row lifeline.Row, told bool) {
	row = lifeline.Row{}
	for _, column := range t.columns.Columns() {
		if t.columns.Generated(column) {
			continue
		}
		value, ok := values[column]
		if !ok || lifeline.Masked(value) {
			return nil, false
		}
		row[column] = value
	}
	return row, true
}

// told returns those of the values that are known and differ from what the row
// has now.
func (t *target) told(values, now lifeline.Row) lifeline.Row {
	row := lifeline.Row{}
	for column, value := range values {
		is, there := now[column]
		if there && !lifeline.Masked(value) && !lifeline.Same(is, value) && !t.columns.Generated(column) && !t.columns.Silent(column) {
			row[column] = value
		}
	}
	return row
}
