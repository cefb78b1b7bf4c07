package outbox

import "context"

// sqlite claims in one statement, which takes the write lock before it reads:
// there is one writer at a time. A transaction takes that lock with a statement
// that changes no row: if it read before it wrote, it would fail as soon as
// somebody else has written in between.
func sqlite() dialect {
	return dialect{
		now:     "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) * 1000",
		begin:   "UPDATE " + Table + " SET attempts = attempts WHERE sequence = 0",
		choose:  "SELECT sequence FROM " + Table,
		change:  "UPDATE " + Table,
		remove:  "DELETE FROM " + Table,
		among:   between,
		columns: `SELECT name FROM pragma_table_info(?)`,
		claim: func(ctx context.Context, q queue, c claim) ([]row, error) {
			return q.rows(ctx, q.pool,
				"UPDATE "+Table+" SET claimed_by = ?, claimed_until = {now} + ?"+
					" WHERE sequence IN (SELECT sequence FROM "+Table+" WHERE sequence > ? AND "+due+" ORDER BY sequence LIMIT ?)"+
					" RETURNING "+claimed,
				c.token, c.lease.Microseconds(), c.after, c.limit)
		},
	}
}
