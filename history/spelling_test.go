package history_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/history"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

// Ticket, Shelf, Price, Number, Word and Text have keys that are strings in Go, and
// that databases write in their own way.
type (
	Ticket struct {
		ID   string `gorm:"type:uuid;primaryKey"`
		Note string
	}
	Shelf struct {
		ID   string `gorm:"type:char(5);primaryKey"`
		Note string
	}
	Price struct {
		ID   string `gorm:"type:decimal(20,4);primaryKey"`
		Note string
	}
	Number struct {
		ID   string `gorm:"type:bigint;primaryKey;autoIncrement:false"`
		Note string
	}
	Word struct {
		ID   string `gorm:"size:20;primaryKey"`
		Note string
	}
	Text struct {
		ID   string `gorm:"size:20;primaryKey"`
		Note string
	}
	// Offer has such a key beside another.
	Offer struct {
		Place int    `gorm:"primaryKey;autoIncrement:false"`
		Price string `gorm:"type:decimal(20,4);primaryKey"`
		Note  string
	}
)

// A key is the one that the database takes it for, whether the row is there or
// gone.
func TestAKeyMayBeSpelledOtherwise(t *testing.T) {
	t.Parallel()
	const upper, lower = "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, _ := install(t, d)
		if db.Name() == "sqlite" { // where these are texts like all others
			askSpelled[Ticket](t, db, map[string]any{"id": upper}, upper)
			askSpelled[Shelf](t, db, map[string]any{"id": "ab "}, "ab ")
		} else {
			askSpelled[Ticket](t, db, map[string]any{"id": lower}, upper, lower)
			askSpelled[Shelf](t, db, map[string]any{"id": "ab"}, "ab ", "ab")
		}
		askSpelled[Price](t, db, map[string]any{"id": "1.5"}, "1.5", "1.50", "01.5000")
		askSpelled[Number](t, db, map[string]any{"id": "7"}, "7", "007")
		askSpelled[Word](t, db, map[string]any{"id": "007"}, "007")
		askSpelled[Text](t, db, map[string]any{"id": `"A'`}, `"A'`)
		askSpelled[Offer](t, db, map[string]any{"place": 3, "price": "1.5"}, []any{3, "1.5"}, []any{3, "1.50"})
	})
}

// askSpelled asks for one record by several spellings of its key.
func askSpelled[T any](t *testing.T, db *gorm.DB, row map[string]any, keys ...any) {
	t.Helper()
	if err := db.AutoMigrate(new(T)); err != nil {
		t.Fatal(err)
	}
	row["note"] = "new"
	must(t, db.Model(new(T)).Create(row))
	var want []string
	ask := func(key any, label string) {
		t.Helper()
		entries, err := history.Of[T](t.Context(), db, key)
		var got []string
		for _, e := range entries {
			got = append(got, string(e.Label))
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%T %q, %s: error %v (-want +got):\n%s", *new(T), key, label, err, diff)
		}
		notes, err := history.FieldHistory[T](t.Context(), db, key, "note")
		if len(notes) != len(want) || err != nil {
			t.Errorf("%T %q, %s: its note was set %d times, error %v", *new(T), key, label, len(notes), err)
		}
		if then, err := history.AsOf[T](t.Context(), db, key, time.Now()); err != nil || then.Exists != (label != "gone") {
			t.Errorf("%T %q, %s: it is %+v, error %v", *new(T), key, label, then, err)
		}
	}
	want = append(want, "created")
	for _, key := range keys {
		ask(key, "there")
	}
	for _, key := range keys {
		must(t, db.Where("1 = 1").Delete(new(T)))
		want = append(want, "deleted")
		ask(key, "gone")
		if _, err := history.Undelete[T](because(), db, key); err != nil {
			t.Errorf("%T %q is not undeleted: %v", *new(T), key, err)
			return
		}
		want = append(want, "created")
		ask(key, "there again")
	}
	must(t, db.Where("1 = 1").Delete(new(T)))
}

// Where case does not count, a row is found by any, and one that is gone by its
// own.
func TestAKeyInAnotherCase(t *testing.T) {
	t.Parallel()
	db, _ := install(t, testdb.New(t, testdb.MariaDB))
	if err := db.AutoMigrate(&Word{}); err != nil {
		t.Fatal(err)
	}
	must(t, db.Create(&Word{ID: "Tür"}))
	var got []string
	count := func(key string) {
		entries, err := history.Of[Word](t.Context(), db, key)
		got = append(got, fmt.Sprint(key, " ", len(entries), " ", err))
	}
	count("TÜR")
	must(t, db.Delete(&Word{ID: "tür"}))
	count("Tür")
	if want := []string{"TÜR 1 <nil>", "Tür 2 <nil>"}; !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}

// A key that the column cannot hold is no other key, and one of a table that is
// gone is what it is.
func TestAKeyThatIsNone(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, _ := install(t, d)
		if err := db.AutoMigrate(&Price{}, &Number{}, &Word{}); err != nil {
			t.Fatal(err)
		}
		must(t, db.Create(&Price{ID: "1.2346"}))
		must(t, db.Create(&Number{ID: "7"}))
		must(t, db.Create(&Word{ID: "seven"}))
		must(t, db.Where("1 = 1").Delete(&Price{}))
		must(t, db.Where("1 = 1").Delete(&Number{}))
		prices, err := history.Of[Price](t.Context(), db, "1.23456")
		if len(prices) > 0 || err != nil {
			t.Errorf("the price has %v, error %v", told(prices), err)
		}
		words, err := history.Of[Word](t.Context(), db, "seven, and more than the column can hold")
		if len(words) > 0 || err != nil {
			t.Errorf("the long word has %v, error %v", told(words), err)
		}
		if numbers, err := history.Of[Number](t.Context(), db, "7.5"); len(numbers) > 0 {
			t.Errorf("the number has %v, error %v", told(numbers), err)
		}
		if err := db.Migrator().DropTable(&Word{}); err != nil {
			t.Fatal(err)
		}
		if words, err = history.Of[Word](t.Context(), db, "seven"); len(words) != 1 || err != nil {
			t.Errorf("the word of the table that is gone has %v, error %v", told(words), err)
		}
	})
}
