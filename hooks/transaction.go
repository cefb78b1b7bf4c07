package hooks

import (
	"context"
	"database/sql"
	"errors"
	"runtime"
	"sync"
	"weak"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
)

// unwrap returns the connection below GORM's prepared statement caches, which
// nest. SQL whose text varies goes there, or it would fill the caches.
func unwrap(conn gorm.ConnPool) gorm.ConnPool {
	for {
		switch wrapper := conn.(type) {
		case *gorm.PreparedStmtTX:
			conn = wrapper.Tx
		case *gorm.PreparedStmtDB:
			conn = wrapper.ConnPool
		default:
			return conn
		}
	}
}

// begin returns the transaction that the statement's event belongs to: the
// one it runs in, or, where GORM opened none, one around this statement alone.
// Hooks and associations stay outside of it, as the app asked for. The end
// function commits it, or rolls it back when the statement failed.
func begin(ctx context.Context, pool gorm.ConnPool) (conn gorm.ConnPool, end func(failed bool) error, err error) {
	running := func(bool) error { return nil }
	if _, ok := pool.(gorm.TxCommitter); ok {
		return pool, running, nil
	}
	if _, ok := pool.(*sql.Conn); ok {
		// The app may have begun a transaction on it by hand; a BEGIN of ours
		// would then end in committing the app's.
		return pool, running, nil
	}
	switch beginner := pool.(type) {
	case gorm.TxBeginner:
		conn, err = beginner.BeginTx(ctx, nil)
	case gorm.ConnPoolBeginner:
		conn, err = beginner.BeginTx(ctx, nil)
	default:
		return pool, running, nil
	}
	if err != nil {
		return nil, nil, err
	}
	tx, ok := conn.(gorm.TxCommitter)
	if !ok {
		return nil, nil, gorm.ErrInvalidTransaction
	}
	return conn, func(failed bool) error {
		if !failed {
			return tx.Commit()
		}
		if err := tx.Rollback(); !errors.Is(err, sql.ErrTxDone) {
			return err
		}
		return nil
	}, nil
}

// transactionIDs gives every database transaction an id for as long as it
// lives, without keeping it alive.
type transactionIDs struct {
	mutex sync.Mutex
	ids   map[weak.Pointer[sql.Tx]]string
}

// of returns the id of the transaction behind conn. A transaction of a foreign
// kind has a new id for each statement.
func (t *transactionIDs) of(conn gorm.ConnPool) string {
	tx, ok := unwrap(conn).(*sql.Tx)
	if !ok {
		return event.NewID()
	}
	key := weak.Make(tx)
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if id, ok := t.ids[key]; ok {
		return id
	}
	if t.ids == nil {
		t.ids = map[weak.Pointer[sql.Tx]]string{}
	}
	id := event.NewID()
	t.ids[key] = id
	runtime.AddCleanup(tx, t.forget, key)
	return id
}

func (t *transactionIDs) forget(key weak.Pointer[sql.Tx]) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	delete(t.ids, key)
}
