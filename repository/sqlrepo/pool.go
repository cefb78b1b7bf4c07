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
	begin := beginner(pool)
	if begin == nil {
		return do(pool)
	}
	tx, end, err := begin(ctx)
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		if undo := end.Rollback(); !errors.Is(undo, sql.ErrTxDone) {
			return errors.Join(err, undo)
		}
		return err
	}
	return end.Commit()
}

// beginner returns how the pool begins a transaction: as *sql.DB does, or as
// wrappers of one do for GORM. Nil says that it does not.
func beginner(pool gorm.ConnPool) func(context.Context) (gorm.ConnPool, gorm.TxCommitter, error) {
	switch pool := pool.(type) {
	case gorm.TxBeginner:
		return func(ctx context.Context) (gorm.ConnPool, gorm.TxCommitter, error) {
			tx, err := pool.BeginTx(ctx, nil)
			return tx, tx, err
		}
	case gorm.ConnPoolBeginner:
		return func(ctx context.Context) (gorm.ConnPool, gorm.TxCommitter, error) {
			tx, err := pool.BeginTx(ctx, nil)
			if err != nil {
				return nil, nil, err
			}
			end, ok := tx.(gorm.TxCommitter)
			if !ok {
				return nil, nil, gorm.ErrInvalidTransaction
			}
			return tx, end, nil
		}
	}
	return nil
}
