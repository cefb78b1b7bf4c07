package outbox_test

import (
	"errors"
	"testing"

	"gorm.io/gorm"

	"github.com/google/go-cmp/cmp"

	"github.com/eventaudit/eventaudit/internal/testdb"
)

func TestEventsAreDeliveredInOrderAndDeleted(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		to := newDestination(nil)
		box := start(t, migrated(t, s), to, nil)
		var want []string
		for _, prefix := range []string{"a", "b", "c"} {
			events := some(prefix, 600)
			insert(t, box, events...)
			for _, e := range events {
				want = append(want, e.ID)
			}
		}
		flush(t, box)

		var got []string
		var last int64
		for _, events := range to.writes() {
			if len(events) > 500 {
				t.Errorf("a batch of %d events, want 500 at most", len(events))
			}
			for _, e := range events {
				got = append(got, e.ID)
				if e.Sequence <= last {
					t.Errorf("sequence %d behind %d", e.Sequence, last)
				}
				last = e.Sequence
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
		if s := stats(t, box); s.Pending != 0 || s.Delivered != int64(len(want)) || s.LastSuccess.IsZero() {
			t.Errorf("stats = %+v, want all delivered", s)
		}
	})
}

func TestARolledBackTransactionDeliversNothing(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, s *testdb.Database) {
		to := newDestination(nil)
		db := migrated(t, s)
		box := start(t, db, to, nil)
		sorry := errors.New("sorry")
		within := func(prefix string, end error) {
			err := db.Transaction(func(tx *gorm.DB) error {
				if err := box.Insert(t.Context(), tx.Statement.ConnPool, some(prefix, 3)); err != nil {
					return err
				}
				return end
			})
			if !errors.Is(err, end) {
				t.Fatal(err)
			}
		}
		within("kept", nil)
		within("undone", sorry)
		flush(t, box)
		want := map[string]bool{"kept-0": true, "kept-1": true, "kept-2": true}
		if diff := cmp.Diff(want, to.ids(t)); diff != "" {
			t.Errorf("delivered (-want +got):\n%s", diff)
		}
	})
}
