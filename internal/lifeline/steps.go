package lifeline

import (
	"cmp"
	"maps"
	"slices"

	"github.com/eventaudit/eventaudit/event"
)

// Step is what one event did to a row.
type Step struct {
	Event event.Event
	Images
	// From is the id that the row had before, empty when there was no row; To
	// the one it had after, empty when it was gone. They differ when its key
	// changed.
	From, To string
	// Blind says that the event does not tell the values.
	Blind bool
}

// Steps returns the steps of the rows that have had one key, in their order.
// Events that are about no row are passed over.
func Steps(events []event.Event) []Step {
	var steps []Step
	for _, e := range events {
		if AboutRow(e) {
			steps = append(steps, StepOf(e))
		}
	}
	return inOrder(steps)
}

// StepOf returns what an event about a row did to it. One whose result is not
// what a row is, as other writers of the trail may leave it, is Blind.
func StepOf(e event.Event) Step {
	images, err := ImagesOf(e)
	s := Step{Event: e, Images: images, From: e.ActionObjectID, To: e.ActionObjectID}
	s.Blind = err != nil || images.Old == nil && images.New == nil
	switch {
	case e.Action == event.ActionCreated:
		s.From = ""
	case e.Action == event.ActionDeleted && images.New == nil:
		s.To = "" // or a soft delete that does not tell the values, see inOrder
	case e.TargetType == e.ActionObject && e.TargetID != "":
		s.To = e.TargetID
	}
	return s
}

// inOrder sorts the steps as the database took them, whatever the clocks said.
// Where events lack a sequence, or got theirs when they were copied from
// elsewhere, their times are the better order: the one in which each step finds
// the values that the one before it left.
func inOrder(steps []Step) []Step {
	byTime, numbered := slices.Clone(steps), true
	slices.SortFunc(byTime, func(a, b Step) int { return event.Compare(a.Event, b.Event) })
	for _, s := range steps {
		numbered = numbered && s.Event.Sequence != 0
	}
	chosen := byTime
	if numbered {
		bySequence := slices.Clone(steps)
		slices.SortFunc(bySequence, func(a, b Step) int { return cmp.Compare(a.Event.Sequence, b.Event.Sequence) })
		if sameOrder(bySequence, byTime) || misfits(bySequence) <= misfits(byTime) {
			chosen = bySequence
		}
	}
	for i := range len(chosen) - 1 {
		s, next := &chosen[i], chosen[i+1]
		if s.Blind && s.To == "" && next.From == s.From {
			s.To = s.From // what goes on was not gone
		}
	}
	return chosen
}

func sameOrder(a, b []Step) bool {
	return slices.EqualFunc(a, b, func(x, y Step) bool { return x.Event.ID == y.Event.ID })
}

// misfits counts what does not fit the steps before: rows that are created twice
// or changed when they are gone, and old values that nobody left.
func misfits(steps []Step) (n int) {
	known := Row{}
	for i, s := range steps {
		if i > 0 && (s.From == "") != (steps[i-1].To == "") {
			n++
		}
		for column, old := range s.Old {
			if value, ok := known[column]; ok && !Same(value, old) {
				n++
			}
		}
		if s.From == "" || s.To == "" {
			clear(known)
		}
		maps.Copy(known, s.New)
	}
	return n
}

// Setters returns for each column the last of the steps that set it.
func Setters(steps []Step) map[string]Step {
	setters := map[string]Step{}
	for _, s := range steps {
		if s.From == "" {
			clear(setters)
		}
		for column := range s.New {
			setters[column] = s
		}
	}
	return setters
}
