package hooks

import (
	"database/sql"
	"fmt"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/eventaudit/eventaudit/internal/connpool"
)

// upsert captures an INSERT that may update the rows in its way. They are read
// and locked first. It may meet others all the same: another transaction puts
// them there meanwhile, or nothing in the statement says that it will meet
// them. Their values before are not known then, so the upsert is undone, they
// are read and locked too, and it runs again.
func (s *statement) upsert(onConflict clause.OnConflict) (outcome, error) {
	s.wantsAll = true // each row is compared with those before it
	targets := s.targets(onConflict)
	if len(s.table.keys) == 0 {
		if err := s.keyedBy(targets); err != nil {
			return outcome{}, err
		}
	}
	run := s.upsertReturning
	if s.dialect.prepareReads {
		run = s.upsertTraced
	}
	var unseen [][]any
	for tries := 1; ; tries++ {
		attempt, err := run(onConflict, targets, tries, unseen)
		if err != nil {
			return outcome{}, err
		}
		if len(attempt.unseen) == 0 || attempt.undo == nil {
			return attempt.done, attempt.keep(s)
		}
		if err := attempt.undo(); err != nil {
			return outcome{}, err
		}
		if slices.ContainsFunc(attempt.unseen, func(key []any) bool { return slices.Contains(key, nil) }) {
			return outcome{}, s.errNullKeys("give them a key, or say in the statement what it conflicts on")
		}
		unseen = append(unseen, attempt.unseen...)
	}
}

// maxUpserts is how often an upsert is tried. What it met unseen even then is
// recorded with its values before unknown.
const maxUpserts = 3

// attempt is one run of an upsert.
type attempt struct {
	done outcome
	// unseen are the keys of the rows that it met unseen.
	unseen [][]any
	// undo takes it back; nil where that is not possible or not worth it.
	undo func() error
}

// keep ends an attempt that stands.
func (a *attempt) keep(s *statement) error {
	if a.undo == nil || s.dialect.prepareReads { // MySQL's next savepoint takes its place
		return nil
	}
	_, err := connpool.Unwrap(s.ConnPool).ExecContext(s.own, "RELEASE SAVEPOINT "+upsertSavepoint)
	return err
}

const upsertSavepoint = "eventaudit_upsert"

// savepoint prepares to undo an upsert. It returns nil at the last try, and
// where a pool of a foreign kind may not be in a transaction.
func (s *statement) savepoint(tries int) (undo func() error, err error) {
	conn := connpool.Unwrap(s.ConnPool)
	_, own := conn.(*sql.Conn) // put into a transaction before
	if _, within := conn.(gorm.TxCommitter); !within && !own || tries == maxUpserts {
		return nil, nil
	}
	if _, err := conn.ExecContext(s.own, "SAVEPOINT "+upsertSavepoint); err != nil {
		return nil, err
	}
	return func() error {
		_, err := conn.ExecContext(s.own, "ROLLBACK TO SAVEPOINT "+upsertSavepoint)
		return err
	}, nil
}

// keyedBy makes what the upsert may conflict on tell the rows of a table apart
// that has no key.
func (s *statement) keyedBy(targets [][]string) error {
	if len(targets) == 1 {
		for _, index := range s.table.facts.uniques {
			if !index.partial && s.table.sameColumns(index.columns, targets[0]) {
				keyed := *s.table
				keyed.keys = index.columns
				s.table = &keyed
				return nil
			}
		}
	}
	return fmt.Errorf("hooks: table %s has no primary key, so an upsert into it cannot be captured; add one", s.table.quoted())
}

// targets returns the column sets that the INSERT may conflict on.
func (s *statement) targets(onConflict clause.OnConflict) [][]string {
	if s.dialect.prepareReads || onConflict.OnConstraint != "" || len(onConflict.Columns) == 0 {
		return s.uniques()
	}
	target := make([]string, len(onConflict.Columns))
	for i, column := range onConflict.Columns {
		target[i] = column.Name
		if column.Name == clause.PrimaryKey && s.db.Statement.Schema != nil {
			target[i] = s.db.Statement.Schema.PrioritizedPrimaryField.DBName
		}
	}
	return [][]string{target}
}

// uniques returns the columns of every unique index. What is no column in it
// has no name.
func (s *statement) uniques() [][]string {
	var sets [][]string
	for _, index := range s.table.facts.uniques {
		sets = append(sets, index.columns)
	}
	return sets
}

// selectConflicting reads the rows that have the values which the INSERT
// brings for one of the targets.
func (s *statement) selectConflicting(how look, targets [][]string) (*images, error) {
	values, all := s.values(), noImages()
	for _, target := range targets {
		if s.hasExpressions(target) {
			found, err := s.rowsByExpressions(how, target)
			if err != nil {
				return nil, err
			}
			all.join(found)
			continue
		}
		at := s.valuePlaces(values, target)
		if at == nil {
			continue
		}
		var keys [][]any
		for _, row := range values.Values {
			key := make([]any, len(at))
			for i, place := range at {
				key[i] = row[place]
			}
			if !slices.ContainsFunc(key, isDefault) {
				keys = append(keys, key)
			}
		}
		found, err := s.rowsBy(how, target, keys)
		if err != nil {
			return nil, err
		}
		all.join(found)
	}
	return all, nil
}

// hasExpressions reports whether a target that the statement names is more
// than columns.
func (s *statement) hasExpressions(target []string) bool {
	return !slices.Contains(target, "") && slices.ContainsFunc(target, func(name string) bool {
		_, ok := s.table.column(name)
		return !ok
	})
}

// values returns what the INSERT brings.
func (s *statement) values() clause.Values {
	values, _ := s.db.Statement.Clauses["VALUES"].Expression.(clause.Values)
	return values
}

// join adds the rows that are not there yet.
func (set *images) join(others *images) {
	if len(others.rows) == 0 {
		return
	}
	there := index(set)
	set.layout, set.types = others.layout, others.types
	for _, row := range others.rows {
		if there[row.key] == nil {
			set.rows = append(set.rows, row)
		}
	}
}

// valuePlaces finds the columns among those that the INSERT names; nil when
// one is missing.
func (s *statement) valuePlaces(values clause.Values, names []string) []int {
	var at []int
	for _, name := range names {
		place := slices.IndexFunc(values.Columns, func(c clause.Column) bool { return s.table.same(c.Name, name) })
		if place < 0 {
			return nil
		}
		at = append(at, place)
	}
	return at
}
