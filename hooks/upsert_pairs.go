package hooks

import (
	"slices"
	"strings"
)

// pairReturned pairs the rows that the upsert returned, one for each row it
// brought and in their order, with the steps: those of a trace are in the same
// order. A row without a step was inserted.
func (t *traced) pairReturned(done *outcome, steps []step, traces bool) {
	state := byIdentity(t.met)
	ahead := map[string]int{} // how often a row is returned from here on
	for _, row := range done.images.rows {
		ahead[row.identity]++
	}
	left := slices.Clone(steps)
	inOrder := traces && !t.table.facts.moves // a trigger may take a row elsewhere
	for i := range done.images.rows {
		after := &done.images.rows[i]
		c := change{after: after}
		at := stepTo(after.identity, left, state[after.identity] != nil, ahead[after.identity])
		if at > 0 && inOrder {
			at = -1
		}
		if at >= 0 {
			old := left[at].old
			if c.before = state[old]; c.before == nil {
				c.unknown = true
				t.unseen = append(t.unseen, old)
			}
			delete(state, old)
			left = slices.Delete(left, at, at+1)
		}
		ahead[after.identity]--
		state[after.identity] = after
		done.changes = append(done.changes, c)
	}
	t.pairAltered(done, steps, state, left)
}

// stepTo returns which of the steps that are left may have made the row what it
// is; -1 is none. A row that is not there, is updated where it is, and comes
// more often than there are steps to it, is inserted first.
func stepTo(identity string, left []step, there bool, ahead int) int {
	at := slices.IndexFunc(left, func(s step) bool { return s.new == identity })
	if at < 0 || there || left[at].old != identity {
		return at
	}
	to := 0
	for _, s := range left {
		if s.new == identity {
			to++
		}
	}
	if ahead > to {
		return -1
	}
	return at
}

// pairAltered pairs the rows that went on under a key which the statement does
// not give: a trigger does. The steps that are left are theirs.
func (t *traced) pairAltered(done *outcome, steps []step, state map[string]*image, left []step) {
	var gone []*image
	var fresh []*change
	for _, step := range left {
		if state[step.old] != nil {
			gone = append(gone, state[step.old])
			delete(state, step.old)
		}
	}
	for i := range done.changes {
		if c := &done.changes[i]; c.before == nil && !c.unknown && !slices.Contains(gone, c.after) {
			fresh = append(fresh, c)
		}
	}
	if len(gone) == len(fresh) && (len(gone) == 1 || len(steps) == len(done.changes)) {
		gone, _ = pair(gone, fresh, func(row, after *image) bool { return done.made(row) < done.made(after) })
	}
	for _, row := range gone { // not before the statement inserted it, if it did
		done.changes = slices.Insert(done.changes, done.made(row)+1, change{before: row})
	}
}

// made returns which of the changes made the row, -1 if none did.
func (o *outcome) made(row *image) int {
	return slices.IndexFunc(o.changes, func(c change) bool { return c.after == row })
}

func byIdentity(set *images) map[string]*image {
	found := make(map[string]*image, len(set.rows))
	for i := range set.rows {
		found[set.rows[i].identity] = &set.rows[i]
	}
	return found
}

// passage is what the updates of one row came to.
type passage struct {
	first, last string
	// anew says that the statement inserted the row itself, under a key that
	// another one had given up.
	anew bool
}

// passages joins the steps of every row.
func passages(steps []step) []passage {
	var all []passage
	at := map[string]int{}    // by identity now
	left := map[string]bool{} // by identities that are nobody's any more
	for _, step := range steps {
		place, known := at[step.old]
		if !known {
			place = len(all)
			all = append(all, passage{first: step.old, anew: left[step.old]})
		}
		delete(at, step.old)
		left[step.old] = true
		all[place].last = step.new
		at[step.new] = place
		delete(left, step.new)
	}
	return all
}

