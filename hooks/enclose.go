package hooks

import (
	"context"
	"database/sql"
	"errors"

	"gorm.io/gorm"
)

// errPanicked stands for the error of a statement that did not return.
var errPanicked = errors.New("hooks: the statement did not return")

// enclosed is the savepoint around one statement.
const enclosed = "eventaudit_statement"

// enclose makes a statement and its events one, on a connection of which
// database/sql does not know whether a transaction is open: within the one
// that is, by a savepoint, otherwise by a transaction of their own. It speaks
// SQL, because only the server knows.
func (c *capturer) enclose(ctx context.Context, conn gorm.ConnPool) (open bool, end func(problem error) error, err error) {
	ctx = context.WithoutCancel(ctx)
	if open, err = c.dialect.inTransaction(ctx, conn); err != nil {
		return open, nil, err
	}
	run := func(text string) error {
		_, err := conn.ExecContext(ctx, text)
		return err
	}
	if open {
		return true, c.endSavepoint(ctx, conn, run), run("SAVEPOINT " + enclosed)
	}
	return false, func(problem error) error {
		if problem != nil {
			return unlessDone(run("ROLLBACK"))
		}
		if err := run("COMMIT"); err != nil {
			// SQLite leaves the transaction open when it cannot commit.
			return errors.Join(err, c.undo(ctx, conn, run))
		}
		return nil
	}, run("BEGIN")
}

// endSavepoint returns the end of a statement within the app's transaction.
func (c *capturer) endSavepoint(ctx context.Context, conn gorm.ConnPool, run func(string) error) func(error) error {
	return func(problem error) error {
		switch {
		case problem == nil:
			err := run("RELEASE SAVEPOINT " + enclosed)
			if err == nil {
				return nil
			}
			if open, ask := c.dialect.inTransaction(ctx, conn); ask == nil && !open {
				return nil // the statement ended the transaction, as MySQL's TRUNCATE does
			}
			return err
		case errors.Is(problem, ErrCapture), errors.Is(problem, errPanicked):
			return unlessDone(errors.Join(run("ROLLBACK TO SAVEPOINT "+enclosed), run("RELEASE SAVEPOINT "+enclosed)))
		default:
			// A statement that failed leaves the app's transaction as it would
			// without us; on PostgreSQL a rollback would revive it.
			return nil
		}
	}
}

// unlessDone is the error of a rollback, which needs none where the
// transaction was rolled back with all in it.
func unlessDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}

// ended reports whether the transaction that a statement ran in is over, as
// after a deadlock.
func (c *capturer) ended(ctx context.Context, conn gorm.ConnPool) bool {
	switch conn.(type) {
	case *sql.Tx, *sql.Conn:
		open, err := c.dialect.inTransaction(ctx, conn)
		return err == nil && !open
	}
	return false
}

// undo rolls back what a failed COMMIT may have left open.
func (c *capturer) undo(ctx context.Context, conn gorm.ConnPool, run func(string) error) error {
	if open, err := c.dialect.inTransaction(ctx, conn); err != nil || !open {
		return unlessDone(err)
	}
	return run("ROLLBACK")
}

// postgresInTransaction sets what lasts until the end of the transaction, and
// looks whether it lasted. A savepoint would tell too, by an error in the log
// of the server.
func postgresInTransaction(ctx context.Context, conn gorm.ConnPool) (open bool, err error) {
	if _, err := conn.ExecContext(ctx, "SELECT set_config('eventaudit.open', 'yes', true)"); err != nil {
		return false, err
	}
	err = conn.QueryRowContext(ctx, "SELECT coalesce(current_setting('eventaudit.open', true), '') = 'yes'").Scan(&open)
	return open, err
}

// sqliteInTransaction tries to begin one, which is an error within another.
func sqliteInTransaction(ctx context.Context, conn gorm.ConnPool) (open bool, err error) {
	if _, err := conn.ExecContext(ctx, "BEGIN"); err != nil {
		return true, nil //nolint:nilerr // the error is the answer; a broken connection fails at the next statement
	}
	_, err = conn.ExecContext(ctx, "ROLLBACK")
	return false, err
}

// mysqlInTransaction sets a savepoint, which outside of a transaction is gone
// at once. MySQL has nothing to ask, and BEGIN would commit the one it is in.
func mysqlInTransaction(ctx context.Context, conn gorm.ConnPool) (open bool, err error) {
	const probe = "eventaudit_open"
	if _, err := conn.ExecContext(ctx, "SAVEPOINT "+probe); err != nil {
		return false, err
	}
	_, err = conn.ExecContext(ctx, "RELEASE SAVEPOINT "+probe)
	return err == nil, nil //nolint:nilerr // the error is the answer; a broken connection fails at the next statement
}
