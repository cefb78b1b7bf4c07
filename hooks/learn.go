package hooks

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/eventaudit/eventaudit/internal/connpool"
)

// trust is how far what the catalog said of a table can be relied on. It is
// made anew whenever the catalog is asked.
type trust struct {
	// until is when to ask again, in nanoseconds of Unix time.
	until atomic.Int64
	// odd says that rows have other columns than the catalog names.
	odd atomic.Bool
}

// ends reports whether to ask again now. One of those that ask at once is told
// to; the others go on with what is known.
func (t *trust) ends(now time.Time, next time.Duration) bool {
	until := t.until.Load()
	return now.UnixNano() >= until && t.until.CompareAndSwap(until, now.Add(next).UnixNano())
}

// learn adds what the catalog knows of the table, at the first change of it
// and whenever it may be another one.
func (s *statement) learn() error {
	if err := s.takeWriteLock(); err != nil { // before the first read
		return err
	}
	if s.table.facts == nil {
		return s.ask()
	}
	if !s.dialect.writeLock {
		trust := s.table.trust
		if !trust.ends(time.Now(), s.Recheck) {
			return nil
		}
		err := s.ask()
		if err != nil {
			trust.until.Store(0) // the next one tries
		}
		return err
	}
	version, err := sqliteVersion(s.own, connpool.Unwrap(s.ConnPool), s.table)
	if err != nil || version == s.table.facts.version {
		return err
	}
	return s.ask()
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
	known.facts, known.layouts, known.texts, known.trust = &found, &layouts{}, &texts{}, &trust{}
	known.trust.until.Store(time.Now().Add(s.Recheck).UnixNano())
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
	if err != nil || len(set.rows) == 0 || set.told || s.table.trust.odd.Load() {
		return set, err
	}
	s.tables.forget()
	if err := s.ask(); err != nil {
		return nil, err
	}
	if set, err = s.capturer.imagesOf(s.table, b); err == nil && !set.told {
		s.table.trust.odd.Store(true)
	}
	return set, err
}
