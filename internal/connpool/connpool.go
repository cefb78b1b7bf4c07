// Package connpool is what the parts that speak SQL of their own know about
// the connection pools of GORM.
package connpool

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"gorm.io/gorm"
)

// Deferred is the comment that the INSERT of events begins with: it returns no
// rows, and nobody looks at how many it stored, so a connector that knows the
// comment may send it together with the next statement or the COMMIT, which
// then reports its error. Package pgpipe has such a connector.
const Deferred = "/*audit:defer*/"

// Ahead is the comment that an app's statement begins with that cannot look
// for events. A connector that knows the comment may send it before the
// deferred ones that came earlier.
const Ahead = "/*audit:ahead*/"

type promptly struct{}

// Promptly returns a context under which the INSERT of events is not deferred,
// for callers that act on its error.
func Promptly(ctx context.Context) context.Context {
	return context.WithValue(ctx, promptly{}, true)
}

// Deferrable returns a text that begins with Deferred as it is to be run under
// the context.
func Deferrable(ctx context.Context, text string) string {
	if now, _ := ctx.Value(promptly{}).(bool); now {
		return strings.TrimPrefix(text, Deferred)
	}
	return text
}

// Unwrap takes away GORM's caches of prepared statements, which nest. Texts of
// variable length would fill them with shapes that are never seen again.
func Unwrap(pool gorm.ConnPool) gorm.ConnPool {
	for {
		switch prepared := pool.(type) {
		case *gorm.PreparedStmtDB:
			pool = prepared.ConnPool
		case *gorm.PreparedStmtTX:
			pool = prepared.Tx
		default:
			return pool
		}
	}
}

// Begins reports whether the pool can begin a transaction. One that cannot is
// a transaction already.
func Begins(pool gorm.ConnPool) bool {
	switch pool.(type) {
	case gorm.TxBeginner, gorm.ConnPoolBeginner:
		return true
	}
	return false
}

// Begin begins a transaction, as *sql.DB does or as wrappers of one do for
// GORM. The error is gorm.ErrInvalidTransaction when the pool cannot.
func Begin(ctx context.Context, pool gorm.ConnPool, opts *sql.TxOptions) (gorm.ConnPool, gorm.TxCommitter, error) {
	var conn gorm.ConnPool
	var err error
	switch beginner := pool.(type) {
	case gorm.TxBeginner:
		conn, err = beginner.BeginTx(ctx, opts)
	case gorm.ConnPoolBeginner:
		conn, err = beginner.BeginTx(ctx, opts)
	default:
		err = gorm.ErrInvalidTransaction
	}
	if err != nil {
		return nil, nil, err
	}
	end, ok := conn.(gorm.TxCommitter)
	if !ok {
		return nil, nil, gorm.ErrInvalidTransaction
	}
	return conn, end, nil
}

// Rollback rolls back a transaction that may be over already.
func Rollback(tx gorm.TxCommitter) error {
	if err := tx.Rollback(); !errors.Is(err, sql.ErrTxDone) {
		return err
	}
	return nil
}

// Atomically runs do in a transaction of its own.
func Atomically(ctx context.Context, pool gorm.ConnPool, opts *sql.TxOptions, do func(gorm.ConnPool) error) error {
	conn, end, err := Begin(ctx, pool, opts)
	if err != nil {
		return err
	}
	if err := do(conn); err != nil {
		return errors.Join(err, Rollback(end))
	}
	return end.Commit()
}
