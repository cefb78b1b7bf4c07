package hooks

import (
	"fmt"
	"slices"
	"strings"

	"github.com/eventaudit/eventaudit/internal/connpool"
)

// A trigger may give a row another key behind the statement's back. Nothing
// that the statement returns leads from one to the other, so the keys of the
// whole table are put aside before it: the rows whose keys are not among them
// afterwards are the ones that moved. That costs a look at every row, and only
// where a trigger's text says that it may be needed.

// asideTable holds the keys put aside.
const asideTable = "event_audit_aside"

// following runs a statement on a table whose triggers may move keys.
func (s *statement) following(run func() (outcome, error)) (outcome, error) {
	conn := connpool.Unwrap(s.ConnPool)
	s.wantsAll = true // what moved is compared with all that changed
	if _, err := conn.ExecContext(s.own, "CREATE TEMPORARY TABLE "+asideTable+" AS SELECT "+s.keyList("")+" FROM "+s.table.quoted()); err != nil {
		return outcome{}, err
	}
	defer func() {
		drop := "DROP TABLE "
		if s.dialect.prepareReads { // MySQL, where any other DROP ends the transaction
			drop = "DROP TEMPORARY TABLE "
		}
		if _, err := conn.ExecContext(s.own, drop+asideTable); err != nil {
			s.Logger.WarnContext(s.own, "temporary table of keys was not dropped", "error", err)
		}
	}()
	done, err := run()
	if err != nil {
		return outcome{}, err
	}
	arrived, err := s.arrived()
	if err != nil {
		return outcome{}, err
	}
	back, err := s.byKey(s.table.keys, keysLeft(done.changes))
	if err != nil {
		return outcome{}, err
	}
	arrived.join(back)
	return s.paired(done, arrived)
}

// takesKeys reports whether an update assigns keys that other rows have, on a
// table whose triggers move keys. It succeeds only when a trigger makes room
// for its rows or takes them elsewhere.
func (s *statement) takesKeys(locked *locked) (bool, error) {
	if !s.table.facts.moves || len(locked.moved) == 0 {
		return false, nil
	}
	before, err := s.imagesOf(s.table, locked.rows.cut(0, locked.width))
	if err != nil {
		return false, err
	}
	there, err := s.byKey(s.table.keys, s.newKeys(before, locked.moved, locked.rows.cut(locked.width, len(locked.rows.columns))))
	if err != nil {
		return false, err
	}
	own := index(before)
	return slices.ContainsFunc(there.rows, func(row image) bool { return own[row.key] == nil }), nil
}

// errMadeRoom says that nobody can tell which row went where.
func (s *statement) errMadeRoom() error {
	return fmt.Errorf("hooks: an update gave rows of table %s keys that others have, and a trigger gave some of them other keys, so nobody can tell which went where; move the others first", s.table.quoted())
}

// keysLeft returns the keys that rows left, if nothing is known of where one
// went: a trigger may have moved it to one of them.
func keysLeft(changes []change) [][]any {
	if !slices.ContainsFunc(changes, func(c change) bool { return c.after == nil }) {
		return nil
	}
	var keys [][]any
	for _, c := range changes {
		if c.before != nil && (c.after == nil || c.after.key != c.before.key) {
			keys = append(keys, c.before.raw)
		}
	}
	return keys
}

// arrived reads the rows with keys that were not there before.
func (s *statement) arrived() (*images, error) {
	q := s.fresh()
	q.WriteString("SELECT " + s.dialect.row(s.table, s.table.quoted()) + " FROM " + s.table.quoted() +
		" WHERE NOT EXISTS (SELECT 1 FROM " + asideTable + " WHERE ")
	for i, key := range s.table.keys {
		if i > 0 {
			q.WriteString(" AND ")
		}
		q.WriteString(asideTable + "." + s.table.quote(key) + s.dialect.same + s.table.quoted() + "." + s.table.quote(key))
	}
	q.WriteString(")" + s.dialect.lock)
	rows, err := s.selectRows(q)
	if err != nil {
		return nil, err
	}
	return s.imagesOf(s.table, rows)
}

// paired gives the rows that arrived to those that are gone. One and one are
// the same row. Of several nobody can say which became which: the old ones
// stay deleted, the new ones are created, so that the trail still leads to the
// table.
func (s *statement) paired(done outcome, arrived *images) (outcome, error) {
	known := map[string]bool{}
	var gone []*change
	for i, c := range done.changes {
		switch {
		case c.after != nil:
			known[c.after.key] = true
		case c.before != nil:
			gone = append(gone, &done.changes[i])
		}
	}
	if len(gone) > 0 && s.dialect.writeLock && s.table.nullableKey() {
		if err := s.noNullKeys(); err != nil {
			return outcome{}, err
		}
	}
	var fresh []*image
	for i, row := range arrived.rows {
		if !known[row.key] {
			fresh = append(fresh, &arrived.rows[i])
		}
	}
	if len(fresh) == 0 {
		return done, nil
	}
	if s.dialect.prepareReads && len(fresh) != len(gone) {
		return outcome{}, fmt.Errorf("hooks: a trigger gives rows of table %s other keys while another transaction inserts into it; try again, or use REPEATABLE READ", s.table.quoted())
	}
	if len(done.images.columns) == 0 { // all that it wrote is gone
		done.images = arrived
	}
	if len(fresh) == 1 && len(gone) == 1 {
		gone[0].after = fresh[0]
		return done, nil
	}
	for _, row := range fresh {
		done.changes = append(done.changes, change{after: row})
	}
	return done, nil
}

// noNullKeys is an error if a row has a null in its key: it may have come there
// by a trigger, and nothing tells.
func (s *statement) noNullKeys() error {
	var there bool
	nulls := make([]string, len(s.table.keys))
	for i, key := range s.table.keys {
		nulls[i] = s.table.quote(key) + " IS NULL"
	}
	err := scanRow(s.own, connpool.Unwrap(s.ConnPool),
		"SELECT EXISTS (SELECT 1 FROM "+s.table.quoted()+" WHERE "+strings.Join(nulls, " OR ")+")", &there)
	if err == nil && there {
		err = s.errNullKeys("give them a key, or do without the triggers of the table")
	}
	return err
}

// errTwiceMoved says that an upsert and a trigger both give rows other keys:
// what came to a key may have been there before.
func (s *statement) errTwiceMoved() error {
	return fmt.Errorf("hooks: an upsert that assigns the key of table %s cannot be captured, because a trigger assigns it too; leave the key out of the assignments", s.table.quoted())
}

// errLost says that a row was not found again although nothing is known that
// moves it.
func (s *statement) errLost() error {
	s.tables.forget() // a trigger may be new
	return fmt.Errorf("hooks: a row of table %s was not found again after its update, as when a trigger changes its key; try again, and let the app's user see the triggers (privilege TRIGGER)", s.table.quoted())
}
