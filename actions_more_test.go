package eventaudit_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/actions"
	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/internal/testredis"
	"github.com/eventaudit/eventaudit/repository/sqlrepo"
)

// run runs an action that has neither argument nor result.
func run(ctx context.Context, rec event.Recorder, name string, fn func(context.Context) error, opts ...actions.Option) error {
	return actions.RunErr(ctx, rec, name, any(nil), fn, opts...)
}

// told lists the events as outcome and action, or action and object.
func told(t *testing.T, audit *eventaudit.Auditor) []string {
	t.Helper()
	if err := audit.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, e := range trail(t, audit, event.Filter{}) {
		if e.Category == event.CategoryAction {
			lines = append(lines, string(e.Outcome)+" "+e.Action)
		} else {
			lines = append(lines, e.Action+" "+e.ActionObjectID)
		}
	}
	return lines
}

// An action that is part of another one's transaction shares its fate, but for
// its failure.
func TestActionsWithinActions(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d)
		outer := func(ctx context.Context, sku string, inner func(context.Context, *gorm.DB) error) error {
			return run(ctx, audit, "outer", func(ctx context.Context) error {
				return db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
					if err := tx.Create(&Product{SKU: sku}).Error; err != nil {
						return err
					}
					return inner(ctx, tx)
				})
			})
		}
		fine := func(ctx context.Context, tx *gorm.DB) error {
			return run(ctx, audit, "inner", func(ctx context.Context) error {
				return tx.WithContext(ctx).Create(&Document{ID: "of the inner"}).Error
			})
		}
		if err := outer(t.Context(), "a", func(ctx context.Context, tx *gorm.DB) error {
			return errors.Join(fine(ctx, tx), errBusiness)
		}); !errors.Is(err, errBusiness) {
			t.Fatal(err)
		}
		if err := outer(t.Context(), "b", func(ctx context.Context, tx *gorm.DB) error {
			failed := run(ctx, audit, "inner", func(ctx context.Context) error {
				return errors.Join(tx.WithContext(ctx).First(&Document{}).Error, errBusiness)
			})
			if !errors.Is(failed, errBusiness) {
				t.Errorf("inner: %v", failed)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if err := outer(t.Context(), "c", fine); err != nil {
			t.Fatal(err)
		}
		counts := map[string]int{}
		for _, line := range told(t, audit) {
			counts[line]++
		}
		want := map[string]int{
			"failure outer": 1, "failure inner": 1, "success outer": 2, "success inner": 1,
			"created b": 1, "created c": 1, "created of the inner": 1,
		}
		if diff := cmp.Diff(want, counts); diff != "" {
			t.Error(diff)
		}
	})
}

// Nothing waits for a connection that the caller's transaction holds.
func TestActionsWithOneConnection(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d)
		sqlPool(t, db).SetMaxOpenConns(1)
		for _, problem := range []error{nil, errBusiness} {
			err := db.Transaction(func(tx *gorm.DB) error {
				return run(t.Context(), audit, "pay", func(ctx context.Context) error {
					return errors.Join(tx.WithContext(ctx).First(&Product{}, "sku = ?", "none").Error, problem)
				}, actions.Denied(func(err error) bool { return errors.Is(err, errBusiness) }))
			})
			if !errors.Is(err, gorm.ErrRecordNotFound) {
				t.Fatal(err)
			}
		}
		if err := db.Transaction(func(tx *gorm.DB) error {
			return run(t.Context(), audit.In(tx), "pay", func(context.Context) error { return nil })
		}); err != nil {
			t.Fatal(err)
		}
		want := map[string]bool{"failure pay": true, "denied pay": true, "success pay": true}
		got := map[string]bool{}
		for _, line := range told(t, audit) {
			got[line] = true
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

// A failure within a transaction that nobody told of does not wait for it.
func TestActionsInAnUnknownTransaction(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d)
		err := db.Transaction(func(tx *gorm.DB) error {
			if err := tx.Create(&Product{SKU: "a"}).Error; err != nil {
				return err
			}
			begun := time.Now()
			err := run(t.Context(), audit, "pay", func(context.Context) error { return errBusiness })
			if took := time.Since(begun); took > 30*time.Second { // SQLite waits for a minute
				t.Errorf("it took %s", took)
			}
			return err
		})
		if !errors.Is(err, errBusiness) {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"failure pay"}, told(t, audit)); diff != "" {
			t.Error(diff)
		}
	})
}

