package redisrepo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
)

const (
	// pipelined is how many events are written before a reply is awaited.
	pipelined = 500
	// lane is how many of them go through one connection: Redis works on some
	// while others are on their way.
	lane = 125
)

// Write implements [repository.Repository]. An event that is larger than the
// server takes is refused with a *repository.RejectedError that names it; all
// others are stored then. After any other error some of the events may be
// stored, and the trouble is Redis or the way there, not the events.
func (r *Repository) Write(ctx context.Context, events ...event.Event) error {
	ready, err := repository.Prepare(events)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return r.failed(ctx, "write", err)
	}
	s, err := r.opened(ctx)
	if err != nil {
		return r.failed(ctx, "write", err)
	}
	rows, tooLarge, err := r.encode(ctx, s, ready)
	if err != nil {
		return r.failed(ctx, "write", err)
	}
	for batch := range slices.Chunk(rows, pipelined) {
		if err := r.writeInLanes(ctx, s, batch); err != nil {
			return r.failed(ctx, "write", err)
		}
	}
	return tooLarge.orNil()
}

// writeInLanes writes the rows, whose order does not matter, through several
// connections.
func (r *Repository) writeInLanes(ctx context.Context, s *store, rows []row) error {
	var group sync.WaitGroup
	errs := make([]error, (len(rows)+lane-1)/lane)
	for i := range errs {
		part := rows[i*lane : min((i+1)*lane, len(rows))]
		group.Go(func() { errs[i] = r.write(ctx, s, part) })
	}
	group.Wait()
	for _, err := range errs {
		if err != nil { // the others say the same
			return err
		}
	}
	return nil
}

// row is an event as it is stored.
type row struct {
	event event.Event
	body  string
	at    place
}

// encode returns the events as rows, the first of each ID, without those that
// are too large.
func (r *Repository) encode(ctx context.Context, s *store, events []event.Event) ([]row, rejected, error) {
	rows := make([]row, 0, len(events))
	seen := make(map[string]bool, len(events))
	tooLarge := rejected{limit: s.limit}
	for _, e := range events {
		if seen[e.ID] {
			continue
		}
		seen[e.ID] = true
		body, err := encode(e)
		if err != nil {
			return nil, rejected{}, err
		}
		if len(body) > tooLarge.limit && len(tooLarge.ids) == 0 {
			// The limit may have been raised since it was asked for.
			now, err := r.inspect(ctx)
			if err != nil {
				return nil, rejected{}, err
			}
			tooLarge.limit = now.limit
		}
		if len(body) > tooLarge.limit {
			tooLarge.ids = append(tooLarge.ids, e.ID)
			continue
		}
		rows = append(rows, row{e, body, place{s.shard(e.ID), r.retention.bucket(e.Timestamp)}})
	}
	return rows, tooLarge, nil
}

// rejected are events that the server would not take.
type rejected struct {
	ids   []string
	limit int
}

func (r rejected) orNil() error {
	if len(r.ids) == 0 {
		return nil
	}
	return &repository.RejectedError{
		IDs: r.ids,
		Err: fmt.Errorf("redisrepo: write: larger than the %d bytes that Redis takes at once; raise proto-max-bulk-len", r.limit),
	}
}

// tries is how often the lists of buckets may change while one batch is
// written.
const tries = 20

// write writes the rows in one pipeline, and those again whose shard has got
// another list of buckets meanwhile.
func (r *Repository) write(ctx context.Context, s *store, rows []row) error {
	for range tries {
		calls := make([]call, len(rows))
		for i, row := range rows {
			buckets, err := r.bucketsWith(ctx, s, row.at)
			if err != nil {
				return err
			}
			calls[i] = r.writing(s, row, buckets)
		}
		replies, err := r.run(ctx, writeScript, calls)
		if err != nil {
			return err
		}
		var again []row
		for i, reply := range replies {
			if buckets, ok := reply.Val().(string); ok {
				s.remember(rows[i].at.shard, buckets)
				again = append(again, rows[i])
			}
		}
		if rows = again; len(rows) == 0 {
			return nil
		}
	}
	return errors.New("the lists of buckets keep changing")
}

// writing is the call that stores the row.
func (r *Repository) writing(s *store, row row, buckets string) call {
	keys := []string{r.bucketsKey(s, row.at.shard), r.key(s, row.at, bodies)}
	for bucket := range strings.FieldsSeq(buckets) {
		if bucket != row.at.bucket {
			keys = append(keys, r.key(s, place{row.at.shard, bucket}, bodies))
		}
	}
	others := len(keys) - 2
	for _, kind := range kinds(row.event) {
		keys = append(keys, r.key(s, row.at, kind))
	}
	return call{keys, []any{buckets, row.event.ID, row.body, memberOf(row.event), row.at.bucket, strconv.Itoa(others)}}
}

// encode returns the event as JSON.
func encode(e event.Event) (string, error) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(e); err != nil {
		return "", fmt.Errorf("event %q: %w", e.ID, err)
	}
	return strings.TrimSuffix(buffer.String(), "\n"), nil
}

// decode undoes encode.
func decode(body string) (event.Event, error) {
	var e event.Event
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		return event.Event{}, fmt.Errorf("a stored event is broken: %w", err)
	}
	return e, nil
}
