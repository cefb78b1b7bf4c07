package outbox

import (
	"context"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
)

// batch is what one claim took, in order. Whatever is done to its rows is done
// under the condition that the claim still holds, so that a relay that lost it
// changes nothing.
type batch struct {
	token string
	rows  []row
	// full says that there are as many as the claim was to take.
	full bool
}

// last returns the highest sequence.
func (b batch) last() int64 { return b.rows[len(b.rows)-1].sequence }

// settlement is what becomes of the rows of a batch.
type settlement struct {
	// delivered rows go, in runs of neighbours.
	delivered [][]row
	// released rows wait for the next claim.
	released [][]row
	// delayed rows failed, and wait for longer.
	delayed []failure
	// buried rows failed for good, and become dead letters.
	buried []failure
}

// failure is why a row was not delivered.
type failure struct {
	row    row
	reason string
	// wait is how long it stays away from the next claims.
	wait time.Duration
}

// settle brings the outbox up to date with what happened to the batch. It
// returns those that have become dead letters; the others were not ours any
// more.
func (q queue) settle(ctx context.Context, b batch, s settlement) (buried []failure, err error) {
	if len(s.delivered) == 1 && len(s.released)+len(s.delayed)+len(s.buried) == 0 {
		return nil, q.remove(ctx, q.pool, b, s.delivered[0])
	}
	err = q.atomically(ctx, func(tx gorm.ConnPool) error {
		for _, run := range s.delivered {
			if err := q.remove(ctx, tx, b, run); err != nil {
				return err
			}
		}
		for _, run := range s.released {
			if err := q.release(ctx, tx, b, run); err != nil {
				return err
			}
		}
		for _, f := range s.delayed {
			if err := q.delay(ctx, tx, b, f); err != nil {
				return err
			}
		}
		if buried, err = q.ours(ctx, tx, b, s.buried); err != nil {
			return err
		}
		for _, f := range buried {
			if err := q.bury(ctx, tx, b, f); err != nil {
				return err
			}
		}
		return nil
	})
	return buried, err
}

func (q queue) remove(ctx context.Context, conn gorm.ConnPool, b batch, run []row) error {
	these, args := q.dialect.among(run)
	return q.execute(ctx, conn, q.dialect.remove+" WHERE "+these+" AND claimed_by = ?", append(args, b.token)...)
}

// release gives rows back to the next claim.
func (q queue) release(ctx context.Context, conn gorm.ConnPool, b batch, run []row) error {
	these, args := q.dialect.among(run)
	return q.execute(ctx, conn, q.dialect.change+" SET claimed_by = '', claimed_until = 0 WHERE "+these+" AND claimed_by = ?", append(args, b.token)...)
}

func (q queue) delay(ctx context.Context, conn gorm.ConnPool, b batch, f failure) error {
	return q.execute(ctx, conn, q.dialect.change+
		" SET claimed_by = '', claimed_until = 0, attempts = attempts + 1, next_at = {now} + ?, last_error = ?,"+
		" first_failed_at = "+firstFailure+
		" WHERE sequence = ? AND claimed_by = ?", f.wait.Microseconds(), stored(f.reason), f.row.sequence, b.token)
}

// ours returns the failures of rows on which the claim holds. Nobody else can
// claim them before the transaction ends.
func (q queue) ours(ctx context.Context, tx gorm.ConnPool, b batch, failures []failure) ([]failure, error) {
	if len(failures) == 0 {
		return nil, nil
	}
	rows := make([]row, len(failures))
	for i, f := range failures {
		rows[i] = f.row
	}
	held, err := q.lock(ctx, tx, q.dialect.choose+" WHERE "+oneOf(sequences(rows))+" AND claimed_by = ?", b.token)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(failures), func(f failure) bool { return !slices.Contains(held, f.row.sequence) }), nil
}

// bury makes a row that is ours a dead letter, if it is not one already.
func (q queue) bury(ctx context.Context, conn gorm.ConnPool, b batch, f failure) error {
	err := q.execute(ctx, conn, "INSERT INTO "+DeadLetterTable+
		" (sequence, event_id, event, payload, result, reason, attempts, first_failed_at, last_failed_at)"+
		" SELECT sequence, event_id, event, payload, result, ?, attempts + 1, "+firstFailure+", {now}"+
		" FROM "+Table+" AS o WHERE sequence = ? AND NOT EXISTS (SELECT 1 FROM "+DeadLetterTable+
		" AS d WHERE d.sequence = o.sequence AND d.event_id = o.event_id)", stored(f.reason), f.row.sequence)
	if err != nil {
		return err
	}
	return q.remove(ctx, conn, b, []row{f.row})
}

// firstFailure is the time of the first failure, which may be this one.
const firstFailure = "CASE WHEN first_failed_at > 0 THEN first_failed_at ELSE {now} END"

// stored returns the reason as every database can keep it, and at a length
// that people read.
func stored(reason string) string {
	const longest = 2000
	if len(reason) > longest {
		reason = reason[:longest] + "…"
	}
	return escape(strings.ToValidUTF8(reason, "\uFFFD"))
}