// pairRead reads the rows after the upsert and pairs them with those before.
func (t *traced) pairRead(done *outcome, steps []step, traces bool) error {
	all := passages(steps)
	after, err := t.readLast(all)
	if err != nil {
		return err
	}
	before, last := byIdentity(t.met), byIdentity(after)
	done.images = after
	var fresh []passage
	inserted := t.rowsOfValues() - len(steps)
	for _, p := range all {
		switch {
		case last[p.last] == nil:
			return errKeysUnknown
		case p.anew:
			inserted--
			done.changes = append(done.changes, change{after: last[p.last]})
		case before[p.first] == nil:
			fresh = append(fresh, p)
		default:
			done.changes = append(done.changes, change{before: before[p.first], after: last[p.last]})
			delete(before, p.first) // its key may be taken again
		}
	}
	added, err := t.readInserted(*done, before, last)
	if err != nil {
		return err
	}
	// A row that was updated and not seen before was inserted first, by the
	// same upsert, if the number of inserted rows says so.
	unseen := inserted == len(added.rows) && len(fresh) > 0
	if traces && !unseen && inserted != len(added.rows)+len(fresh) {
		return errKeysUnknown
	}
	for _, p := range fresh {
		done.changes = append(done.changes, change{after: last[p.last], unknown: unseen})
		if unseen {
			t.unseen = append(t.unseen, p.first)
		}
	}
	for i := range added.rows {
		done.changes = append(done.changes, change{after: &added.rows[i]})
	}
	if len(added.rows) > 0 {
		done.images = added
	}
	return nil
}

// readLast reads the rows that were updated, as they are in the end.
func (t *traced) readLast(all []passage) (*images, error) {
	before, keys := byIdentity(t.met), make([][]any, len(all))
	for i, p := range all {
		if row := before[p.last]; row != nil {
			keys[i] = row.raw
			continue
		}
		var err error
		if keys[i], err = t.table.keyOfIdentity(p.last); err != nil {
			return nil, err
		}
	}
	return t.rowsBy(look{identity: t.table.identity()}, t.table.keys, keys)
}

// readInserted reads the rows that were inserted: those that have all the
// unique values that a row of the statement brings, and were not there before.
// Of rows without such values the database assigned the keys.
func (t *traced) readInserted(done outcome, before, updated map[string]*image) (*images, error) {
	values, found := t.values(), noImages()
	keys, columns := map[string][][]any{}, map[string][]string{}
	for _, row := range values.Values {
		var key []any
		var names []string
		for i, column := range values.Columns {
			if !isDefault(row[i]) && slices.ContainsFunc(t.uniques(), func(index []string) bool { return t.table.among(index, column.Name) }) {
				key, names = append(key, row[i]), append(names, column.Name)
			}
		}
		if shape := strings.Join(names, ","); len(key) > 0 {
			keys[shape], columns[shape] = append(keys[shape], key), names
		}
	}
	for shape, some := range keys {
		rows, err := t.rowsBy(look{identity: t.table.identity()}, columns[shape], some)
		if err != nil {
			return nil, err
		}
		rows.rows = slices.DeleteFunc(rows.rows, func(row image) bool { return before[row.identity] != nil || updated[row.identity] != nil })
		found.join(rows)
	}
	if len(updated) == 0 && len(found.rows) == 0 {
		return t.selectInserted(done)
	}
	if n, known := t.rowsAssigned(); known && n > 0 {
		rows, err := t.readAssigned(done, n)
		if err != nil {
			return nil, err
		}
		found.join(rows)
	}
	return found, nil
}

// rowsAssigned returns how many rows of an upsert are given their keys by
// auto-increment, and whether those can be told: all others bring the key.
func (s *statement) rowsAssigned() (n int, known bool) {
	if len(s.table.keys) != 1 || !s.table.same(s.table.keys[0], s.table.facts.autoIncrement) || s.table.facts.moves {
		return 0, false
	}
	values := s.values()
	for _, row := range values.Values {
		unique, key := false, false
		for i, column := range values.Columns {
			brings := !isDefault(row[i])
			key = key || brings && s.table.same(column.Name, s.table.keys[0])
			unique = unique || brings && slices.ContainsFunc(s.uniques(), func(index []string) bool { return s.table.among(index, column.Name) })
		}
		switch {
		case !unique:
			n++
		case !key:
			return 0, false
		}
	}
	return n, true
}

// readAssigned reads so many rows with the keys that auto-increment gave them.
// MySQL puts aside as many numbers as the statement has rows, so that they are
// consecutive and nobody else's, unless a key that the statement brings lies
// among them.
func (t *traced) readAssigned(done outcome, n int) (*images, error) {
	first, err := done.result.LastInsertId()
	if err != nil {
		return nil, err
	}
	step, err := t.increment()
	if err != nil {
		return nil, err
	}
	keys := make([][]any, n)
	for i := range keys {
		keys[i] = []any{first + int64(i)*step}
	}
	rows, err := t.rowsBy(look{identity: t.table.identity()}, t.table.keys, keys)
	if err == nil && len(rows.rows) != n {
		err = errKeysUnknown
	}
	return rows, err
}
