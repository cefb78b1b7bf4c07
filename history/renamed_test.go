package history_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/history"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

// Salary is what Pay was called once.
type Salary struct {
	ID    uint
	Cents int
}

// Pay is Salary under the name that it has now.
type Pay struct {
	ID    uint
	Cents int
}

// TableName is that of Salary.
func (Pay) TableName() string { return "salaries" }

// What happened under another name is no past that stayed as it was.
func TestAsOfRenamedModel(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, _ := install(t, d)
		if err := db.AutoMigrate(&Salary{}); err != nil {
			t.Fatal(err)
		}
		unseen := db.WithContext(event.WithoutAudit(t.Context()))
		must(t, unseen.Create(&Salary{ID: 1, Cents: 100}))
		must(t, unseen.Create(&Salary{ID: 2, Cents: 200}))
		must(t, db.Create(&Club{Name: "first event"}))
		early := moment()
		must(t, db.Create(&Salary{ID: 3, Cents: 300}))
		first := moment()
		must(t, db.Model(&Salary{ID: 1}).Update("cents", 900))
		second := moment()

		if s, err := history.AsOf[Pay](t.Context(), db, 1, first); !errors.Is(err, history.ErrBeforeTrail) || !strings.Contains(err.Error(), "FormerNames") {
			t.Errorf("before any event of a Pay: %+v, error %v", s, err)
		}
		must(t, db.Model(&Pay{ID: 1}).Update("cents", 950))
		third := moment()
		if s, err := history.AsOf[Pay](t.Context(), db, 1, first); !errors.Is(err, history.ErrBeforeTrail) || !strings.Contains(err.Error(), "FormerNames") {
			t.Errorf("before the first event of a Pay: %+v, error %v", s, err)
		}
		if s, err := history.AsOf[Pay](t.Context(), db, 2, third); err != nil || s.Record.Cents != 200 || len(s.Unknown) > 0 {
			t.Errorf("never changed: %+v, error %v", s, err)
		}
		formerly := history.FormerNames("Salary")
		if _, err := history.AsOf[Pay](t.Context(), db, 1, early, formerly); !errors.Is(err, history.ErrBeforeTrail) {
			t.Errorf("before the first event under either name: error %v", err)
		}
		all, err := history.AsOfAll[Pay](t.Context(), db, []int{1, 2, 3}, first, formerly)
		if err != nil || all[0].Record.Cents != 100 || all[1].Record.Cents != 200 || all[2].Record.Cents != 300 {
			t.Errorf("under its former name: %+v, error %v", all, err)
		}
		then, err := history.AsOf[Pay](t.Context(), db, 1, second, formerly)
		if err != nil || then.Record.Cents != 900 || then.Event.ActionObject != "Salary" {
			t.Errorf("just before the new name: %+v, error %v", then, err)
		}
		if changes := history.Diff(all[0], then); len(changes) != 1 || changes[0].Field != "Cents" {
			t.Errorf("differences %+v", changes)
		}
	})
}

// The history of a record that was renamed is that of both names, if asked for.
func TestHistoryOfRenamedModel(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, _ := install(t, d)
		if err := db.AutoMigrate(&Salary{}); err != nil {
			t.Fatal(err)
		}
		must(t, db.Create(&Salary{ID: 1, Cents: 100}))
		must(t, db.Model(&Salary{ID: 1}).Update("id", 2))
		must(t, db.Model(&Pay{ID: 2}).Update("cents", 900))
		formerly := history.FormerNames("Salary")
		entries, err := history.Of[Pay](t.Context(), db, 2, formerly)
		if diff := cmp.Diff([]string{"Salary 1 moved", "Pay 2 changed"}, told(entries)); diff != "" || err != nil {
			t.Fatalf("error %v (-want +got):\n%s", err, diff)
		}
		if c := entries[0].Changes[0]; c.Field != "ID" {
			t.Errorf("the change is %+v", c)
		}
		fields, err := history.FieldHistory[Pay](t.Context(), db, 1, "Cents", formerly)
		if err != nil || len(fields) != 1 || fields[0].Event.ActionObject != "Salary" || string(fields[0].New) != "100" {
			t.Errorf("the field: %+v, error %v", fields, err)
		}
		if entries, err = history.Of[Pay](t.Context(), db, 2); err != nil || len(entries) != 1 {
			t.Errorf("without its former name: %v, error %v", told(entries), err)
		}
		invalid := history.FormerNames("")
		if _, err = history.Of[Pay](t.Context(), db, 2, invalid); !errors.Is(err, event.ErrInvalid) {
			t.Errorf("a name that is empty: error %v", err)
		}
		if _, err = history.AsOf[Pay](t.Context(), db, 2, moment(), invalid); !errors.Is(err, event.ErrInvalid) {
			t.Errorf("as of, a name that is empty: error %v", err)
		}
	})
}
