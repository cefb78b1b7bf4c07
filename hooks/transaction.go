package hooks

import (
	"context"
	"database/sql"
	"runtime"
	"slices"
	"sync"
	"weak"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/connpool"
)

// follow tells who follows the context of the transaction of the app that the
// statement runs in, or of the connection, on which there may be one.
func (c *capturer) follow(db *gorm.DB) {
	if c.Follow == nil {
		return
	}
	tell := c.Follow(db.Statement.Context)
	if tell == nil {
		return
	}
	if _, own := db.InstanceGet(startedByGORM); own {
		return // over before the app goes on
	}
	switch conn := connpool.Unwrap(db.Statement.ConnPool).(type) {
	case *sql.Tx, *sql.Conn:
		tell(conn)
	}
}

// startedByGORM is what GORM marks a statement with that it began a transaction
// for.
const startedByGORM = "gorm:started_transaction"

// begin returns the transaction that the statement's event belongs to: the
// one it runs in, or, where there is none, one around this statement alone.
// Hooks and associations stay outside of it, as the app asked for. The end
// function ends it by what became of the statement.
func (c *capturer) begin(ctx context.Context, pool gorm.ConnPool) (conn gorm.ConnPool, end func(problem error) error, err error) {
	running := func(error) error { return nil }
	switch raw := connpool.Unwrap(pool).(type) {
	case *sql.Conn:
		// The app may have begun a transaction on it by hand.
		_, end, err = c.enclose(ctx, raw)
		return pool, end, err
	case *sql.Tx:
		if !c.doubts.about(raw) {
			return pool, running, nil
		}
		c.Transactions.unlock(raw)
		open, end, err := c.enclose(ctx, raw)
		if err == nil && open {
			c.doubts.settle(raw)
		} else {
			c.Transactions.forget(weak.Make(raw)) // what follows is none of it
		}
		return pool, end, err
	}
	if _, ok := pool.(gorm.TxCommitter); ok || !connpool.Begins(pool) {
		return pool, running, nil
	}
	conn, tx, err := connpool.Begin(ctx, pool, nil)
	if err != nil {
		return nil, nil, err
	}
	return conn, func(problem error) error {
		if problem != nil {
			return connpool.Rollback(tx)
		}
		return tx.Commit()
	}, nil
}

// Transactions gives every database transaction an id for as long as it lives,
// without keeping it alive. The zero value is ready, and safe for concurrent
// use.
type Transactions struct {
	mutex sync.Mutex
	known map[weak.Pointer[sql.Tx]]*transaction
}

type transaction struct {
	id string
	// locked are the tables whose database the transaction has locked for
	// writing, which is for its own life.
	locked []string
}

// ID returns the id of the transaction behind conn. A transaction of a foreign
// kind has a new id each time.
func (t *Transactions) ID(conn gorm.ConnPool) string {
	id := ""
	if !t.at(conn, func(known *transaction) { id = known.id }) {
		return event.NewID()
	}
	return id
}

// at shows the transaction behind conn, unless it is of a foreign kind.
func (t *Transactions) at(conn gorm.ConnPool, show func(*transaction)) bool {
	tx, ok := connpool.Unwrap(conn).(*sql.Tx)
	if !ok {
		return false
	}
	key := weak.Make(tx)
	t.mutex.Lock()
	defer t.mutex.Unlock()
	known, ok := t.known[key]
	if !ok {
		if t.known == nil {
			t.known = map[weak.Pointer[sql.Tx]]*transaction{}
		}
		known = &transaction{id: event.NewID()}
		t.known[key] = known
		runtime.AddCleanup(tx, t.forget, key)
	}
	show(known)
	return true
}

// hasLocked reports whether the transaction has locked the table, and locks
// says that it has.
func (t *Transactions) hasLocked(conn gorm.ConnPool, table string) (locked bool) {
	t.at(conn, func(known *transaction) { locked = slices.Contains(known.locked, table) })
	return locked
}

func (t *Transactions) locks(conn gorm.ConnPool, table string) {
	t.at(conn, func(known *transaction) { known.locked = append(known.locked, table) })
}

// unlock forgets what the transaction has locked: it may be another one by now.
func (t *Transactions) unlock(conn gorm.ConnPool) {
	t.at(conn, func(known *transaction) { known.locked = nil })
}

func (t *Transactions) forget(key weak.Pointer[sql.Tx]) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	delete(t.known, key)
}
