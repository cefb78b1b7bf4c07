package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"sync"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
)

// From here on active_repo = "mycustom" is known.
func init() {
	repository.Register("mycustom", func(context.Context, repository.Settings) (repository.Repository, error) {
		return Open(cmp.Or(os.Getenv("MYCUSTOM_FILE"), "audit.jsonl"))
	})
}

// Repository appends events to a file, one JSON document per line, and keeps
// them in memory to find them. It is safe for concurrent use in one process.
type Repository struct {
	mutex  sync.RWMutex
	file   *os.File
	size   int64 // up to here the file is whole
	events []event.Event
	stored map[string]bool // by ID
}

// Open opens the file, or makes it.
func Open(path string) (*Repository, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	r := &Repository{file: file, stored: map[string]bool{}}
	decoder := json.NewDecoder(file)
	for err == nil {
		var e event.Event
		if err = decoder.Decode(&e); err == nil {
			r.events, r.stored[e.ID], r.size = append(r.events, e), true, decoder.InputOffset()+1
		}
	}
	if !errors.Is(err, io.EOF) {
		return nil, errors.Join(fmt.Errorf("mycustom: %s: %w", path, err), file.Close())
	}
	return r, nil
}

// Write implements [repository.Repository]: all of the events or none.
func (r *Repository) Write(ctx context.Context, events ...event.Event) error {
	ready, err := repository.Prepare(events)
	if err = cmp.Or(err, ctx.Err()); err != nil {
		return err
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	var lines bytes.Buffer
	fresh := map[string]event.Event{}
	for _, e := range ready {
		if _, twice := fresh[e.ID]; twice || r.stored[e.ID] {
			continue
		}
		fresh[e.ID] = e
		if err := json.NewEncoder(&lines).Encode(e); err != nil {
			return err
		}
	}
	n, err := lines.WriteTo(r.file)
	if err != nil { // leave no half line behind
		return errors.Join(err, r.file.Truncate(r.size))
	}
	r.size += n
	for id, e := range fresh {
		r.events, r.stored[id] = append(r.events, e), true
	}
	return nil
}

// Find implements [repository.Repository].
func (r *Repository) Find(ctx context.Context, f event.Filter) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		if err := cmp.Or(f.Validate(), ctx.Err()); err != nil {
			yield(event.Event{}, err)
			return
		}
		r.mutex.RLock()
		found := slices.DeleteFunc(slices.Clone(r.events), func(e event.Event) bool { return !f.Match(e) })
		r.mutex.RUnlock()
		for _, e := range repository.Page(found, f) {
			if err := ctx.Err(); err != nil {
				yield(event.Event{}, err)
				return
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// Close closes the file.
func (r *Repository) Close() error { return r.file.Close() }
