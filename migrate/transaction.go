package migrate

import (
	"context"
	"database/sql"
	"errors"
)

// endTransaction keeps or undoes what the open transaction has done.
func endTransaction(ctx context.Context, conn *sql.Conn, keep bool) error {
	if !keep {
		return execute(ctx, conn, "ROLLBACK")
	}
	if err := execute(ctx, conn, "COMMIT"); err != nil {
		return rollback(ctx, conn, err)
	}
	return nil
}

// rollback gives up the open transaction because of err.
func rollback(ctx context.Context, conn *sql.Conn, err error) error {
	return errors.Join(err, execute(context.WithoutCancel(ctx), conn, "ROLLBACK"))
}
