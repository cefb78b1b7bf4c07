package outbox

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/connpool"
)

// The columns of the tables, apart from what only the database looks at.
var (
	outboxColumns = []string{
		"sequence", "event_id", "event", "payload", "result", "created_at",
		"attempts", "next_at", "claimed_by", "claimed_until", "first_failed_at", "last_error",
	}
	deadLetterColumns = []string{
		"sequence", "event_id", "event", "payload", "result",
		"reason", "attempts", "first_failed_at", "last_failed_at",
	}
)

// queue is the outbox table. All times in it are microseconds since 1970, told
// by the clock of the database.
type queue struct {
	pool    gorm.ConnPool
	dialect dialect
}

func newQueue(db *gorm.DB) (queue, error) {
	pool, err := poolOf(db)
	if err != nil {
		return queue{}, err
	}
	d, err := dialectOf(db.Name())
	if err != nil {
		return queue{}, err
	}
	return queue{pool, d}, nil
}

// row is a claimed event.
type row struct {
	sequence int64
	event    event.Event
	attempts int
	// since is when the event came into the outbox, by the clock that this
	// process measures time with.
	since time.Time
	// unreadable says why there is no event but its ID.
	unreadable error
}

func sequences(rows []row) []int64 {
	list := make([]int64, len(rows))
	for i, r := range rows {
		list[i] = r.sequence
	}
	return list
}

// backlog is what a look at the queue shows of the next batch.
type backlog struct {
	// size is how many events are due, counted up to a limit, and oldest how
	// long the one that waits longest has done so.
	size   int
	oldest time.Duration
}

// look counts what is due, up to the limit.
func (q queue) look(ctx context.Context, limit int) (backlog, error) {
	var size int
	var micros int64
	err := q.pool.QueryRowContext(ctx, q.dialect.sql(
		"SELECT count(*), COALESCE(MAX({now} - created_at), 0) FROM"+
			" (SELECT created_at FROM "+Table+" WHERE "+due+" ORDER BY sequence LIMIT ?) AS due"), limit).Scan(&size, &micros)
	return backlog{size, time.Duration(micros) * time.Microsecond}, err
}

// claim takes rows that are due and behind the sequence, lowest first.
func (q queue) claim(ctx context.Context, after int64, limit int, lease time.Duration) (batch, error) {
	c := claim{event.NewID(), after, limit, lease}
	rows, err := q.dialect.claim(ctx, q, c)
	if err != nil {
		return batch{}, err
	}
	slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(a.sequence, b.sequence) })
	return batch{c.token, rows, len(rows) == limit}, nil
}

// claimed are the columns of events that are being claimed.
const claimed = "sequence, event_id, event, payload, result, attempts, {now} - created_at"

// rows runs a query that returns what claimed names.
func (q queue) rows(ctx context.Context, conn gorm.ConnPool, text string, args ...any) ([]row, error) {
	asked := time.Now()
	rows, err := conn.QueryContext(ctx, q.dialect.sql(text), args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []row
	for rows.Next() {
		var r row
		var id string
		var object, payload, result []byte
		var age int64
		if err := rows.Scan(&r.sequence, &id, &object, &payload, &result, &r.attempts, &age); err != nil {
			return nil, err
		}
		r.since = asked.Add(-time.Duration(age) * time.Microsecond)
		if r.event, r.unreadable = decode(r.sequence, object, payload, result); r.unreadable != nil {
			r.event.ID = unescape(id)
		}
		list = append(list, r)
	}
	return list, rows.Err()
}

// last returns the highest sequence of all committed rows, 0 without any.
func (q queue) last(ctx context.Context) (sequence int64, err error) {
	err = q.pool.QueryRowContext(ctx, "SELECT COALESCE(MAX(sequence), 0) FROM "+Table).Scan(&sequence)
	return sequence, err
}

// holds reports whether there is a row up to the sequence. It asks for the last
// one, which is found at once while there is any: in front of the first, the
// database may have to pass over many that were deleted lately.
func (q queue) holds(ctx context.Context, sequence int64) (bool, error) {
	var last sql.NullInt64
	err := q.pool.QueryRowContext(ctx, q.dialect.sql("SELECT MAX(sequence) FROM "+Table+" WHERE sequence <= ?"), sequence).Scan(&last)
	return last.Valid, err
}

// count returns how many rows there are up to the sequence.
func (q queue) count(ctx context.Context, sequence int64) (n int64, err error) {
	err = q.pool.QueryRowContext(ctx, q.dialect.sql("SELECT count(*) FROM "+Table+" WHERE sequence <= ?"), sequence).Scan(&n)
	return n, err
}

// missing returns those of the columns that the table does not have.
func (q queue) missing(ctx context.Context, table string, columns []string) ([]string, error) {
	rows, err := q.pool.QueryContext(ctx, q.dialect.columns, table)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns = slices.Clone(columns)
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		columns = slices.DeleteFunc(columns, func(c string) bool { return c == name })
	}
	return columns, rows.Err()
}

// lock returns the sequences that the SELECT finds. Nobody else changes their
// rows before the transaction ends.
func (q queue) lock(ctx context.Context, tx gorm.ConnPool, text string, args ...any) ([]int64, error) {
	rows, err := tx.QueryContext(ctx, q.dialect.sql(text+q.dialect.locking), args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []int64
	for rows.Next() {
		var sequence int64
		if err := rows.Scan(&sequence); err != nil {
			return nil, err
		}
		list = append(list, sequence)
	}
	return list, rows.Err()
}

func (q queue) execute(ctx context.Context, conn gorm.ConnPool, text string, args ...any) error {
	_, err := conn.ExecContext(ctx, q.dialect.sql(text), args...)
	return err
}

func (q queue) atomically(ctx context.Context, do func(gorm.ConnPool) error) error {
	return connpool.Atomically(ctx, q.pool, &sql.TxOptions{Isolation: q.dialect.isolation}, func(tx gorm.ConnPool) error {
		if q.dialect.begin != "" {
			if err := q.execute(ctx, tx, q.dialect.begin); err != nil {
				return err
			}
		}
		return do(tx)
	})
}
