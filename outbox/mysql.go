package outbox

import (
	"context"
	"database/sql"

	"gorm.io/gorm"
)

// mysql claims in a transaction, for want of RETURNING. It runs READ COMMITTED,
// since any higher level locks the gaps into which the app inserts.
//
// Claimed rows are named one by one and looked up by the primary key, which the
// optimizer has to be told when they are most of the table: any other way to
// find them also locks, and so waits for, rows in between that the app has not
// committed yet.
func mysql() dialect {
	return dialect{
		now:       "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))",
		isolation: sql.LevelReadCommitted,
		locking:   " FOR UPDATE",
		choose:    "SELECT sequence FROM " + Table + " FORCE INDEX (PRIMARY)",
		change:    "UPDATE " + Table + " FORCE INDEX (PRIMARY)",
		remove:    "DELETE o FROM " + Table + " AS o FORCE INDEX (PRIMARY)",
		among:     listed,
		columns:   "SELECT column_name FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = ?",
		claim: func(ctx context.Context, q queue, c claim) (rows []row, err error) {
			err = q.atomically(ctx, func(tx gorm.ConnPool) error {
				rows, err = q.rows(ctx, tx,
					"SELECT "+claimed+" FROM "+Table+
						" WHERE sequence > ? AND "+due+" ORDER BY sequence LIMIT ? FOR UPDATE SKIP LOCKED",
					c.after, c.limit)
				if err != nil || len(rows) == 0 {
					return err
				}
				these, _ := listed(rows)
				return q.execute(ctx, tx, q.dialect.change+" SET claimed_by = ?, claimed_until = {now} + ? WHERE "+these, c.token, c.lease.Microseconds())
			})
			return rows, err
		},
	}
}
