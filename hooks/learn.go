package hooks

import (
	"errors"
	"fmt"
	"time"

	"github.com/eventaudit/eventaudit/internal/connpool"
)

// learn adds what the catalog knows of the table, at the first change of it
// and whenever it may be another one.
func (s *statement) learn() error {
	if err := s.takeWriteLock(); err != nil { // before the first read
		return err
	}
	switch {
	case s.table.facts == nil:
		return s.ask()
	case s.dialect.writeLock:
		version, err := sqliteVersion(s.own, connpool.Unwrap(s.ConnPool), s.table)
		if err != nil || version == s.table.facts.version {
			return err
		}
		return s.ask()
	case time.Since(s.table.learned) >= s.Recheck:
		return s.ask()
	default:
		return nil
	}
}

// origin is the column behind the mark, which says what PostgreSQL knows the
// table of the row by, and elsewhere nothing.
func (s *statement) origin() string {
	id := "1"
	if s.tellsOrigin() {
		id = s.tableName() + ".tableoid::int8"
	}
	return id + " AS " + s.table.quote(mark)
}

// tellsOrigin reports whether all rows that a statement returns are of the table
// that it names, and say so.
func (s *statement) tellsOrigin() bool {
	f := s.table.facts
	return s.dialect.documents && !f.composed && !f.inherited && !f.ruled
}

// settle goes on with what is known of the table that the rows came from, where
// that is another one than the catalog said: the search_path is another, or
// somebody put another table in its place.
func (s *statement) settle(origin any) error {
	id, ok := origin.(int64)
	if !ok || !s.tellsOrigin() || id == s.table.facts.id {
		return nil
	}
	if other := s.tables.other(keyOf(s.db.Statement), id); other != nil && time.Since(other.learned) < s.Recheck {
		s.table = other
		return nil
	}
	return s.ask()
}

// forgetIfOther has the catalog asked again after an error of PostgreSQL that a
// column is not there (42703): something else may have the name of the table now.
func (s *statement) forgetIfOther(err error) {
	var said interface{ SQLState() string }
	if s.dialect.documents && errors.As(err, &said) && said.SQLState() == "42703" {
		s.tables.forget()
	}
}

// ask asks the catalog.
func (s *statement) ask() error {
	known := *s.table
	found, err := s.dialect.facts(s.own, connpool.Unwrap(s.ConnPool), &known)
	if err != nil {
		return err
	}
	if len(found.columns) == 0 { // the database will say that there is no such table
		if _, err := s.ConnPool.ExecContext(s.ctx, s.query, s.args...); err != nil {
			return err
		}
		return fmt.Errorf("hooks: table %s is not in the catalog", known.quoted())
	}
	known.facts, known.layouts, known.texts, known.learned = &found, &layouts{}, &texts{}, time.Now()
	var keys []string
	if model := s.db.Statement.Schema; model != nil {
		keys = model.PrimaryFieldDBNames
	}
	known.identify(keys)
	found.moves = len(known.keys) > 0 && known.moveKeys(s.dialect.syntax, found.bodies)
	found.bodies = nil
	s.tables.put(keyOf(s.db.Statement), &known)
	s.table = &known
	return nil
}

// imagesOf returns the rows of a buffer that holds whole rows of the table. The
// catalog is asked again when they have other columns than it said.
func (s *statement) imagesOf(t *table, b *buffer) (*images, error) {
	set, err := s.capturer.imagesOf(t, b)
	if err != nil || len(set.rows) == 0 || set.catalogued || s.table.layouts.odd.Load() {
		return set, err
	}
	s.tables.forget()
	if err := s.ask(); err != nil {
		return nil, err
	}
	if set, err = s.capturer.imagesOf(s.table, b); err == nil && !set.catalogued {
		s.table.layouts.odd.Store(true)
	}
	return set, err
}
