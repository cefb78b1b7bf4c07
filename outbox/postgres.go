package outbox

import (
	"context"
	"time"
)

// postgres claims in one statement. A row that another relay is claiming is
// skipped, and one that is not committed yet is not seen: it is found later,
// whatever its sequence.
func postgres() dialect {
	return dialect{
		numbered: true,
		now:      "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS bigint)",
		change:   "UPDATE " + Table,
		remove:   "DELETE FROM " + Table,
		among:    between,
		columns:  `SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(quote_ident($1)) AND attnum > 0 AND NOT attisdropped`,
		claim: func(ctx context.Context, q queue, token string, limit int, lease time.Duration) ([]row, error) {
			return q.rows(ctx, q.pool,
				"WITH due AS (SELECT sequence FROM "+Table+" WHERE "+due+" ORDER BY sequence LIMIT ? FOR UPDATE SKIP LOCKED)"+
					" UPDATE "+Table+" AS o SET claimed_by = ?, claimed_until = {now} + ? FROM due WHERE o.sequence = due.sequence"+
					" RETURNING o.sequence, o.event_id, o.event, o.payload, o.result, o.attempts",
				limit, token, lease.Microseconds())
		},
	}
}
