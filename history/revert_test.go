package history_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"
	"pgregory.net/rapid"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/history"
	"github.com/eventaudit/eventaudit/internal/oracle"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

// because is a context that says why.
func because() context.Context {
	return event.WithReason(event.WithActor(context.Background(), "olga"), "a slip of the hand")
}

// ignorable are conflicts that the random world has by itself: masked and
// unrecorded columns of people.
func ignorable(plan history.Plan) bool {
	for _, c := range plan.Conflicts {
		if !errors.Is(c, history.ErrMasked) && !errors.Is(c, history.ErrNotRecorded) && !errors.Is(c, history.ErrUnknownColumn) {
			return false
		}
	}
	return true
}

// A transaction that is reverted at once leaves what was there before, unless it
// needs what the trail does not have: then nothing changes. One whose row was
// changed since is a conflict, and changes nothing.
func TestRevertRandomTransactions(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		w := newWorld(t, d)
		reverted := 0
		rapid.Check(t, func(t *rapid.T) {
			w.restart(t)
			for range rapid.IntRange(0, 6).Draw(t, "length") {
				w.alone(t)
			}
			before := w.copies[len(w.copies)-1]
			transaction := w.together(t)
			if transaction == "" {
				return
			}
			after := w.copies[len(w.copies)-1]
			if rapid.IntRange(0, 3).Draw(t, "interfere") == 0 && w.interfere(t, transaction) {
				w.copy(t)
				changed := w.copies[len(w.copies)-1]
				plan, err := history.RevertTransaction(because(), w.db, transaction, models)
				if !errors.Is(err, history.ErrConflict) || !errors.Is(err, history.ErrChangedSince) || plan.Applied {
					t.Fatalf("plan %+v, error %v", plan, err)
				}
				w.same(t, changed)
				return
			}
			plan, err := history.RevertTransaction(because(), w.db, transaction, models)
			switch {
			case err == nil && plan.Applied:
				reverted++
				w.same(t, before)
			case errors.Is(err, history.ErrConflict) && ignorable(plan):
				w.same(t, after)
			default:
				t.Fatalf("plan %+v, error %v", plan, err)
			}
		})
		if reverted == 0 {
			t.Error("no transaction was ever reverted")
		}
	})
}

// models are those that a transaction may be about.
var models = history.Models(&Person{}, &Car{}, &Club{}, &Stock{})

// interfere changes a row that the transaction changed, and reports whether there
// was one.
func (w *world) interfere(t *rapid.T, transaction string) bool {
	events, err := w.audit.Events(context.Background(), event.Filter{TransactionID: transaction, Category: event.CategoryModel})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if e.ActionObject != "Person" || e.Action == event.ActionAttached || e.Action == event.ActionDetached {
			continue
		}
		tx := w.db.Unscoped().Model(&Person{}).Where("id = ?", e.ActionObjectID).Update("balance", gorm.Expr("balance + 64"))
		if tx.Error == nil && tx.RowsAffected == 1 {
			return true
		}
	}
	return false
}

// same compares the tables with a copy, but for what the trail is not to know.
func (w *world) same(t *rapid.T, want shadow) {
	w.copy(t)
	got := w.copies[len(w.copies)-1]
	for _, table := range tables {
		if diff := cmp.Diff(want.rows[table.Object], got.rows[table.Object], cmp.Comparer(sameRow)); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", table.Object, diff)
		}
	}
}

func sameRow(a, b oracle.Row) bool {
	known := func(row oracle.Row) map[string]any {
		row = maps.Clone(row)
		delete(row, "seen")
		delete(row, "inner")
		return row
	}
	return oracle.Equal(known(a), known(b))
}

func TestRevertAndUndelete(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d)
		must(t, db.Create(&Stock{"a", 1, 5}))
		must(t, db.Model(&Stock{"a", 1, 5}).Update("quantity", 6))
		changed := trail(t, audit, event.Filter{Action: event.ActionChanged})[0]

		if _, err := history.Revert[Stock](context.Background(), db, changed.ID); !errors.Is(err, event.ErrReasonRequired) {
			t.Errorf("without a reason: error %v", err)
		}
		plan, err := history.Revert[Stock](because(), db, changed.ID, history.DryRun())
		if err != nil || plan.Applied || len(plan.Operations) != 1 || plan.Operations[0].Verb != history.Update {
			t.Errorf("dry run: %+v, error %v", plan, err)
		}
		quantity := func() (n int64) { must(t, db.Model(&Stock{}).Select("quantity").Scan(&n)); return n }
		if n := quantity(); n != 6 {
			t.Errorf("a dry run made it %d", n)
		}
		if plan, err = history.Revert[Stock](because(), db, changed.ID); err != nil || !plan.Applied || quantity() != 5 {
			t.Errorf("reverted: %+v, error %v, quantity %d", plan, err, quantity())
		}
		events := trail(t, audit, event.Filter{Action: event.ActionChanged})
		if last := events[len(events)-1]; last.Reason != "a slip of the hand" || last.Meta["reverts"] != "event "+changed.ID || last.Actor != "olga" {
			t.Errorf("recorded as %+v", last)
		}
		if _, err = history.Revert[Stock](because(), db, changed.ID); !errors.Is(err, history.ErrChangedSince) {
			t.Errorf("again: error %v", err)
		}
		if _, err = history.Undelete[Stock](because(), db, []any{"a", 1}); !errors.Is(err, history.ErrNothingKnown) {
			t.Errorf("not deleted: error %v", err)
		}
		must(t, db.Delete(&Stock{"a", 1, 5}))
		if plan, err = history.Undelete[Stock](because(), db, []any{"a", 1}); err != nil || !plan.Applied || quantity() != 5 {
			t.Errorf("undeleted: %+v, error %v, quantity %d", plan, err, quantity())
		}
		p := Person{Name: "Ada"}
		must(t, db.Create(&p))
		must(t, db.Delete(&p))
		if plan, err = history.Undelete[Person](because(), db, p.ID); err != nil || !plan.Applied {
			t.Errorf("soft delete undone: %+v, error %v", plan, err)
		}
		must(t, db.First(&Person{}, p.ID))
		must(t, db.Unscoped().Delete(&p))
		if _, err = history.Undelete[Person](because(), db, p.ID); !errors.Is(err, history.ErrNotRecorded) {
			t.Errorf("a column that is kept out of the trail: error %v", err)
		}
	})
}

