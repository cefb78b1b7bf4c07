package hooks

import (
	"database/sql"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"weak"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/internal/connpool"
)

// doubts are the transactions that may be over without database/sql knowing
// it: MySQL rolls a transaction back when it meets a deadlock, and commits it
// when a table is altered; SQLite rolls it back when the disk is full; an app
// may send COMMIT as text. What the app writes then is committed statement by
// statement, and without us a change and its event would be two of them.
//
// Whether a doubt is justified is found out by the next statement that has
// events, so that reads and everything else cost nothing.
type doubts struct {
	// any says that there ever was one; most apps have none.
	any          atomic.Bool
	transactions sync.Map // of weak.Pointer[sql.Tx]
}

func (d *doubts) about(tx *sql.Tx) bool {
	if !d.any.Load() {
		return false
	}
	_, doubted := d.transactions.Load(weak.Make(tx))
	return doubted
}

func (d *doubts) raise(tx *sql.Tx) {
	d.any.Store(true)
	key := weak.Make(tx)
	if _, raised := d.transactions.LoadOrStore(key, nil); !raised {
		runtime.AddCleanup(tx, func(key weak.Pointer[sql.Tx]) { d.transactions.Delete(key) }, key)
	}
}

func (d *doubts) settle(tx *sql.Tx) { d.transactions.Delete(weak.Make(tx)) }

// doubt raises a doubt about the transaction of the statement.
func (c *capturer) doubt(pool gorm.ConnPool) {
	if tx, ok := connpool.Unwrap(pool).(*sql.Tx); ok {
		c.doubts.raise(tx)
	}
}

// doubtFailed raises a doubt when the statement failed, on a database where
// that may end the transaction.
func (c *capturer) doubtFailed(db *gorm.DB, pool gorm.ConnPool) {
	if db.Error != nil && c.dialect.errorsEnd && !errors.Is(db.Error, gorm.ErrRecordNotFound) {
		c.doubt(pool)
	}
}
