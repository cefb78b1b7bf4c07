package hooks

import "slices"

// inSequence orders the changes of one statement so that they can be replayed
// one by one: a row moves to a key only when the row that had it is gone from
// there. What a statement made of a row one after the other is in order. Where
// keys change places in a circle, one row of it is recorded as deleted first
// and created last.
func inSequence(changes []change) []change {
	moves := func(c change) bool { return c.before != nil && c.after != nil && c.after.key != c.before.key }
	if !slices.ContainsFunc(changes, moves) {
		return changes
	}
	leaves, made := map[string]int{}, map[*image]bool{}
	for _, c := range changes {
		made[c.after] = true
	}
	for i, c := range changes {
		if c.before != nil && c.before.key != "" && !made[c.before] && (c.after == nil || moves(c)) {
			leaves[c.before.key] = i
		}
	}
	o := sequence{changes: changes, leaves: leaves, begun: make([]bool, len(changes)), done: make([]bool, len(changes))}
	for i := range changes {
		o.add(i)
	}
	return o.out
}

type sequence struct {
	changes     []change
	leaves      map[string]int // changes of rows that were there, by the key that they leave
	begun, done []bool
	out         []change
}

// add appends the change behind those that make room for it. What is begun and
// not done waits for itself: the row leaves its key at once and comes later.
func (o *sequence) add(i int) {
	if o.done[i] {
		return
	}
	c := o.changes[i]
	if o.begun[i] {
		o.out = append(o.out, change{before: c.before})
		o.changes[i].before = nil
		o.done[i] = true
		return
	}
	o.begun[i] = true
	if c.after != nil {
		if j, taken := o.leaves[c.after.key]; taken && j != i {
			o.add(j)
		}
	}
	o.out = append(o.out, o.changes[i])
	o.done[i] = true
}
