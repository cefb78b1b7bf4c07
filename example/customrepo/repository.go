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
	"sync"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
)

// From here on active_repo = "mycustom" is known.
func init() { repository.Register("mycustom", open) }

func open(context.Context, repository.Settings) (repository.Repository, error) {
	return Open(cmp.Or(os.Getenv("MYCUSTOM_FILE"), "audit.jsonl"))
}

// Repository appends events to a file, one JSON document per line. It is safe
// for concurrent use within one process; a second process needs a file of its
// own. It cannot remove, and Find reads the whole file.
type Repository struct {
	mutex  sync.Mutex
	file   *os.File
	size   int64           // up to here the file is whole
	stored map[string]bool // by ID
}

// Open opens the file, or makes it.
func Open(path string) (*Repository, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	r := &Repository{file: file, stored: map[string]bool{}}
	if r.size, err = file.Seek(0, io.SeekEnd); err == nil {
		err = r.read(context.Background(), func(e event.Event) { r.stored[e.ID] = true })
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return r, nil
}

// Write implements [repository.Repository]: all of the events or none.
func (r *Repository) Write(ctx context.Context, events ...event.Event) error {
	ready, err := repository.Prepare(events)
	if err != nil {
		return err
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	var lines bytes.Buffer
	added := map[string]bool{}
	for _, e := range ready {
		if r.stored[e.ID] || added[e.ID] {
			continue
		}
		added[e.ID] = true
		if err := json.NewEncoder(&lines).Encode(e); err != nil {
			return err
		}
	}
	n, err := r.file.Write(lines.Bytes())
	if err == nil {
		err = r.file.Sync()
	}
	if err != nil { // leave no half line behind
		return errors.Join(err, r.file.Truncate(r.size))
	}
	r.size += int64(n)
	for id := range added {
		r.stored[id] = true
	}
	return nil
}

// Find implements [repository.Repository].
func (r *Repository) Find(ctx context.Context, f event.Filter) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		var found []event.Event
		err := f.Validate()
		if err == nil {
			err = r.read(ctx, func(e event.Event) {
				if f.Match(e) {
					found = append(found, e)
				}
			})
		}
		if err != nil {
			yield(event.Event{}, err)
			return
		}
		for _, e := range repository.Page(found, f) {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// read calls visit with every event that was stored when it began.
func (r *Repository) read(ctx context.Context, visit func(event.Event)) error {
	r.mutex.Lock()
	size := r.size
	r.mutex.Unlock()
	decoder := json.NewDecoder(io.NewSectionReader(r.file, 0, size))
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		var e event.Event
		switch err := decoder.Decode(&e); {
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("mycustom: %s: byte %d: %w", r.file.Name(), decoder.InputOffset(), err)
		}
		visit(e)
	}
}

// Close closes the file.
func (r *Repository) Close() error { return r.file.Close() }
