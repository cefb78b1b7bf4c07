package history

import (
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
	// stretches are what happened, in order.
	stretches []*stretch
	// holders are the rows that have a key at the stage of the undoing that is
	// planned, by object and key; nil where the row that had it has it no longer.
	holders map[[2]string]*life
	// undone are the ids of the events.
	undone map[string]bool
	found  Plan
}

// target is a table that is written to.
type target struct {
	*records
	columns *hooks.Table
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
	for _, e := range events {
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
		p.follow(t, lifeline.StepOf(e))
	}
	if err := p.begin(ctx); err != nil {
		return Plan{}, err
	}
	for _, st := range slices.Backward(p.stretches) {
		if err := p.undo(st); err != nil {
			return Plan{}, err
		}
	}
	return p.found, nil
}

// follow adds a step to the life of its row.
func (p *planner) follow(t *target, s lifeline.Step) {
	id := s.From
	if id == "" {
		id = s.To
	}
	l := p.lives[[2]string{t.object, id}]
	switch {
	case l == nil:
		l = &life{change: newChange(s), target: t, object: t.object, new: lifeline.Row{}}
		p.all = append(p.all, l)
	case l.is != s.From:
		p.conflict(t.object, id, "", s.Event.ID, ErrContradiction)
	}
	if s.Event.BeforeUnknown || s.Blind && s.From != "" {
		p.conflict(t.object, id, "", s.Event.ID, ErrNotRecorded)
	}
	if n := len(p.stretches); n == 0 || !p.stretches[n-1].goesOn(l, s) {
		l.stretches = append(l.stretches, &stretch{change: newChange(s), life: l})
		p.stretches = append(p.stretches, l.stretches[len(l.stretches)-1])
	}
	p.stretches[len(p.stretches)-1].add(s)
	l.add(s)
	l.last = s
	maps.Copy(l.new, s.New)
	if s.To == "" {
		l.new = lifeline.Row{}
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
