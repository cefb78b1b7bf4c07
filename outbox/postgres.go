package outbox

import (
	"context"
	"strings"
)

// postgres claims in one statement. A row that another relay is claiming is
// skipped, and one that is not committed yet is not seen: it is found later,
// whatever its sequence. An array is looked up by the primary key, whatever
// the planner thinks of the size of the table; a join is not. The clock is in
// subqueries, which are computed once instead of for each row.
func postgres() dialect {
	return dialect{
		numbered: true,
		now:      "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS bigint)",
		locking:  " FOR UPDATE",
		choose:   "SELECT sequence FROM " + Table,
		change:   "UPDATE " + Table,
		remove:   "DELETE FROM " + Table,
		among:    between,
		columns:  `SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(quote_ident($1)) AND attnum > 0 AND NOT attisdropped`,
		claim: func(ctx context.Context, q queue, c claim) ([]row, error) {
			return q.rows(ctx, q.pool, strings.ReplaceAll(
				"UPDATE "+Table+" SET claimed_by = ?, claimed_until = {now} + ? WHERE sequence = ANY (ARRAY("+
					"SELECT sequence FROM "+Table+" WHERE sequence > ? AND "+due+" ORDER BY sequence LIMIT ? FOR UPDATE SKIP LOCKED))"+
					" RETURNING "+claimed, "{now}", "(SELECT {now})"),
				c.token, c.lease.Microseconds(), c.after, c.limit)
		},
	}
}
