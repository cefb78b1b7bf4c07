package hooks

import (
	"fmt"
	"slices"

	"gorm.io/gorm/clause"

	"github.com/eventaudit/eventaudit/internal/connpool"
)

// upsertTraced runs an upsert on MySQL or MariaDB once. The first look locks
// only the rows it finds; what the upsert met besides, the trace tells. Later
// looks lock the gaps too.
func (s *statement) upsertTraced(onConflict clause.OnConflict, targets [][]string, tries int, unseen [][]any) (now attempt, err error) {
	n := s.rowsWithTarget(targets, false)
	_, known := s.rowsAssigned()
	if !s.dialect.insertReturning && (0 < n && n < s.rowsOfValues() && !known || s.table.facts.moves) {
		return attempt{}, errKeysUnknown
	}
	moves := slices.ContainsFunc(onConflict.DoUpdates, func(a clause.Assignment) bool {
		own, _ := a.Value.(clause.Column) // what DO NOTHING is
		return s.table.among(s.table.keys, a.Column.Name) && own != a.Column
	})
	if moves && s.table.facts.moves && s.movesKeys(onConflict, targets) {
		return attempt{}, s.errTwiceMoved()
	}
	query, traces := s.traced(moves)
	met, err := s.meet(targets, unseen, tries > 1 || !traces)
	if err != nil {
		return attempt{}, err
	}
	t := traced{statement: s, met: met}
	if len(targets) == 1 && len(met.rows) == s.rowsOfValues() && !moves || !traces {
		return now, t.run(&now.done, s.query, false)
	}
	if s.table.facts.transactional {
		if now.undo, err = s.savepoint(tries); err != nil {
			return attempt{}, err
		}
	}
	if err := s.startTrace(connpool.Unwrap(s.ConnPool), moves); err != nil {
		return attempt{}, err
	}
	if err := t.run(&now.done, query, true); err != nil {
		return attempt{}, err
	}
	if len(t.unseen) > 0 && s.table.facts.moves && tries == maxUpserts {
		return attempt{}, fmt.Errorf("hooks: the upsert met rows of its own to which a trigger of table %s gave other keys, so nobody can tell which they were; write one row at a time", s.table.quoted())
	}
	for _, identity := range t.unseen {
		key, err := s.table.keyOfIdentity(identity)
		if err != nil {
			return attempt{}, err
		}
		now.unseen = append(now.unseen, key)
	}
	return now, nil
}

// meet reads the rows that the upsert is expected to meet and locks them.
func (s *statement) meet(targets [][]string, unseen [][]any, gaps bool) (*images, error) {
	how := look{identity: s.table.identity()}
	if gaps {
		how.lock = s.dialect.lock
	}
	found, err := s.selectConflicting(how, targets)
	if err != nil {
		return nil, err
	}
	how.lock = s.dialect.lock
	if !gaps { // they may be others than in the snapshot
		return s.rowsBy(how, s.table.keys, found.rawKeys())
	}
	others, err := s.rowsBy(how, s.table.keys, unseen)
	found.join(others)
	return found, err
}

// traced is one run of an upsert with what is known of it.
type traced struct {
	*statement
	// met are the rows that were there before, as far as they were seen.
	met *images
	// unseen are the identities of rows that were met all the same.
	unseen []string
}

// run runs the upsert and pairs the rows after with those before.
func (t *traced) run(done *outcome, query string, traces bool) (err error) {
	returning := t.dialect.insertReturning
	if returning {
		how := look{identity: t.table.identity()}
		own, rows, err := t.tee(query, how.list(t.dialect.row(t.table, t.returningName())))
		if err != nil {
			return err
		}
		done.own = own
		if done.images, err = t.imagesBy(how, rows); err != nil {
			return err
		}
	} else if done.result, err = t.runExec(t.ConnPool, query, t.args); err != nil {
		return err
	}
	var steps []step
	if traces {
		if steps, err = t.endTrace(connpool.Unwrap(t.ConnPool)); err != nil {
			return err
		}
	} else { // no row but these, and under no other key
		for _, row := range t.met.rows {
			steps = append(steps, step{row.identity, row.identity})
		}
	}
	if !returning {
		return t.pairRead(done, steps, traces)
	}
	t.pairReturned(done, steps, traces)
	done.affected = affectedByUpsert(*done)
	return nil
}

// affectedByUpsert is the row count that the upsert would have had without
// RETURNING: MySQL counts an updated row twice and an untouched one not at
// all.
func affectedByUpsert(done outcome) (n int64) {
	for _, c := range done.changes {
		switch {
		case c.unknown:
			n += 2
		case c.before == nil, c.after == nil: // the two halves of one update, if it was one
			n++
		default:
			if differs, _ := done.images.changes(c.before, c.after); slices.Contains(differs, true) {
				n += 2
			}
		}
	}
	return n
}
