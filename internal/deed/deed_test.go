package deed_test

import (
	"context"
	"errors"
	"testing"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/deed"
)

// recorder keeps the events that are valid, as every recorder does.
type recorder struct{ events []event.Event }

func (r *recorder) Record(_ context.Context, events ...event.Event) error {
	for _, e := range events {
		if err := event.Validate(e); err != nil {
			return err
		}
	}
	r.events = append(r.events, events...)
	return nil
}

// An error may have the name of a file in it, which may have any bytes.
func TestTheEndIsRecordedWhateverTheErrorSays(t *testing.T) {
	t.Parallel()
	broken := errors.New("open /no\xffwhere/x.csv: no such file or directory")
	trail := &recorder{}
	d := deed.Deed{Before: event.ActionExporting, After: event.ActionExported, Facts: map[string]any{"output": "/no\xffwhere/x.csv"}}
	n, err := deed.Record(t.Context(), trail, d, func() (int64, error) { return 3, broken })
	if n != 3 || err == nil || err.Error() != broken.Error() {
		t.Errorf("recorded %d events, error %v, want 3 and %v alone", n, err, broken)
	}
	if len(trail.events) != 2 {
		t.Fatalf("the trail has %+v, want the beginning and the end", trail.events)
	}
	end := trail.events[1]
	if end.Action != event.ActionExported || end.Outcome != event.OutcomeFailure || end.Error != "open /no\uFFFDwhere/x.csv: no such file or directory" {
		t.Errorf("the end is %+v", end)
	}
}
