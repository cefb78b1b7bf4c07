package history_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/history"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

func TestAsOf(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, _ := install(t, d)
		born := time.Date(1990, 5, 4, 3, 2, 1, 0, time.UTC)
		p := Person{Name: "Ada", Tier: 1, Tags: []string{"x", "y"}, Home: Address{"High St", "York"}, Balance: 1.25, Vip: true, Photo: []byte{0, 255}, Born: &born, Password: "first"}
		before := moment()
		must(t, db.Create(&p))
		first := moment()
		must(t, db.Model(&p).Updates(map[string]any{"name": "Bea", "balance": 2.5, "vip": false, "photo": []byte("p"), "born": nil, "tags": []string{}, "home_city": "Bath"}))
		second := moment()
		must(t, db.Model(&p).Update("password", "second"))
		must(t, db.Delete(&p))
		third := moment()
		must(t, db.Unscoped().Delete(&p))
		fourth := moment()

		s, err := history.AsOf[Person](t.Context(), db, p.ID, first)
		if err != nil {
			t.Fatal(err)
		}
		want := Person{ID: p.ID, Name: "Ada", Tier: 1, Tags: []string{"x", "y"}, Home: Address{"High St", "York"}, Balance: 1.25, Vip: true, Photo: []byte{0, 255}, Born: &born}
		s.Record.UpdatedAt = time.Time{}
		if diff := cmp.Diff(want, s.Record); diff != "" {
			t.Errorf("first (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"inner", "password", "seen"}, s.Unknown); diff != "" || s.Event.Action != event.ActionCreated {
			t.Errorf("event %v, unknown (-want +got):\n%s", s.Event, diff)
		}
		if s, err = history.AsOf[Person](t.Context(), db, p.ID, second); err != nil || s.Record.Name != "Bea" || s.Record.Vip || s.Record.Home.City != "Bath" || s.Record.Born != nil {
			t.Errorf("second: %+v, error %v", s.Record, err)
		}
		if s, err = history.AsOf[Person](t.Context(), db, p.ID, third); err != nil || !s.Exists || !s.Deleted || !s.Record.DeletedAt.Valid {
			t.Errorf("third: %+v, error %v", s, err)
		}
		if s, err = history.AsOf[Person](t.Context(), db, p.ID, fourth); err != nil || s.Exists {
			t.Errorf("fourth: %+v, error %v", s, err)
		}
		if _, err = history.AsOf[Person](t.Context(), db, p.ID, before); !errors.Is(err, history.ErrBeforeTrail) {
			t.Errorf("before the trail: error %v", err)
		}
		if _, err = history.AsOf[Person](t.Context(), db, 999, first); !errors.Is(err, history.ErrNothingKnown) {
			t.Errorf("nobody: error %v", err)
		}
	})
}
