package outbox

import (
	"context"
	"database/sql"
	"errors"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
)

// poolOf returns the connection pool below db.
func poolOf(db *gorm.DB) (gorm.ConnPool, error) {
	if db == nil || db.Statement == nil || db.Statement.ConnPool == nil {
		return nil, &event.FieldError{Field: "database", Value: "nil", Reason: "is not an open database; pass the *gorm.DB that gorm.Open returned"}
	}
	pool := unwrap(db.Statement.ConnPool)
	switch pool.(type) {
	case gorm.TxBeginner, gorm.ConnPoolBeginner:
		return pool, nil
	}
	return nil, &event.FieldError{Field: "database", Value: "a transaction", Reason: "would end before the outbox does; pass the *gorm.DB that gorm.Open returned"}
}

// unwrap takes away GORM's caches of prepared statements, which nest. Texts of
// variable length would fill them with shapes that are never seen again.
func unwrap(pool gorm.ConnPool) gorm.ConnPool {
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

// atomically runs do in a transaction of its own.
func atomically(ctx context.Context, pool gorm.ConnPool, level sql.IsolationLevel, do func(gorm.ConnPool) error) error {
	tx, err := begin(ctx, pool, &sql.TxOptions{Isolation: level})
	if err != nil {
		return err
	}
	end, ok := tx.(gorm.TxCommitter)
	if !ok {
		return gorm.ErrInvalidTransaction
	}
	if err := do(tx); err != nil {
		if undo := end.Rollback(); !errors.Is(undo, sql.ErrTxDone) {
			return errors.Join(err, undo)
		}
		return err
	}
	return end.Commit()
}

func begin(ctx context.Context, pool gorm.ConnPool, opts *sql.TxOptions) (gorm.ConnPool, error) {
	switch beginner := pool.(type) {
	case gorm.TxBeginner:
		return beginner.BeginTx(ctx, opts)
	case gorm.ConnPoolBeginner:
		return beginner.BeginTx(ctx, opts)
	}
	return nil, gorm.ErrInvalidTransaction
}
