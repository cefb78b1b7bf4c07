package eventaudit_test

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

// Each setting decides over events by itself; the work is always the same.
func TestRules(t *testing.T) {
	t.Parallel()
	everything := []string{"created Customer", "created Product", "changed Product", "deleted Product", "created Stock", "lost api", "found custom"}
	without := func(gone ...string) []string {
		return slices.DeleteFunc(slices.Clone(everything), func(e string) bool { return slices.Contains(gone, e) })
	}
	for name, c := range map[string]struct {
		edit func(*eventaudit.Config)
		want []string
	}{
		"defaults":             {func(*eventaudit.Config) {}, everything},
		"track one type":       {func(c *eventaudit.Config) { c.Track.Models = []string{"Stock"} }, without("created Customer", "created Product", "changed Product", "deleted Product")},
		"track one table":      {func(c *eventaudit.Config) { c.Track.Models = []string{"stocks"} }, without("created Customer", "created Product", "changed Product", "deleted Product")},
		"track beats ignore":   {func(c *eventaudit.Config) { c.Track.Models, c.Ignore.Models = []string{"Stock"}, []string{"Stock"} }, without("created Customer", "created Product", "changed Product", "deleted Product")},
		"names have case":      {func(c *eventaudit.Config) { c.Ignore.Models = []string{"stock", "CUSTOMER"} }, everything},
		"ignore a type":        {func(c *eventaudit.Config) { c.Ignore.Models = []string{"Stock"} }, without("created Stock")},
		"ignore a table":       {func(c *eventaudit.Config) { c.Ignore.Models = []string{"stocks"} }, without("created Stock")},
		"ignore an action":     {func(c *eventaudit.Config) { c.Ignore.Actions = []string{"created", "found"} }, []string{"changed Product", "deleted Product", "lost api", "package_show api"}},
		"ignore model events":  {func(c *eventaudit.Config) { c.Ignore.Categories = []string{"model"} }, []string{"lost api", "found custom"}},
		"ignore custom events": {func(c *eventaudit.Config) { c.Ignore.Categories = []string{"custom"} }, without("found custom")},
		"do not track models":  {func(c *eventaudit.Config) { c.TrackModels = false }, []string{"lost api", "found custom"}},
		"do not track actions": {func(c *eventaudit.Config) { c.TrackActions = false }, without("lost api")},
		"skip by a function": {func(c *eventaudit.Config) {
			c.Skip = func(_ context.Context, e event.Event) bool { return e.Action == "changed" }
		}, without("changed Product")},
		"skip nothing":           {func(c *eventaudit.Config) { c.Skip = func(context.Context, event.Event) bool { return false } }, everything},
		"the ancestor's actions": {func(c *eventaudit.Config) { c.Ignore.Actions = append(c.Ignore.Actions, "lost") }, without("lost api")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, audit := install(t, testdb.New(t, testdb.SQLitePure), c.edit)
			must(t, db.Create(&Customer{Name: "Ann"}))
			p := Product{SKU: "p"}
			must(t, db.Create(&p))
			must(t, db.Model(&p).Update("price", 3))
			must(t, db.Delete(&p))
			must(t, db.Create(&Stock{SKU: "p"}))
			err := audit.Record(context.Background(), event.New(event.CategoryAction, "lost"), event.New(event.CategoryAction, "package_show"), event.New("custom", "found"))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range trail(t, audit, event.Filter{}) {
				about := e.ActionObject
				if about == "" {
					about = e.Category
				}
				got = append(got, e.Action+" "+about)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// One statement that changes many rows makes many events; skipping one of
// them leaves the others.
func TestOneSkippedEventNeverAffectsAnother(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d, eventaudit.WithSkip(func(_ context.Context, e event.Event) bool { return e.ActionObjectID == "b" }))
		must(t, db.Create(&[]Product{{SKU: "a"}, {SKU: "b"}, {SKU: "c"}}))
		must(t, db.Model(&Product{}).Where("1 = 1").Update("price", 7))
		var got []string
		for _, e := range trail(t, audit, event.Filter{}) {
			got = append(got, e.Action+" "+e.ActionObjectID)
		}
		slices.Sort(got)
		if diff := cmp.Diff([]string{"changed a", "changed c", "created a", "created c"}, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestPreviousState(t *testing.T) {
	t.Parallel()
	for state, want := range map[eventaudit.PreviousState][]string{
		eventaudit.StateOff: {
			`{"new":{"sku":"p","title":"T","price":1,"state":"draft"}}`,
			`{"new":{"price":2}}`,
			``,
		},
		eventaudit.StateChanged: {
			`{"new":{"sku":"p","title":"T","price":1,"state":"draft"}}`,
			`{"old":{"price":1},"new":{"price":2}}`,
			`{"old":{"sku":"p","title":"T","price":2,"state":"draft"}}`,
		},
		eventaudit.StateFull: {
			`{"new":{"sku":"p","title":"T","price":1,"state":"draft"}}`,
			`{"old":{"sku":"p","title":"T","price":1,"state":"draft"},"new":{"sku":"p","title":"T","price":2,"state":"draft"}}`,
			`{"old":{"sku":"p","title":"T","price":2,"state":"draft"}}`,
		},
	} {
		t.Run(string(state), func(t *testing.T) {
			t.Parallel()
			testdb.Each(t, func(t *testing.T, d *testdb.Database) {
				db, audit := install(t, d, func(c *eventaudit.Config) { c.Track.StorePreviousModelState = state })
				p := Product{SKU: "p", Title: "T", Price: 1}
				must(t, db.Create(&p))
				must(t, db.Model(&p).Update("price", 2))
				must(t, db.Delete(&p))
				var got []string
				for _, e := range trail(t, audit, event.Filter{}) {
					got = append(got, string(e.Result))
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestSoftDeleteHoldsTheRowAndWhatItSet(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d)
		c := Customer{Name: "Ann"}
		must(t, db.Create(&c))
		must(t, db.Delete(&c))
		must(t, db.Unscoped().Model(&c).UpdateColumn("deleted_at", nil))
		events := trail(t, audit, event.Filter{})
		if len(events) != 3 || events[1].Action != event.ActionDeleted || events[2].Action != event.ActionRestored {
			t.Fatalf("events: %+v", events)
		}
		var deleted struct{ Old, New map[string]any }
		if err := json.Unmarshal(events[1].Result, &deleted); err != nil {
			t.Fatal(err)
		}
		if deleted.Old["name"] != "Ann" || deleted.Old["deleted_at"] != nil || len(deleted.New) != 1 || deleted.New["deleted_at"] == nil {
			t.Errorf("result: %s", events[1].Result)
		}
	})
}

func TestStoreNeitherPayloadNorResult(t *testing.T) {
	t.Parallel()
	db, audit := install(t, testdb.New(t, testdb.SQLitePure), func(c *eventaudit.Config) { c.StorePayloadAndResult = false })
	must(t, db.Create(&Product{SKU: "p"}))
	err := audit.Record(context.Background(), event.Event{Category: "custom", Action: "x", Payload: event.JSON(1), Result: event.JSON(2)})
	if err != nil {
		t.Fatal(err)
	}
	events := trail(t, audit, event.Filter{})
	if len(events) != 2 {
		t.Fatalf("%d events", len(events))
	}
	for _, e := range events {
		if e.Payload != nil || e.Result != nil {
			t.Errorf("stored: %s %s", e.Payload, e.Result)
		}
	}
}

func TestWithoutAudit(t *testing.T) {
	t.Parallel()
	db, audit := install(t, testdb.New(t, testdb.SQLitePure))
	off := event.WithoutAudit(context.Background())
	must(t, db.WithContext(off).Create(&Product{SKU: "p"}))
	if err := audit.Record(off, event.New("custom", "x")); err != nil {
		t.Fatal(err)
	}
	must(t, db.Create(&Product{SKU: "q"}))
	if events := trail(t, audit, event.Filter{}); len(events) != 1 || events[0].ActionObjectID != "q" {
		t.Errorf("events: %+v", events)
	}
}

// What is not audited costs nothing: no statement and no allocation.
func TestUnauditedModelsPayNothing(t *testing.T) {
	allocations := func(opts ...eventaudit.Option) (least float64) {
		db := prepare(t, testdb.New(t, testdb.SQLitePure))
		if opts != nil {
			db, _ = use(t, db, opts...)
		}
		db = db.Session(&gorm.Session{DryRun: false})
		must(t, db.Create(&Document{ID: "warm up"}))
		least = math.Inf(1)
		for range 500 { // other goroutines count too, and the race detector empties pools at random
			least = min(least, testing.AllocsPerRun(1, func() {
				if err := db.Model(&Document{}).Where("id = ?", "none").UpdateColumn("body", "x").Error; err != nil {
					t.Fatal(err)
				}
			}))
		}
		return least
	}
	ignore := func(c *eventaudit.Config) { c.Ignore.Models = []string{"Document"} }
	if plain, ignored := allocations(), allocations(ignore); ignored > plain {
		t.Errorf("an unaudited model costs %v allocations, plain GORM %v", ignored, plain)
	}
}
