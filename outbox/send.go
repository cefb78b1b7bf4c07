package outbox

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
)

// outcome is what the repository made of a batch.
type outcome struct {
	// delivered and unsent rows are in runs of neighbours.
	delivered, unsent [][]row
	refused           []refusal
	// err is why rows stayed unsent; it says nothing about them.
	err error
	// late says that the time for the batch was over.
	late bool
}

// refusal is an event that failed for a reason of its own.
type refusal struct {
	row row
	err error
}

// final reports whether another attempt would end the same way.
func (r refusal) final() bool {
	return r.row.unreadable != nil || errors.Is(r.err, event.ErrInvalid)
}

func (o *outcome) add(other outcome) {
	o.delivered = append(o.delivered, other.delivered...)
	o.unsent = append(o.unsent, other.unsent...)
	o.refused = append(o.refused, other.refused...)
	o.err = other.err
}

// moved reports whether any event got anywhere.
func (o *outcome) moved() bool { return len(o.delivered)+len(o.refused) > 0 }

// panicked returns where the repository panicked, nil when it did not.
func (o *outcome) panicked() []byte {
	for _, r := range o.refused {
		var panicked *panicError
		if errors.As(r.err, &panicked) {
			return panicked.stack
		}
	}
	return nil
}

// send writes the rows to the repository. When some event in them is at fault
// it halves them until it knows which, or until the context ends, whether the
// repository looks at it or not.
func send(ctx context.Context, to repository.Repository, rows []row) outcome {
	if err := ctx.Err(); err != nil {
		return outcome{unsent: [][]row{rows}, err: err}
	}
	err := write(ctx, to, rows)
	switch {
	case err == nil:
		return outcome{delivered: [][]row{rows}}
	case !isAboutEvents(err):
		return outcome{unsent: [][]row{rows}, err: err}
	case len(rows) == 1:
		return outcome{refused: []refusal{{rows[0], err}}}
	}
	if ids := refusedIDs(err); len(ids) > 0 {
		if parted := part(rows, ids, err); len(parted.refused) > 0 {
			return parted
		}
	}
	half := len(rows) / 2
	out := send(ctx, to, rows[:half])
	if out.err != nil {
		out.unsent = append(out.unsent, rows[half:])
		return out
	}
	out.add(send(ctx, to, rows[half:]))
	return out
}

// part tells the rows that the repository named from the others, which it has
// stored.
func part(rows []row, ids []string, err error) outcome {
	var out outcome
	for start := 0; start < len(rows); {
		if slices.Contains(ids, rows[start].event.ID) {
			out.refused = append(out.refused, refusal{rows[start], err})
			start++
			continue
		}
		end := start + 1
		for end < len(rows) && !slices.Contains(ids, rows[end].event.ID) {
			end++
		}
		out.delivered = append(out.delivered, rows[start:end])
		start = end
	}
	return out
}

// write writes the rows in one call. A row that could not be read fails alone;
// it is met alone once its batch has been halved often enough.
func write(ctx context.Context, to repository.Repository, rows []row) (err error) {
	events := make([]event.Event, len(rows))
	for i, r := range rows {
		if r.unreadable != nil {
			return &repository.RejectedError{Err: r.unreadable}
		}
		events[i] = r.event
	}
	defer func() {
		if reason := recover(); reason != nil {
			err = &panicError{reason, debug.Stack()}
		}
	}()
	return to.Write(ctx, events...)
}

// isAboutEvents reports whether the error is the fault of an event rather than
// of the repository, its store or the way there.
func isAboutEvents(err error) bool {
	var rejected *repository.RejectedError
	var panicked *panicError
	return errors.Is(err, event.ErrInvalid) || errors.As(err, &rejected) || errors.As(err, &panicked)
}

// refusedIDs returns the IDs that the error names, provided that it speaks for
// the whole call: joined with another error it does not.
func refusedIDs(err error) []string {
	var rejected *repository.RejectedError
	if !errors.As(err, &rejected) {
		return nil
	}
	for ; err != nil; err = errors.Unwrap(err) {
		if err == error(rejected) { //nolint:errorlint // the very error that As found is looked for on the way without joins
			return rejected.IDs
		}
	}
	return nil
}

// panicError is a panic of the repository.
type panicError struct {
	reason any
	stack  []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("the repository panicked: %v", e.reason) }
