package hooks

import (
	"errors"
	"slices"
	"strings"

	"gorm.io/gorm/clause"
)

// upsertReturning runs an upsert on PostgreSQL or SQLite once. The rows that
// it returns are paired with those that were there before by key.
func (s *statement) upsertReturning(onConflict clause.OnConflict, targets [][]string, tries int, unseen [][]any) (now attempt, err error) {
	if s.movesKeys(onConflict, targets) && s.table.facts.moves && s.dialect.writeLock {
		return attempt{}, s.errTwiceMoved()
	}
	how := look{lock: s.dialect.lock}
	tells := s.assignsKey(onConflict) || s.table.nullableKey()
	if tells && len(targets) == 1 && !slices.Contains(targets[0], "") {
		how.identity = s.dialect.tuple(s.terms(targets[0])) // may stay when the key does not
		how.stays = s.tellsApart(targets[0]) && s.keeps(onConflict, targets[0])
	}
	met, err := s.selectConflicting(how, targets)
	if err != nil {
		return attempt{}, err
	}
	if tries > 1 {
		others, err := s.byKey(s.table.keys, unseen)
		if err != nil {
			return attempt{}, err
		}
		met.join(others)
	}
	if s.mayMeetOthers(met, targets, tries) {
		if now.undo, err = s.savepoint(tries); err != nil {
			return attempt{}, err
		}
	}
	fresh, err := s.runUpsert(&now.done, met, how, s.assignsKey(onConflict) || s.table.facts.moves)
	if err != nil || now.undo == nil || len(fresh) == 0 {
		return now, err
	}
	if s.dialect.writeLock && s.assignsKey(onConflict) && s.hasUnnamed(targets) {
		return now, errors.New("hooks: an upsert that assigns the key and names no conflict target cannot be captured while the table has a unique index over an expression; name the target in OnConflict.Columns")
	}
	now.unseen, err = s.worthAnotherTry(fresh, targets)
	return now, err
}

// mayMeetOthers reports whether the upsert may update rows that the look did
// not find.
func (s *statement) mayMeetOthers(met *images, targets [][]string, tries int) bool {
	if s.dialect.writeLock { // nobody else writes meanwhile
		return tries == 1 && !s.looksForAll(targets)
	}
	plain := len(targets) == 1 && s.valuePlaces(s.values(), targets[0]) != nil && s.tellsApart(targets[0]) && !s.nullsMeet(targets[0])
	return s.flagsInserted() && (!plain || len(met.rows) < s.rowsWithTarget(targets, true))
}

// nullsMeet reports whether the target has an index in which nulls are equal.
func (s *statement) nullsMeet(target []string) bool {
	return slices.ContainsFunc(s.table.facts.uniques, func(index uniqueIndex) bool {
		return index.nulls && s.table.sameColumns(index.columns, target)
	})
}

// looksForAll reports whether the look finds every row that SQLite may meet:
// it compares all columns of all targets with what the statement stores in
// them.
func (s *statement) looksForAll(targets [][]string) bool {
	values := s.values()
	for _, name := range slices.Concat(targets...) {
		at := s.valuePlaces(values, []string{name})
		if at != nil && slices.ContainsFunc(values.Values, func(row []any) bool { return computed(row[at[0]]) }) {
			return false
		}
	}
	return !s.hides(targets)
}

// hides reports whether the statement may conflict on what it does not say: an
// expression, a default, or a collation of the index alone.
func (s *statement) hides(targets [][]string) bool {
	for _, name := range slices.Concat(targets...) {
		column, ok := s.table.column(name)
		if !ok || slices.Contains(s.table.facts.defaulted, column) && s.valuePlaces(s.values(), []string{name}) == nil {
			return true
		}
	}
	return slices.ContainsFunc(s.table.facts.uniques, func(index uniqueIndex) bool {
		return index.collated && slices.ContainsFunc(targets, func(t []string) bool { return s.table.sameColumns(index.columns, t) })
	})
}

// computed reports whether the database makes the value, and may make another
// one each time. An integer key that is null is a new one.
func computed(value any) bool {
	expr, ok := value.(clause.Expr)
	return ok && !strings.EqualFold(expr.SQL, "NULL")
}

// hasUnnamed reports whether a target has an expression that the statement
// does not name, so that nothing can be looked for by it.
func (s *statement) hasUnnamed(targets [][]string) bool {
	return slices.ContainsFunc(targets, func(target []string) bool { return slices.Contains(target, "") })
}

// worthAnotherTry returns the keys of rows that were met unseen, or may have
// been, if the upsert meets the same ones when it runs again. What the
// database makes, as from a sequence, may meet a row too; trying again would
// only make another.
func (s *statement) worthAnotherTry(fresh [][]any, targets [][]string) ([][]any, error) {
	if !s.makes(targets) {
		return fresh, nil
	}
	again, err := s.selectConflicting(look{}, targets)
	if err != nil {
		return nil, err
	}
	there, err := s.byKey(s.table.keys, fresh)
	if err != nil {
		return nil, err
	}
	for found := index(again); len(there.rows) > 0; there.rows = there.rows[1:] {
		if found[there.rows[0].key] == nil {
			return nil, nil
		}
	}
	return fresh, nil
}