// Close waits for what is under way, until its context ends.
func TestCloseWaitsForFailedActions(t *testing.T) {
	t.Parallel()
	db, audit := install(t, testdb.New(t, testdb.SQLitePure))
	err := db.Transaction(func(tx *gorm.DB) error {
		err := run(t.Context(), audit.In(tx), "pay", func(context.Context) error { return errBusiness })
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if err := audit.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close while the transaction is open: %v", err)
		}
		return err
	})
	if !errors.Is(err, errBusiness) {
		t.Fatal(err)
	}
	if err := audit.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"failure pay"}, told(t, audit)); diff != "" {
		t.Error(diff)
	}
}

// Flush waits for what came before it, and not for what goes on failing.
func TestFlushWhileActionsFail(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		_, audit := install(t, d)
		ctx, stop := context.WithCancel(context.Background())
		var group, begun sync.WaitGroup
		for range 8 {
			begun.Add(1)
			group.Go(func() {
				for first := true; ctx.Err() == nil; first = false {
					if err := run(context.Background(), audit, "pay", func(context.Context) error { return errBusiness }); !errors.Is(err, errBusiness) {
						t.Errorf("err = %v", err)
					}
					if first {
						begun.Done()
					}
				}
			})
		}
		begun.Wait()
		limit, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		for what, wait := range map[string]func(context.Context) error{"Flush": audit.Flush, "Close": audit.Close} {
			if err := wait(limit); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		stop()
		group.Wait()
		if err := audit.Flush(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// What a request brings neither keeps the action from the trail nor makes the
// trail unreadable, wherever that is.
func TestActionsWithJSONOfTheCaller(t *testing.T) {
	t.Parallel()
	bodies := []string{"{\"name\":\"\xff\"}"}
	for _, levels := range []int{event.MaxDepth, event.MaxDepth + 1, event.MaxDepth + 2, 10_000} {
		bodies = append(bodies, strings.Repeat("[", levels)+strings.Repeat("]", levels))
	}
	check := func(t *testing.T, d *testdb.Database, opts ...eventaudit.Option) {
		_, audit := install(t, d, opts...)
		for _, body := range bodies {
			for _, want := range []error{nil, errBusiness} {
				err := actions.RunErr(t.Context(), audit, "hook", json.RawMessage(body), func(context.Context) error { return want })
				if err != want { //nolint:errorlint // the very same
					t.Errorf("err = %v", err)
				}
			}
		}
		if err := audit.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n, want := len(trail(t, audit, event.Filter{Action: "hook"})), 2*len(bodies); n != want || numbers(t, audit).Dead != 0 {
			t.Errorf("%d events are in the trail, want %d; %+v", n, want, numbers(t, audit))
		}
		if err := audit.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	testdb.Each(t, func(t *testing.T, d *testdb.Database) { check(t, d) })
	t.Run("redis", func(t *testing.T) {
		t.Parallel()
		server := testredis.Start(t)
		check(t, testdb.New(t, testdb.SQLitePure), func(c *eventaudit.Config) { c.Redis.URL = server.URL() })
	})
	t.Run("cloudwatch", func(t *testing.T) {
		t.Parallel()
		_, there := cloudWatch(t)
		check(t, testdb.New(t, testdb.SQLitePure), there)
	})
}

// What cannot be recorded is said without a word of it.
func TestErrorsTellNoSecretsOfActions(t *testing.T) {
	t.Parallel()
	_, audit := install(t, testdb.New(t, testdb.SQLitePure))
	for _, payload := range []string{"{\"password\":\"hunter2\",\"name\":\"\xff\"}", `{"password":"hunter2"`, "!hunter2"} {
		e := event.New("custom", "signup")
		e.Payload = json.RawMessage(payload)
		if err := audit.Record(t.Context(), e); !errors.Is(err, event.ErrInvalid) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("Record of %s: %v", payload, err)
		}
	}
}

// However many actions fail in one transaction, all of them are in the trail.
func TestManyFailuresInOneTransaction(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		const many = 1500
		db, audit := install(t, d)
		err := db.Transaction(func(tx *gorm.DB) error {
			if err := tx.Create(&Product{SKU: "a"}).Error; err != nil {
				return err
			}
			for range many {
				err := run(t.Context(), audit.In(tx), "import", func(context.Context) error { return errBusiness })
				if !errors.Is(err, errBusiness) {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := audit.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n, lost := len(trail(t, audit, event.Filter{Action: "import"})), numbers(t, audit).Lost; n != many || lost != 0 {
			t.Errorf("%d events of %d are in the trail, %d are lost", n, many, lost)
		}
	})
}

// The success of an action in a transaction that ended behind its back is in
// the trail, with the doubt.
func TestASuccessBehindACancelledContext(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		err := run(ctx, audit, "pay", func(ctx context.Context) error {
			defer cancel()
			return db.WithContext(ctx).Transaction(func(tx *gorm.DB) error { return tx.Create(&Product{SKU: "a"}).Error })
		})
		if err != nil {
			t.Fatal(err)
		}
		events := trail(t, audit, event.Filter{Action: "pay"})
		if len(events) != 1 || events[0].Meta["transaction"] != "unknown" || events[0].Outcome != event.OutcomeSuccess {
			t.Errorf("%+v", events)
		}
	})
}

// breakTrail makes every event impossible to store until it is mended.
func breakTrail(t *testing.T, db *gorm.DB) (mend func()) {
	t.Helper()
	must(t, db.Exec("ALTER TABLE "+sqlrepo.Table+" RENAME TO gone"))
	return func() {
		t.Helper()
		must(t, db.Exec("ALTER TABLE gone RENAME TO "+sqlrepo.Table))
	}
}

func TestActionsThatCannotBeRecorded(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d)
		mend := breakTrail(t, db)
		fine := func(context.Context) error { return nil }
		err := run(t.Context(), audit, "pay", fine)
		if !errors.Is(err, actions.ErrNotRecorded) {
			t.Errorf("a success alone: %v", err)
		}
		var lost *eventaudit.LostError
		if !errors.As(err, &lost) || len(lost.EventIDs) != 1 {
			t.Errorf("err = %v, want one lost event", err)
		}
		err = db.Transaction(func(tx *gorm.DB) error { return run(t.Context(), audit.In(tx), "pay", fine) })
		if !errors.Is(err, actions.ErrNotRecorded) {
			t.Errorf("a success in a transaction: %v", err)
		}
		// A failure keeps its own error, and is stored when that is possible.
		err = run(t.Context(), audit, "fail", func(context.Context) error { return errBusiness })
		if err != errBusiness { //nolint:errorlint // it is to be the very same
			t.Errorf("a failure: %v", err)
		}
		mend()
		if diff := cmp.Diff([]string{"failure fail"}, told(t, audit)); diff != "" {
			t.Error(diff)
		}
	})
}

