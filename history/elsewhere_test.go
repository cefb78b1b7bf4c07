package history_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/history"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/internal/testredis"
	_ "github.com/eventaudit/eventaudit/repository/cloudwatchrepo"
	"github.com/eventaudit/eventaudit/repository/cloudwatchrepo/cloudwatchtest"
	"github.com/eventaudit/eventaudit/repository/memrepo"
	_ "github.com/eventaudit/eventaudit/repository/redisrepo"
)

// The trail may be anywhere: the questions go to the repository.
func TestTrailElsewhere(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		for name, there := range map[string]func(*testing.T) eventaudit.Option{
			"memory": func(*testing.T) eventaudit.Option { return eventaudit.WithRepository(memrepo.New(nil)) },
			"redis": func(t *testing.T) eventaudit.Option {
				server := testredis.Start(t)
				return func(c *eventaudit.Config) { c.Redis.URL = server.URL() }
			},
			"cloudwatch": cloudWatch,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				askElsewhere(t, testdb.New(t, d.Kind()), there(t))
			})
		}
	})
}

// cloudWatch starts a server, and returns what sends the trail there.
func cloudWatch(t *testing.T) eventaudit.Option {
	t.Helper()
	server, err := cloudwatchtest.Start(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return func(c *eventaudit.Config) {
		c.ActiveRepo = "cloudwatch"
		c.CloudWatch.AccessKey, c.CloudWatch.SecretKey = cloudwatchtest.AccessKey, cloudwatchtest.SecretKey
		c.CloudWatch.Region, c.CloudWatch.Endpoint = "eu-north-1", server.URL
	}
}

func askElsewhere(t *testing.T, d *testdb.Database, there eventaudit.Option) {
	t.Helper()
	db, audit := install(t, d, there)
	closeLater(t, audit)
	must(t, db.Create(&Stock{"a", 1, 5}))
	first := moment()
	err := db.Transaction(func(tx *gorm.DB) error {
		must(t, tx.Create(&Stock{"b", 1, 1}))
		must(t, tx.Delete(&Stock{"a", 1, 5}))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := audit.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	was, err := history.AsOf[Stock](t.Context(), db, []any{"a", 1}, first)
	if err != nil || was.Record != (Stock{"a", 1, 5}) {
		t.Errorf("was %+v, error %v", was, err)
	}
	is, err := history.AsOf[Stock](t.Context(), db, []any{"a", 1}, moment())
	if err != nil || is.Exists {
		t.Errorf("is %+v, error %v", is, err)
	}
	gone := history.Diff(was, is)
	want := []history.Change{
		{Column: "place", Field: "Place", Old: []byte("1")},
		{Column: "quantity", Field: "Quantity", Old: []byte("5")},
		{Column: "sku", Field: "Sku", Old: []byte(`"a"`)},
	}
	if diff := cmp.Diff(want, gone); diff != "" {
		t.Errorf("difference (-want +got):\n%s", diff)
	}
	id := trail(t, audit, event.Filter{Action: event.ActionDeleted})[0].TransactionID
	if plan, err := history.RevertTransaction(because(), db, id); err != nil || !plan.Applied { // the model is known, because it was written
		t.Fatalf("plan %+v, error %v", plan, err)
	}
	var left []Stock
	must(t, db.Find(&left))
	if diff := cmp.Diff([]Stock{{"a", 1, 5}}, left); diff != "" {
		t.Errorf("reverted (-want +got):\n%s", diff)
	}
}

// closeLater ends the relay with the test.
func closeLater(t *testing.T, audit *eventaudit.Auditor) {
	t.Helper()
	t.Cleanup(func() {
		if err := audit.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// A process that has not written the models has to be told which they are.
func TestModelsOfATransaction(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		trails := memrepo.New(nil)
		db, audit := install(t, d, eventaudit.WithRepository(trails))
		closeLater(t, audit)
		strange := event.New(event.CategoryModel, event.ActionCreated)
		strange.ActionObject, strange.ActionObjectID, strange.TransactionID = "Stock", `["a",1]`, "t"
		strange.Result = []byte(`{"new":{"sku":"a","place":1,"quantity":5}}`)
		if err := trails.Write(t.Context(), strange); err != nil {
			t.Fatal(err)
		}
		must(t, db.WithContext(event.WithoutAudit(t.Context())).Create(&Stock{"a", 1, 5}))
		if _, err := history.RevertTransaction(because(), db, "t"); !errors.Is(err, history.ErrUnknownModel) {
			t.Errorf("error %v", err)
		}
		if plan, err := history.RevertTransaction(because(), db, "t", history.Models(Stock{}), history.DryRun()); err != nil || len(plan.Conflicts) > 0 || len(plan.Operations) != 1 {
			t.Errorf("plan %+v, error %v", plan, err)
		}
	})
}
