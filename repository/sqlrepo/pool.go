package sqlrepo

import (
	"context"
	"database/sql"
	"errors"

	"gorm.io/gorm"
)

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

// atomically runs do in a transaction of its own. A pool that cannot begin one
// is a transaction already, and all or none is its business.
func atomically(ctx context.Context, pool gorm.ConnPool, do func(gorm.ConnPool) error) error {
	beginner, ok := pool.(gorm.TxBeginner)
	if !ok {
		return do(pool)
	}
	tx, err := beginner.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		if undo := tx.Rollback(); !errors.Is(undo, sql.ErrTxDone) {
			return errors.Join(err, undo)
		}
		return err
	}
	return tx.Commit()
}
