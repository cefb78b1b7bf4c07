package history_test

import (
	"errors"
	"testing"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/history"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

// An event whose result is not what a row is, as an import may bring it, is one
// of the history; nothing is known of the values that it left or found.
func TestOddResults(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d)
		for i, odd := range []string{`[]`, `5`, `{"old":"text"}`, `{"old":5}`, `{"old":{"quantity":5},"new":[]}`} {
			stock := Stock{"a", i, 5}
			key := []any{"a", i}
			must(t, db.Create(&stock))
			before := moment()
			changed := event.New(event.CategoryModel, event.ActionChanged)
			created := trail(t, audit, event.Filter{ActionObject: "Stock"})
			changed.ActionObject, changed.ActionObjectID = "Stock", created[len(created)-1].ActionObjectID
			changed.Result = []byte(odd)
			if err := audit.Record(t.Context(), changed); err != nil {
				t.Fatal(err)
			}
			must(t, db.WithContext(event.WithoutAudit(t.Context())).Model(&stock).Update("quantity", 6))
			between := moment()
			must(t, db.Model(&stock).Update("quantity", 7))

			entries, err := history.Of[Stock](t.Context(), db, key)
			if err != nil || len(entries) != 3 || entries[1].Label != history.Changed || len(entries[1].Changes) != 0 || string(entries[1].Event.Result) != odd {
				t.Errorf("%s: history %+v, error %v", odd, entries, err)
			}
			fields, err := history.FieldHistory[Stock](t.Context(), db, key, "Quantity")
			if err != nil || len(fields) != 2 {
				t.Errorf("%s: the field %+v, error %v", odd, fields, err)
			}
			if s, err := history.AsOf[Stock](t.Context(), db, key, before); err != nil || s.Record.Quantity != 5 {
				t.Errorf("%s: before it %+v, error %v", odd, s, err)
			}
			if s, err := history.AsOf[Stock](t.Context(), db, key, between); err != nil || s.Record.Quantity != 6 {
				t.Errorf("%s: after it %+v, error %v", odd, s, err)
			}
			if _, err := history.Revert[Stock](because(), db, entries[1].Event.ID); !errors.Is(err, history.ErrNotRecorded) {
				t.Errorf("%s: reverted, error %v", odd, err)
			}
			if _, err := history.Revert[Stock](because(), db, entries[0].Event.ID); !errors.Is(err, history.ErrChangedSince) {
				t.Errorf("%s: what came before is reverted, error %v", odd, err)
			}
		}
	})
}

// A row that only events with odd results tell of has no known past.
func TestOddResultsAlone(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d)
		must(t, db.WithContext(event.WithoutAudit(t.Context())).Create(&Club{ID: 1, Name: "now"}))
		must(t, db.Create(&Club{ID: 2}))
		before := moment()
		changed := event.New(event.CategoryModel, event.ActionChanged)
		changed.ActionObject, changed.ActionObjectID, changed.Result = "Club", "1", []byte(`{"old":"text"}`)
		if err := audit.Record(t.Context(), changed); err != nil {
			t.Fatal(err)
		}
		s, err := history.AsOf[Club](t.Context(), db, 1, before)
		if err != nil || !s.Exists || s.Record.Name != "" || len(s.Unknown) != 2 {
			t.Errorf("%+v, error %v", s, err)
		}
	})
}
