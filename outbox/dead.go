package outbox

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
)

// DeadLetter is an event that the repository refused for good.
type DeadLetter struct {
	// Event is the whole event. Of one that could not even be read there is
	// only the ID and the sequence.
	Event event.Event
	// Reason is the last refusal; it may hold values of the event.
	Reason string
	// Attempts is how many times the event was refused.
	Attempts int
	// FirstFailure and LastFailure are when, by the clock of the database.
	FirstFailure, LastFailure time.Time
}

// page is how many dead letters are read at once.
const page = 100

// Dead yields the dead letters by sequence. It ends after the first error. No
// connection is held while the loop does its work, so that it may call Retry
// and Discard.
func (o *Outbox) Dead(ctx context.Context) iter.Seq2[DeadLetter, error] {
	return func(yield func(DeadLetter, error) bool) {
		for after := int64(-1); ; {
			letters, err := o.queue.dead(ctx, after)
			if err != nil {
				yield(DeadLetter{}, fmt.Errorf("outbox: read dead letters: %w", err))
				return
			}
			for _, letter := range letters {
				if !yield(letter, nil) {
					return
				}
				after = letter.Event.Sequence
			}
			if len(letters) < page {
				return
			}
		}
	}
}

func (q queue) dead(ctx context.Context, after int64) ([]DeadLetter, error) {
	rows, err := q.pool.QueryContext(ctx, q.dialect.sql(
		"SELECT sequence, event_id, event, payload, result, reason, attempts, first_failed_at, last_failed_at FROM "+DeadLetterTable+
			" WHERE sequence > ? ORDER BY sequence LIMIT ?"), after, page)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var letters []DeadLetter
	for rows.Next() {
		var letter DeadLetter
		var sequence, first, last int64
		var id string
		var object, payload, result []byte
		if err := rows.Scan(&sequence, &id, &object, &payload, &result, &letter.Reason, &letter.Attempts, &first, &last); err != nil {
			return nil, err
		}
		if letter.Event, err = decode(sequence, object, payload, result); err != nil {
			letter.Event = event.Event{ID: unescape(id), Sequence: sequence}
		}
		letter.Reason = unescape(letter.Reason)
		letter.FirstFailure, letter.LastFailure = time.UnixMicro(first).UTC(), time.UnixMicro(last).UTC()
		letters = append(letters, letter)
	}
	return letters, rows.Err()
}

// Retry puts the dead letters with these event IDs back into the outbox, with
// their sequence and without their past, and wakes the relay. Without IDs it
// takes all of them. It returns how many there were.
func (o *Outbox) Retry(ctx context.Context, ids ...string) (int64, error) {
	n, err := o.queue.withDead(ctx, ids, func(tx gorm.ConnPool, these string) error {
		return o.queue.execute(ctx, tx, "INSERT INTO "+Table+" (sequence, event_id, event, payload, result, created_at)"+
			" SELECT sequence, event_id, event, payload, result, {now} FROM "+DeadLetterTable+" WHERE "+these)
	})
	if err != nil {
		return 0, fmt.Errorf("outbox: retry dead letters: %w", err)
	}
	o.Wake()
	return n, nil
}

// Discard removes the dead letters with these event IDs for ever, and returns
// how many there were. Without IDs it refuses with a *event.FieldError.
func (o *Outbox) Discard(ctx context.Context, ids ...string) (int64, error) {
	if len(ids) == 0 {
		return 0, &event.FieldError{Field: "ids", Value: "", Reason: "names no dead letter; say which events are to be lost"}
	}
	n, err := o.queue.withDead(ctx, ids, func(gorm.ConnPool, string) error { return nil })
	if err != nil {
		return 0, fmt.Errorf("outbox: discard dead letters: %w", err)
	}
	return n, nil
}

// idChunk is how many dead letters one statement takes at most, whether it
// names them by ID or by sequence.
const idChunk = 500

// withDead runs do with the condition that selects dead letters, none of which
// anybody else can take meanwhile, and then removes them; so many times that it
// has met all. No IDs select all.
func (q queue) withDead(ctx context.Context, ids []string, do func(tx gorm.ConnPool, these string) error) (n int64, err error) {
	err = q.atomically(ctx, func(tx gorm.ConnPool) error {
		n = 0
		if len(ids) == 0 {
			n, err = q.take(ctx, tx, "", nil, do)
			return err
		}
		for chunk := range slices.Chunk(ids, idChunk) {
			args := make([]any, len(chunk))
			for i, id := range chunk {
				args[i] = escape(id)
			}
			taken, err := q.take(ctx, tx, " AND event_id IN (?"+strings.Repeat(",?", len(chunk)-1)+")", args, do)
			if err != nil {
				return err
			}
			n += taken
		}
		return nil
	})
	return n, err
}

// take is withDead for the letters under a further condition. That one is asked
// only once for each of them: it would also select a letter that is buried
// between one statement and the next, and what is to be removed is exactly what
// do has met.
func (q queue) take(ctx context.Context, tx gorm.ConnPool, where string, args []any, do func(gorm.ConnPool, string) error) (n int64, err error) {
	for after := int64(-1); ; {
		letters, err := q.lock(ctx, tx, "SELECT sequence FROM "+DeadLetterTable+
			" WHERE sequence > ?"+where+" ORDER BY sequence LIMIT ?", slices.Concat([]any{after}, args, []any{idChunk})...)
		if err != nil || len(letters) == 0 {
			return n, err
		}
		these := oneOf(letters)
		if err := do(tx, these); err != nil {
			return 0, err
		}
		if err := q.execute(ctx, tx, "DELETE FROM "+DeadLetterTable+" WHERE "+these); err != nil {
			return 0, err
		}
		n += int64(len(letters))
		after = letters[len(letters)-1]
	}
}