// makes reports whether the database makes a part of a target for a row, each
// time another.
func (s *statement) makes(targets [][]string) bool {
	values := s.values()
	return slices.ContainsFunc(slices.Concat(targets...), func(name string) bool {
		column, _ := s.table.column(name)
		if !slices.Contains(s.table.facts.made, column) {
			return false
		}
		at := s.valuePlaces(values, []string{name})
		return at == nil || slices.ContainsFunc(values.Values, func(row []any) bool { return isDefault(row[at[0]]) })
	})
}

// flagsInserted reports whether the rows that an upsert returns say whether
// they were inserted.
func (s *statement) flagsInserted() bool {
	return s.dialect.insertedFlag != "" && !s.table.facts.composed
}

// runUpsert runs the upsert and pairs what it returns with the rows it was
// expected to meet. It returns the keys of those that it met unseen, or, where
// the database does not tell, of all that seem new.
func (s *statement) runUpsert(done *outcome, met *images, how look, moves bool) (fresh [][]any, err error) {
	list := how.list(s.dialect.row(s.table, s.returningName()) + s.place())
	flagged := s.flagsInserted()
	if flagged {
		list = s.dialect.insertedFlag + "," + list
	}
	own, rows, err := s.tee(s.query, list)
	if err != nil {
		return nil, err
	}
	var inserted []bool
	if flagged {
		for _, values := range rows.values {
			flag, _ := values[0].(bool)
			inserted = append(inserted, flag)
		}
		rows = rows.cut(1, len(rows.columns))
	}
	done.own = own
	if done.images, err = s.imagesBy(how, rows); err != nil {
		return nil, err
	}
	if !how.stays && slices.ContainsFunc(slices.Concat(met.rows, done.images.rows), image.nameless) {
		return nil, s.errNullKeys("name the conflict target in OnConflict.Columns, and do not assign it")
	}
	before := newState(met, how.stays, moves)
	for i := range done.images.rows {
		c := change{after: &done.images.rows[i]}
		if !flagged || !inserted[i] {
			c.before = before.of(c.after)
			c.unknown = c.before == nil && flagged
		}
		done.changes = append(done.changes, c)
		before.becomes(c) // the same row again: changed from here
	}
	done.affected = int64(len(done.changes))
	if moves && s.dialect.writeLock && !s.table.facts.moves {
		if err := s.pairMovedOn(done); err != nil {
			return nil, err
		}
	}
	if moves {
		if err := s.pairMoved(done, met); err != nil {
			return nil, err
		}
	}
	for _, c := range done.changes {
		if c.unknown || c.before == nil && !flagged {
			fresh = append(fresh, c.after.raw)
		}
	}
	*done, err = s.withTriggers(*done)
	return fresh, err
}

// assignsKey reports whether the upsert may give a row it meets another key.
func (s *statement) assignsKey(onConflict clause.OnConflict) bool {
	return slices.ContainsFunc(onConflict.DoUpdates, func(a clause.Assignment) bool {
		return s.table.among(s.table.keys, a.Column.Name)
	})
}

// movesKeys reports whether the upsert may give a row another key. One that
// conflicts on nothing but the key, and assigns what it conflicted on, does not.
func (s *statement) movesKeys(onConflict clause.OnConflict, targets [][]string) bool {
	stays := len(targets) == 1 && s.table.sameColumns(s.table.keys, targets[0]) && s.keeps(onConflict, targets[0])
	return s.assignsKey(onConflict) && !stays
}

// pairMoved mends the changes of an upsert that assigns key columns, or whose
// triggers do: a row it met may go on under another key, and then is not a new
// one. What they conflicted on tells which is which, unless it was assigned too; then it
// takes that there is only one.
func (s *statement) pairMoved(done *outcome, met *images) error {
	if len(met.rows) == 0 {
		return nil
	}
	left, err := s.byKey(s.table.keys, met.rawKeys())
	if err != nil {
		return err
	}
	var fresh []*change
	paired, taken := map[*image]bool{}, map[string]bool{}
	for i := range done.changes {
		c := &done.changes[i]
		paired[c.before] = true
		switch {
		case c.unknown || c.before == nil && !s.flagsInserted():
			fresh = append(fresh, c)
		case c.before == nil: // the key was free when it was inserted
			taken[c.after.key] = true
		}
	}
	var gone []*image
	for i, still := 0, index(left); i < len(met.rows); i++ {
		if row := &met.rows[i]; (still[row.key] == nil || taken[row.key]) && !paired[row] && !row.nameless() {
			gone = append(gone, row)
		}
	}
	gone, fresh = pair(gone, fresh, func(row, after *image) bool { return row.identity != "" && row.identity == after.identity })
	if len(gone) == 1 && len(fresh) == 1 {
		gone, fresh = pair(gone, fresh, func(_, _ *image) bool { return true })
	}
	if len(gone) == len(fresh) { // nothing tells which became which
		for _, c := range fresh {
			c.unknown = false
		}
	}
	for _, row := range gone {
		done.changes = append([]change{{before: row}}, done.changes...)
	}
	return nil
}

// pair gives the changes the rows that they were before, and returns those
// without a partner.
func pair(gone []*image, fresh []*change, same func(row, after *image) bool) (alone []*image, rest []*change) {
	for _, row := range gone {
		at := slices.IndexFunc(fresh, func(c *change) bool { return same(row, c.after) })
		if at < 0 {
			alone = append(alone, row)
			continue
		}
		fresh[at].before, fresh[at].unknown = row, false
		fresh = slices.Delete(fresh, at, at+1)
	}
	return alone, fresh
}
