package redisrepo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
)

const (
	// together is how many events are stored by one run of the script, and
	// heavy how many bytes they have at most if there are several: Redis does
	// nothing else meanwhile.
	together = 50
	heavy    = 1 << 20
	// lanes is how many runs are on their way at once: Redis works on one
	// while others are encoded or on the wire.
	lanes = 4
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
	parts := r.parts(s, ready)
	if err := r.writeInLanes(ctx, s, parts); err != nil {
		return r.failed(ctx, "write", err)
	}
	return refused(parts)
}

// part are events that belong into one place.
type part struct {
	rows []row
	// tooLarge are the IDs of those that the server would not take, and limit
	// is how many bytes it takes.
	tooLarge []string
	limit    int
}

// parts parts the events, the first of each ID.
func (r *Repository) parts(s *store, events []event.Event) []*part {
	var parts []*part
	filling := map[place]*part{}
	seen := make(map[string]bool, len(events))
	for _, e := range events {
		if seen[e.ID] {
			continue
		}
		seen[e.ID] = true
		at := place{s.shard(e.ID), r.retention.bucket(e.Timestamp)}
		p := filling[at]
		if p == nil || len(p.rows) == together {
			p = &part{rows: make([]row, 0, min(together, len(events))), limit: s.limit}
			parts = append(parts, p)
			filling[at] = p
		}
		p.rows = append(p.rows, row{event: e, at: at})
	}
	return parts
}

// refused returns the error about the events that were too large, if any.
func refused(parts []*part) error {
	var ids []string
	limit := 0
	for _, p := range parts {
		if len(p.tooLarge) > 0 {
			ids, limit = append(ids, p.tooLarge...), p.limit
		}
	}
	if len(ids) == 0 {
		return nil
	}
	return &repository.RejectedError{
		IDs: ids,
		Err: fmt.Errorf("redisrepo: write: larger than the %d bytes that Redis takes at once; raise proto-max-bulk-len", limit),
	}
}

// writeInLanes writes the parts, whose order does not matter, through several
// connections.
func (r *Repository) writeInLanes(ctx context.Context, s *store, parts []*part) error {
	var group sync.WaitGroup
	errs := make([]error, min(lanes, len(parts)))
	for lane := range errs {
		group.Go(func() {
			for i := lane; i < len(parts) && errs[lane] == nil; i += lanes {
				errs[lane] = r.writePart(ctx, s, parts[i])
			}
		})
	}
	group.Wait()
	for _, err := range errs {
		if err != nil { // the others say the same
			return err
		}
	}
	return nil
}

// writePart encodes and stores the rows of the part that are not too large.
func (r *Repository) writePart(ctx context.Context, s *store, p *part) error {
	ready, size := p.rows[:0], 0
	for _, row := range p.rows {
		var err error
		if row.body, err = encode(row.event); err != nil {
			return err
		}
		if len(row.body) > p.limit && len(p.tooLarge) == 0 {
			// The limit may have been raised since it was asked for.
			now, err := r.inspect(ctx)
			if err != nil {
				return err
			}
			p.limit = now.limit
		}
		if len(row.body) > p.limit {
			p.tooLarge = append(p.tooLarge, row.event.ID)
			continue
		}
		if size += len(row.body); size > heavy && len(ready) > 0 {
			if err := r.storeRows(ctx, s, ready); err != nil {
				return err
			}
			ready, size = ready[:0], len(row.body)
		}
		ready = append(ready, row)
	}
	return r.storeRows(ctx, s, ready)
}

// encode returns the event as JSON.
func encode(e event.Event) (string, error) {
	var buffer bytes.Buffer
	buffer.Grow(len(e.Result) + len(e.Payload) + 512) // the rest is seldom longer
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
