package history_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/history"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

// told is what a history says, a line an entry.
func told(entries []history.Entry) (lines []string) {
	for _, e := range entries {
		lines = append(lines, fmt.Sprintf("%s %s %s", e.Event.ActionObject, e.Event.ActionObjectID, e.Label))
	}
	return lines
}

func TestOf(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d)
		ada, bea := Person{Name: "Ada"}, Person{Name: "Bea"}
		must(t, db.Create(&ada))
		must(t, db.Create(&bea))
		must(t, db.Create(&Car{Plate: "one", PersonID: &ada.ID}))
		must(t, db.Create(&Car{Plate: "two", PersonID: &bea.ID}))
		must(t, db.Model(&ada).Update("name", "Eve"))
		must(t, db.Model(&Car{Plate: "one"}).Update("person_id", bea.ID))
		must(t, db.Model(&Car{Plate: "one"}).Update("colour", "red")) // no longer hers
		must(t, db.Model(&Car{Plate: "two"}).Update("person_id", ada.ID))
		must(t, db.Delete(&Car{Plate: "two"}))
		if err := db.Model(&ada).Association("Clubs").Append(&Club{ID: 7, Name: "chess"}); err != nil {
			t.Fatal(err)
		}
		must(t, db.Delete(&ada))
		must(t, db.Unscoped().Model(&ada).Update("deleted_at", nil))
		called := event.New(event.CategoryAction, "welcome")
		called.ActionObject, called.ActionObjectID = "Person", fmt.Sprint(ada.ID)
		if err := audit.Record(t.Context(), called); err != nil {
			t.Fatal(err)
		}
		own := []string{"Person 1 created", "Person 1 changed", "Person 1 changed", "Person 1 attached", "Person 1 soft-deleted", "Person 1 restored", "Person 1 welcome"}
		entries, err := history.Of[Person](t.Context(), db, ada.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(own, told(entries)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if c := entries[1].Changes[0]; c.Field != "Name" || string(c.Old) != `"Ada"` || string(c.New) != `"Eve"` {
			t.Errorf("the change is %+v", c)
		}
		family := []string{
			"Person 1 created", "Car one created", "Person 1 changed", "Car one changed", "Car two changed", "Car two deleted",
			"Person 1 changed", "Person 1 attached", "Person 1 soft-deleted", "Person 1 restored", "Person 1 welcome",
		}
		for _, key := range []any{ada, history.ID("1")} {
			for _, order := range [][]history.Option{nil, {history.NewestFirst()}} {
				entries, err := history.Of[Person](t.Context(), db, key, append(order, history.Children("Cars"))...)
				if err != nil {
					t.Fatal(err)
				}
				if order != nil {
					slices.Reverse(entries)
				}
				if diff := cmp.Diff(family, told(entries)); diff != "" {
					t.Errorf("with children, by %T (-want +got):\n%s", key, diff)
				}
			}
		}
		var paged []string
		var after event.Cursor
		for {
			page, err := history.Of[Person](t.Context(), db, history.ID("1"), history.Limit(2), history.After(after))
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			paged, after = append(paged, told(page)...), page[len(page)-1].Event.Cursor()
		}
		if diff := cmp.Diff(own, paged); diff != "" {
			t.Errorf("in pages (-want +got):\n%s", diff)
		}
		changes, err := history.FieldHistory[Person](t.Context(), db, ada.ID, "Name", history.NewestFirst(), history.Limit(1))
		if err != nil || len(changes) != 1 || string(changes[0].New) != `"Eve"` {
			t.Errorf("the name: %+v, error %v", changes, err)
		}
		shared := make([]history.Option, 1, 2)
		shared[0] = history.NewestFirst()
		kept := append(shared, history.Limit(1))
		if _, err := history.FieldHistory[Person](t.Context(), db, ada.ID, "Name", shared...); err != nil {
			t.Fatal(err)
		}
		if entries, err := history.Of[Person](t.Context(), db, ada.ID, kept...); err != nil || len(entries) != 1 {
			t.Errorf("an option of the caller's is another: %d entries, error %v", len(entries), err)
		}
	})
}

// What cannot be asked is refused, and says why.
func TestBadQuestions(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d)
		must(t, db.Create(&Person{Name: "Ada"}))
		type keyless struct{ Name string }
		of := func(key any, opts ...history.Option) error {
			_, err := history.Of[Person](t.Context(), db, key, opts...)
			return err
		}
		for name, err := range map[string]error{
			"text for a number":   of("many"),
			"a negative number":   of(-1),
			"half a number":       of(1.5),
			"nothing":             of(nil),
			"no children":         of(1, history.Children("Wheels")),
			"a limit":             of(1, history.Limit(-1)),
			"a field's limit":     second(history.FieldHistory[Person](t.Context(), db, 1, "Name", history.Limit(-1))),
			"part of an ID":       second(history.AsOf[Stock](t.Context(), db, history.ID("a"), time.Now())),
			"an ID of no number":  of(history.ID("x"), history.Children("Cars")),
			"part of a key":       second(history.Of[Stock](t.Context(), db, []any{"a"})),
			"one value for two":   second(history.Of[Stock](t.Context(), db, "a")),
			"another type in it":  second(history.Of[Stock](t.Context(), db, []any{"a", "b"})),
			"a field":             second(history.FieldHistory[Person](t.Context(), db, 1, "height")),
			"no transaction":      second(history.RevertTransaction(because(), db, "")),
			"a key that is wrong": second(history.AsOf[Person](t.Context(), db, "x", time.Now())),
		} {
			if problem := new(event.FieldError); !errors.As(err, &problem) {
				t.Errorf("%s: error %v", name, err)
			}
		}
		if _, err := history.Of[keyless](t.Context(), db, 1); !errors.Is(err, history.ErrNoKey) {
			t.Errorf("no key: error %v", err)
		}
		called := event.New("custom", "call")
		if err := audit.Record(t.Context(), called); err != nil {
			t.Fatal(err)
		}
		if _, err := history.Revert[Person](because(), db, called.ID); !errors.Is(err, history.ErrNoRow) {
			t.Errorf("no row: error %v", err)
		}
		if _, err := history.RevertTransaction(because(), db, "none"); !errors.Is(err, history.ErrNothingKnown) {
			t.Errorf("no such transaction: error %v", err)
		}
		must(t, db.Exec("ALTER TABLE stocks ADD COLUMN shelf integer"))
		must(t, db.Create(&Stock{"a", 1, 5}))
		must(t, db.Model(&Stock{}).Where("sku = ?", "a").Updates(map[string]any{"shelf": 3}))
		must(t, db.Delete(&Stock{"a", 1, 5}))
		must(t, db.Exec("ALTER TABLE stocks DROP COLUMN shelf"))
		if _, err := history.Undelete[Stock](because(), db, Stock{Sku: "a", Place: 1}); !errors.Is(err, history.ErrUnknownColumn) {
			t.Errorf("a column that is gone: error %v", err)
		}
		if err := db.First(&Stock{}).Error; !errors.Is(err, gorm.ErrRecordNotFound) {
			t.Errorf("a refused revert left a row, error %v", err)
		}
	})
}

func second[T any](_ T, err error) error { return err }
