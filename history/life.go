package history

import (
	"slices"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/lifeline"
)

// change is what some events did to a row.
type change struct {
	// was and is are the ids that the row had before the events and has after
	// them, empty when there was none.
	was, is string
	// old has the values before; missing are columns that changed from a value
	// that is not told.
	old     lifeline.Row
	missing map[string]bool
	// gone says that the row was deleted at some time, so that all its values
	// before are told.
	gone bool
}

// newChange returns a change that begins with a step, which is not in it yet.
func newChange(s lifeline.Step) change {
	return change{was: s.From, is: s.From, old: lifeline.Row{}, missing: map[string]bool{}}
}

func (c *change) add(s lifeline.Step) {
	if c.was != "" && !c.gone {
		c.remember(s)
	}
	c.is = s.To
	c.gone = c.gone || s.To == ""
}

// remember keeps the values before.
func (c *change) remember(s lifeline.Step) {
	for column, value := range s.Old {
		if _, set := s.New[column]; s.Event.Action == event.ActionDeleted && s.To != "" && !set {
			continue // a soft delete tells the whole row, and changes some of it
		}
		if _, ok := c.old[column]; !ok && !c.missing[column] {
			c.old[column] = value
		}
	}
	for column := range s.New {
		if _, ok := c.old[column]; !ok {
			c.missing[column] = true
		}
	}
}

// life is what the events did to one row, as a whole and stretch by stretch.
type life struct {
	change
	target *target
	object string
	// new has the values that the events left.
	new       lifeline.Row
	last      lifeline.Step
	stretches []*stretch
	// at and now are the id and the values of the row at the stage of the undoing
	// that is planned, empty when there is none.
	at  string
	now lifeline.Row
}

// stays reports whether there is a row before the events and after them. Whatever
// they did in between, it is not deleted: rows that came later may refer to it.
func (l *life) stays() bool { return l.was != "" && l.is != "" }

// lastID returns the key that the row has after the events, or had last.
func (l *life) lastID() string {
	if l.is == "" {
		return l.last.From
	}
	return l.is
}

// stretch is what events did to a row one after the other, without any to other
// rows in between.
type stretch struct {
	change
	life *life
}

// goesOn reports whether a step of a life belongs to the stretch. What changed
// after a creation does not: MariaDB does not delete a row that refers to itself,
// even where it was created without.
func (st *stretch) goesOn(l *life, s lifeline.Step) bool {
	return st.life == l && (st.was != "" || s.To == "")
}

// found returns the values that the row had before the stretch, or where there was
// none, those that it had before it was gone.
func (st *stretch) found() lifeline.Row {
	if st.was != "" {
		return st.old
	}
	return st.life.stretches[slices.Index(st.life.stretches, st)-1].old
}