// Rows that took the keys of others get their own back, in reverse order.
func TestRevertOfKeysThatMovedOn(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d)
		move := func(from, to string) func(tx *gorm.DB) error {
			return func(tx *gorm.DB) error { return tx.Model(&Stock{}).Where("sku = ?", from).Update("sku", to).Error }
		}
		remove := func(tx *gorm.DB) error { return tx.Where("sku = ?", "b").Delete(&Stock{}).Error }
		createAs := func(sku string) func(tx *gorm.DB) error {
			return func(tx *gorm.DB) error { return tx.Create(&Stock{sku, 1, 9}).Error }
		}
		change := func(sku string) func(tx *gorm.DB) error {
			return func(tx *gorm.DB) error {
				return tx.Model(&Stock{}).Where("sku = ?", sku).Update("quantity", 7).Error
			}
		}
		for name, steps := range map[string][]func(*gorm.DB) error{
			"a chain":                    {move("b", "c"), move("a", "b")},
			"a longer one":               {move("b", "c"), move("a", "b"), move("z", "a")},
			"behind a deletion":          {remove, move("a", "b"), move("z", "a")},
			"before a creation":          {move("b", "c"), createAs("b")},
			"a deletion, then a chain":   {remove, move("a", "b"), move("b", "d")},
			"and changed behind it":      {move("b", "c"), move("a", "b"), change("c")},
			"a creation that moved":      {createAs("x"), move("b", "c"), move("x", "b")},
			"there and back by a detour": {move("b", "c"), move("a", "b"), move("b", "a"), move("c", "b")},
		} {
			must(t, db.Where("1 = 1").Delete(&Stock{}))
			must(t, db.Create([]Stock{{"a", 1, 1}, {"b", 1, 2}, {"z", 1, 3}}))
			err := db.Transaction(func(tx *gorm.DB) error {
				for _, step := range steps {
					if err := step(tx); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			events := trail(t, audit, event.Filter{Category: event.CategoryModel})
			plan, err := history.RevertTransaction(because(), db, events[len(events)-1].TransactionID, models)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			var got []Stock
			must(t, db.Order("sku").Find(&got))
			if want := []Stock{{"a", 1, 1}, {"b", 1, 2}, {"z", 1, 3}}; !slices.Equal(got, want) {
				t.Errorf("%s: left %v, by %+v", name, got, plan.Operations)
			}
		}
	})
}

// Keys that rows took from each other are given back by the detour that they took,
// unless another row has that key by now.
func TestRevertOfSwappedKeys(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d)
		before := []Stock{{"a", 1, 1}, {"b", 1, 2}}
		must(t, db.Create(before))
		err := db.Transaction(func(tx *gorm.DB) error {
			for _, move := range [][2]string{{"a", "x"}, {"b", "a"}, {"x", "b"}} {
				if err := tx.Model(&Stock{}).Where("sku = ?", move[0]).Update("sku", move[1]).Error; err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		events := trail(t, audit, event.Filter{Action: event.ActionChanged})
		must(t, db.Create(&Stock{"x", 1, 7}))
		plan, err := history.RevertTransaction(because(), db, events[0].TransactionID, models)
		if !errors.Is(err, history.ErrNotRecorded) || errors.Is(err, history.ErrChangedSince) || plan.Applied {
			t.Errorf("plan %+v, error %v", plan, err)
		}
		must(t, db.Delete(&Stock{"x", 1, 7}))
		plan, err = history.RevertTransaction(because(), db, events[0].TransactionID, models)
		var left []Stock
		must(t, db.Order("sku").Find(&left))
		if err != nil || !slices.Equal(left, before) {
			t.Errorf("left %v, by %+v, error %v", left, plan, err)
		}
	})
}

// A row that took the key afterwards has it.
func TestNoRevertWhereTheKeyIsTaken(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d)
		must(t, db.Create([]Stock{{"a", 1, 1}, {"b", 1, 2}}))
		err := db.Transaction(func(tx *gorm.DB) error {
			must(t, tx.Model(&Stock{}).Where("sku = ?", "b").Update("sku", "c"))
			return tx.Model(&Stock{}).Where("sku = ?", "a").Update("sku", "b").Error
		})
		if err != nil {
			t.Fatal(err)
		}
		events := trail(t, audit, event.Filter{Action: event.ActionChanged})
		must(t, db.Create(&Stock{"a", 1, 7}))
		if _, err := history.RevertTransaction(because(), db, events[1].TransactionID, models); !errors.Is(err, history.ErrChangedSince) {
			t.Errorf("the key is taken: error %v", err)
		}
		must(t, db.Model(&Stock{}).Where("sku = ?", "b").Update("quantity", 8))
		must(t, db.Where("sku = ?", "a").Delete(&Stock{}))
		if _, err := history.RevertTransaction(because(), db, events[1].TransactionID, models); !errors.Is(err, history.ErrChangedSince) {
			t.Errorf("the row has changed: error %v", err)
		}
	})
}
