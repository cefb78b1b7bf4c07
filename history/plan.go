package history

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/hooks"
	"github.com/eventaudit/eventaudit/internal/lifeline"
)

// planner works out how to undo events, and does it.
type planner struct {
	db    *gorm.DB
	known map[string]*target // by object
	// lives are the rows by object and the key they have, or had last; all of
	// them are in the order in which they were met.
	lives map[[2]string]*life
	all   []*life
	// movers are the rows that got the key they have by the events, by object and
	// that key.
	movers map[[2]string]*life
	// undone are the ids of the events.
	undone map[string]bool
	found  Plan
}

// target is a table that is written to.
type target struct {
	*records
	columns *hooks.Table
}

// life is what the events did to one row.
type life struct {
	target *target
	object string
	// was and is are the ids that the row had before the events and has after
	// them, empty when there was none.
	was, is string
	// old has the values before, new those that the events left; missing are
	// columns that changed from a value that is not told.
	old, new lifeline.Row
	missing  map[string]bool
	// gone says that the row was deleted at some time, so that all its values
	// before are told.
	gone bool
	last lifeline.Step
	// place is where in the order of events it is undone; begun and done say how
	// far that is planned.
	place       int
	begun, done bool
}

// learn gets to know the models.
func (p *planner) learn(ctx context.Context, models []any) error {
	for _, model := range models {
		r, err := recordsOf(ctx, p.db, model)
		if err == nil {
			err = p.add(r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *planner) add(r *records) error {
	columns, err := r.table(p.db)
	if err == nil {
		p.known[r.object] = &target{r, columns}
	}
	return err
}

// targetOf returns the table of an object, nil when it is not known.
func (p *planner) targetOf(ctx context.Context, audit *eventaudit.Auditor, object string) (*target, error) {
	if t, ok := p.known[object]; ok {
		return t, nil
	}
	if model, ok := audit.Model(object); ok {
		if err := p.learn(ctx, []any{model}); err != nil {
			return nil, err
		}
		return p.known[object], nil
	}
	if !p.db.Migrator().HasTable(object) {
		return nil, nil
	}
	r, err := recordsOfTable(ctx, p.db, object)
	if err == nil {
		err = p.add(r)
	}
	return p.known[object], err
}

func (p *planner) conflict(object, id, column, eventID string, err error) {
	p.found.Conflicts = append(p.found.Conflicts, Conflict{object, id, column, eventID, err})
}

// plan works out what undoes the events, which are in order.
func (p *planner) plan(ctx context.Context, audit *eventaudit.Auditor, events []event.Event) (Plan, error) {
	p.undone = map[string]bool{}
	for place, e := range events {
		p.undone[e.ID] = true
		switch {
		case e.Action == event.ActionSummarized, e.Action == event.ActionBypassed:
			p.conflict(e.ActionObject, e.ActionObjectID, "", e.ID, ErrSummarized)
			continue
		case !lifeline.AboutRow(e):
			continue // the row of a relation has an event of its own
		}
		t, err := p.targetOf(ctx, audit, e.ActionObject)
		if err != nil {
			return Plan{}, err
		}
		if t == nil {
			p.conflict(e.ActionObject, e.ActionObjectID, "", e.ID, ErrUnknownModel)
			continue
		}
		p.follow(t, lifeline.StepOf(e), place)
	}
	slices.SortStableFunc(p.all, func(a, b *life) int { return cmp.Compare(b.place, a.place) })
	p.movers = map[[2]string]*life{}
	for _, l := range p.all {
		if l.is != "" && l.is != l.was {
			p.movers[[2]string{l.object, l.is}] = l
		}
	}
	for _, l := range p.all {
		if err := p.undo(ctx, l); err != nil {
			return Plan{}, err
		}
	}
	return p.found, nil
}

// follow adds a step to the life of its row.
func (p *planner) follow(t *target, s lifeline.Step, place int) {
	id := s.From
	if id == "" {
		id = s.To
	}
	l := p.lives[[2]string{t.object, id}]
	switch {
	case l == nil:
		l = &life{target: t, object: t.object, was: s.From, is: s.From, old: lifeline.Row{}, new: lifeline.Row{}, missing: map[string]bool{}, place: place}
		p.all = append(p.all, l)
	case l.is != s.From:
		p.conflict(t.object, id, "", s.Event.ID, ErrContradiction)
	}
	if s.Event.BeforeUnknown || s.Blind && s.From != "" {
		p.conflict(t.object, id, "", s.Event.ID, ErrNotRecorded)
	}
	if l.was != "" && !l.gone {
		l.remember(s)
	}
	l.is, l.last = s.To, s
	maps.Copy(l.new, s.New)
	if s.To == "" {
		l.gone, l.new = true, lifeline.Row{}
	}
	if l.was != "" { // otherwise its creation is what is undone
		l.place = place
	}
	p.rename(l, id, s)
}

// rename files a life under the key that its row has got.
func (p *planner) rename(l *life, id string, s lifeline.Step) {
	to := s.To
	if to == "" {
		to = id
	}
	if to != id {
		delete(p.lives, [2]string{l.object, id})
		if other := p.lives[[2]string{l.object, to}]; other != nil && other.is != "" {
			p.conflict(l.object, to, "", s.Event.ID, errSwapped)
		}
	}
	p.lives[[2]string{l.object, to}] = l
}

// errSwapped says that rows exchanged their keys, which takes one statement.
var errSwapped = fmt.Errorf("%w: rows took each other's key", ErrNotRecorded)

// remember keeps the values before.
func (l *life) remember(s lifeline.Step) {
	for column, value := range s.Old {
		if _, set := s.New[column]; s.Event.Action == event.ActionDeleted && s.To != "" && !set {
			continue // a soft delete tells the whole row, and changes some of it
		}
		if _, ok := l.old[column]; !ok && !l.missing[column] {
			l.old[column] = value
		}
	}
	for column := range s.New {
		if _, ok := l.old[column]; !ok {
			l.missing[column] = true
		}
	}
}

// undo plans the operation that makes one row what it was.
func (p *planner) undo(ctx context.Context, l *life) error {
	if l.begun || l.was == "" && l.is == "" {
		return nil
	}
	l.begun = true
	defer func() { l.done = true }()
	if err := p.free(ctx, l); err != nil {
		return err
	}
	now, err := l.target.live(l.is)
	if err != nil {
		return err
	}
	if err := p.unchanged(ctx, l, now); err != nil {
		return err
	}
	switch {
	case l.was == "":
		p.operate(Operation{Verb: Delete, Object: l.object, ID: l.is, now: now})
	case l.is == "":
		p.operate(Operation{Verb: Insert, Object: l.object, ID: l.was, row: p.whole(l)})
	default:
		if row := p.part(l, now); len(row) > 0 {
			p.operate(Operation{Verb: Update, Object: l.object, ID: l.is, row: row, now: now})
		}
	}
	return nil
}

// free makes sure that no other row has the key that the row gets back. One that
// took it within the events loses it before.
func (p *planner) free(ctx context.Context, l *life) error {
	if l.was == "" || l.was == l.is {
		return nil
	}
	if holder := p.movers[[2]string{l.object, l.was}]; holder != nil {
		err := p.undo(ctx, holder)
		if !holder.done {
			p.conflict(l.object, l.was, "", "", errSwapped)
		}
		return err
	}
	taken, err := l.target.live(l.was)
	if err == nil && taken != nil {
		p.conflict(l.object, l.was, "", "", fmt.Errorf("%w: there is a row with the key again", ErrChangedSince))
	}
	return err
}

// operate adds an operation to the plan.
func (p *planner) operate(op Operation) {
	t := p.known[op.Object]
	before := op.now
	if op.Verb == Update {
		before = lifeline.Row{}
		for column := range op.row {
			before[column] = op.now[column]
		}
	}
	op.Changes = t.changes(before, op.row, true)
	p.found.Operations = append(p.found.Operations, op)
}

// unchanged finds what happened to the row after the events.
func (p *planner) unchanged(ctx context.Context, l *life, now lifeline.Row) error {
	id := l.is
	if id == "" {
		id = l.was
	}
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

// live returns the row with the id, nil when there is none.
func (t *target) live(id string) (lifeline.Row, error) {
	if id == "" {
		return nil, nil
	}
	return liveRow(t.columns, id)
}

// asError returns what the conflicts amount to, nil when there are none.
func (p Plan) asError() error {
	if len(p.Conflicts) == 0 {
		return nil
	}
	problems := []error{ErrConflict}
	for _, c := range p.Conflicts {
		problems = append(problems, c)
	}
	return fmt.Errorf("history: %w", errors.Join(problems...))
}
