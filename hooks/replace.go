package hooks

import (
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm/clause"

	"github.com/eventaudit/eventaudit/internal/connpool"
)

// SQLite may delete the rows in the way of an INSERT or UPDATE, because the
// statement says OR REPLACE or because a constraint of the table does. It
// tells nobody, and runs no trigger unless it is asked to.

// replaces reports whether the INSERT deletes rows in its way.
func (s *statement) replaces() bool {
	insert, _ := s.db.Statement.Clauses["INSERT"].Expression.(clause.Insert)
	return s.resolves(insert.Modifier, "REPLACE")
}

// updateModifier is what stands between UPDATE and the name of the table.
func (s *statement) updateModifier() string {
	update, _ := s.db.Statement.Clauses["UPDATE"].Expression.(clause.Update)
	return update.Modifier
}

// resolves reports whether a statement with this modifier may deal with
// conflicts in that way. What it says itself counts more than the table.
func (s *statement) resolves(modifier, how string) bool {
	if modifier != "" {
		return slices.Contains(strings.Fields(strings.ToUpper(modifier)), how)
	}
	return how == "REPLACE" && s.table.facts.replaces
}

// replacing runs a statement that may delete rows in its way. Which ones is
// not known, so that it stands only when the table grows by as many rows as the
// statement adds.
func (s *statement) replacing(run func() (outcome, error)) (outcome, error) {
	count := func() (n int64, err error) {
		return n, scanRow(s.own, connpool.Unwrap(s.ConnPool), "SELECT COUNT(*) FROM "+s.table.quoted(), &n)
	}
	before, err := count()
	if err != nil {
		return outcome{}, err
	}
	done, err := run()
	if err != nil {
		return outcome{}, err
	}
	if s.inserts {
		before += done.affected
	}
	after, err := count()
	if err == nil && after != before {
		err = fmt.Errorf("hooks: rows of table %s were replaced, and nobody can tell which; delete them first", s.table.quoted())
	}
	return done, err
}

// clauseReplaces reports whether the text of a CREATE TABLE has a constraint
// that replaces rows.
func clauseReplaces(create string) bool {
	s := scanner{syntax: sqliteSyntax, rest: create}
	for t := s.next(); t.kind != endToken; t = s.next() {
		if t.is("CONFLICT") && s.accept("REPLACE") {
			return true
		}
	}
	return false
}

// errIgnoredMoves says that an UPDATE leaves open which rows it moved.
func (s *statement) errIgnoredMoves() error {
	return fmt.Errorf("hooks: an UPDATE %s that assigns the key of table %s cannot be captured: nobody can tell which rows it left alone; update without %s",
		s.updateModifier(), s.table.quoted(), s.updateModifier())
}
