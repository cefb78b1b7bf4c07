package export

import (
	"bytes"
	"io"
	"iter"

	"github.com/eventaudit/eventaudit/event"
)

// A batch is full when it has batchSize events, or documents of batchBytes.
// Two batches are held.
const (
	batchSize  = 256
	batchBytes = 256 << 10
)

// encoder appends what a format writes of the events. It may change them.
type encoder func(into *bytes.Buffer, events []event.Event) error

// batch is some events and their text.
type batch struct {
	events []event.Event
	bytes  int // of their documents
	text   bytes.Buffer
	err    error
}

// add says whether the batch is full with the event.
func (b *batch) add(e *event.Event) (full bool) {
	b.events = append(b.events, *e)
	b.bytes += len(e.Payload) + len(e.Result)
	return len(b.events) == batchSize || b.bytes >= batchBytes
}

// writeTo writes the text and empties the batch.
func (b *batch) writeTo(w io.Writer) error {
	if b.err != nil {
		return b.err
	}
	_, err := b.text.WriteTo(w)
	clear(b.events)
	b.events, b.bytes = b.events[:0], 0
	return err
}

// inBatches writes the events to w. A second goroutine encodes a batch while
// the caller's reads the next one; nothing but the caller's touches the
// iterator and w.
func inBatches(w io.Writer, events iter.Seq2[event.Event, error], encode encoder) error {
	work, done := make(chan *batch), make(chan *batch, 1)
	go func() {
		defer close(done)
		for b := range work {
			b.err = encode(&b.text, b.events)
			done <- b
		}
	}()
	defer func() {
		close(work)
		for range done { // until the goroutine has ended
		}
	}()

	reading := &batch{}
	done <- &batch{}
	handOver := func() error {
		ready := <-done
		if err := ready.writeTo(w); err != nil {
			return err
		}
		work <- reading
		reading = ready
		return nil
	}
	for e, err := range events {
		if err != nil {
			return err
		}
		if reading.add(&e) {
			if err := handOver(); err != nil {
				return err
			}
		}
	}
	if err := handOver(); err != nil {
		return err
	}
	return (<-done).writeTo(w)
}