// Under ContinueOnError an action never fails because of its event.
func TestActionsContinue(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d, func(c *eventaudit.Config) { c.OnAuditError = eventaudit.ContinueOnError })
		mend := breakTrail(t, db)
		fine := func(context.Context) error { return nil }
		err := db.Transaction(func(tx *gorm.DB) error {
			if err := run(t.Context(), audit.In(tx), "pay", fine); err != nil {
				return err
			}
			return tx.WithContext(event.WithoutAudit(t.Context())).Create(&Product{SKU: "kept"}).Error
		})
		if err != nil {
			t.Fatalf("in a transaction: %v", err)
		}
		if n := count(t, db, "products"); n != 1 {
			t.Errorf("%d products, want the transaction to go on", n)
		}
		if n := numbers(t, audit).Lost; n != 1 {
			t.Errorf("%d events lost, want 1", n)
		}
		if err := run(t.Context(), audit, "alone", fine); err != nil {
			t.Errorf("alone: %v", err)
		}
		mend()
		if diff := cmp.Diff([]string{"success alone"}, told(t, audit)); diff != "" {
			t.Error(diff)
		}
	})
}

// The rules about actions hold, and what is not recorded costs nothing.
func TestActionRules(t *testing.T) {
	t.Parallel()
	type account struct {
		Name     string
		Password string
	}
	for name, x := range map[string]struct {
		edit func(*eventaudit.Config)
		ctx  func(context.Context) context.Context
		want string
	}{
		"redaction": {want: `success {"Name":"ann","Password":"[redacted]"} {"api_key":"[redacted]","ok":true}`},
		"no payload and result": {
			edit: func(c *eventaudit.Config) { c.StorePayloadAndResult = false },
			want: "success  ",
		},
		"track_actions":     {edit: func(c *eventaudit.Config) { c.TrackActions = false }},
		"ignore.actions":    {edit: func(c *eventaudit.Config) { c.Ignore.Actions = []string{"sign_up"} }},
		"ignore.categories": {edit: func(c *eventaudit.Config) { c.Ignore.Categories = []string{event.CategoryAction} }},
		"skip":              {edit: eventaudit.WithSkip(func(_ context.Context, e event.Event) bool { return e.Action == "sign_up" })},
		"without audit":     {ctx: event.WithoutAudit},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var opts []eventaudit.Option
			if x.edit != nil {
				opts = append(opts, x.edit)
			}
			_, audit := install(t, testdb.New(t, testdb.SQLitePure), opts...)
			signUp := actions.Wrap(audit, "sign_up", func(context.Context, account) (map[string]any, error) {
				return map[string]any{"ok": true, "api_key": "k-17"}, nil
			})
			ctx := t.Context()
			if x.ctx != nil {
				ctx = x.ctx(ctx)
			}
			if out, err := signUp(ctx, account{"ann", "hunter2"}); err != nil || out["api_key"] != "k-17" {
				t.Fatal(out, err)
			}
			var got []string
			for _, e := range trail(t, audit, event.Filter{}) {
				got = append(got, string(e.Outcome)+" "+string(e.Payload)+" "+string(e.Result))
			}
			if diff := cmp.Diff(x.want, strings.Join(got, "\n")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestActionBeforeInstallation(t *testing.T) {
	t.Parallel()
	err := run(t.Context(), eventaudit.Plugin(), "pay", func(context.Context) error {
		t.Error("it ran")
		return nil
	})
	if !errors.Is(err, eventaudit.ErrNotInstalled) {
		t.Errorf("err = %v", err)
	}
}

// Custom events in a transaction carry its id, and nobody in particular has a
// name.
func TestEventsOfATransactionShareItsID(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d)
		if err := db.Transaction(func(tx *gorm.DB) error {
			return errors.Join(tx.Create(&Product{SKU: "a"}).Error,
				audit.In(tx).Record(t.Context(), event.New("custom", "approved")),
				run(t.Context(), audit.In(tx), "pay", func(context.Context) error { return nil }),
				tx.Create(&Product{SKU: "b"}).Error)
		}); err != nil {
			t.Fatal(err)
		}
		if err := audit.Record(t.Context(), event.New("custom", "alone")); err != nil {
			t.Fatal(err)
		}
		byID := map[string]int{}
		for _, e := range trail(t, audit, event.Filter{Actor: event.ActorSystem}) {
			byID[e.TransactionID]++
		}
		if len(byID) != 2 || byID[""] != 1 {
			t.Errorf("events by transaction: %v, want 4 of one and 1 of none", byID)
		}
	})
}
