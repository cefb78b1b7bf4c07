package eventaudit_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/actions"
	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/oracle"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/outbox"
	"github.com/eventaudit/eventaudit/repository/memrepo"
	"github.com/eventaudit/eventaudit/repository/sqlrepo"
)

var (
	errBusiness = errors.New("no such order")
	errDenied   = errors.New("not yours")
)

// endings are the columns of the table in docs/actions.md: how an action ends
// that has written a row.
var endings = []string{"returns nil", "returns an error", "is denied", "panics", "its context is cancelled", "returns nil, and it is rolled back"}

// actionShapes are its rows: the transactions around and in an action. The
// cells are what the trail has in the end, of the action and of its row.
var actionShapes = []struct {
	name string
	run  func(x fate) error
	want []string
}{
	{
		"none: each statement has GORM's own",
		func(x fate) error { return x.action(x.audit, x.db, false) },
		[]string{"success, row", "failure, row", "denied, row", "failure, row", "failure, row", "success"},
	},
	{
		"opened by the action",
		func(x fate) error { return x.opening(1) },
		[]string{"success, row", "failure", "denied", "failure", "failure", "success"},
	},
	{
		"opened by the action, nested",
		func(x fate) error { return x.opening(2) },
		[]string{"success, row", "failure", "denied", "failure", "failure", "success"},
	},
	{
		"the caller's",
		func(x fate) error {
			return x.calling(x.db, func(tx *gorm.DB) error { return x.action(x.audit, tx, false) })
		},
		[]string{"success, row", "failure", "denied", "failure", "failure", "nothing"},
	},
	{
		"the caller's, and the recorder is `audit.In(tx)`",
		func(x fate) error {
			return x.calling(x.db, func(tx *gorm.DB) error { return x.action(x.audit.In(tx), tx, true) })
		},
		[]string{"success, row", "failure", "denied", "failure", "failure", "nothing"},
	},
	{
		"a nested one of the caller's",
		func(x fate) error {
			var problem error
			err := x.db.WithContext(x.ctx).Transaction(func(tx *gorm.DB) error {
				problem = x.calling(tx, func(tx *gorm.DB) error { return x.action(x.audit, tx, false) })
				return nil
			})
			return errors.Join(problem, err)
		},
		[]string{"success, row", "failure", "denied", "failure", "failure", "nothing"},
	},
	{
		"the caller's, which commits in any case",
		func(x fate) error {
			var problem error
			err := x.db.WithContext(context.Background()).Transaction(func(tx *gorm.DB) error {
				problem = x.noPanic(func() error { return x.action(x.audit, tx, false) })
				return nil
			})
			return errors.Join(problem, err)
		},
		[]string{"success, row", "failure, row", "denied, row", "failure, row", "failure, row", ""},
	},
}

// fate is one cell of the table.
type fate struct {
	t      *testing.T
	db     *gorm.DB
	audit  *eventaudit.Auditor
	ctx    context.Context
	cancel func()
	id     string
	ending string
	// unseen fails the test when another connection sees an event.
	unseen func()
}

// action runs the action; its statements run in db, with the context of the
// action unless that is left out.
func (x fate) action(rec event.Recorder, db *gorm.DB, contextless bool) error {
	_, err := actions.Run(x.ctx, rec, "pay", x.id, func(ctx context.Context) (string, error) {
		if !contextless {
			db = db.WithContext(ctx)
		}
		return "paid", x.body(ctx, db)
	}, actions.Denied(func(err error) bool { return errors.Is(err, errDenied) }))
	return err
}

// opening runs an action that opens transactions itself.
func (x fate) opening(depth int) error {
	_, err := actions.Run(x.ctx, x.audit, "pay", x.id, func(ctx context.Context) (string, error) {
		work := func(tx *gorm.DB) error { return x.body(ctx, tx) }
		for range depth {
			inner := work
			work = func(db *gorm.DB) error {
				return db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
					if err := inner(tx); err != nil {
						return err
					}
					return x.rollback()
				})
			}
		}
		err := work(x.db)
		if errors.Is(err, errUndo) {
			err = nil
		}
		return "paid", err
	}, actions.Denied(func(err error) bool { return errors.Is(err, errDenied) }))
	return err
}

// calling is a caller with a transaction.
func (x fate) calling(db *gorm.DB, action func(tx *gorm.DB) error) error {
	err := x.noPanic(func() error {
		return db.WithContext(x.ctx).Transaction(func(tx *gorm.DB) error {
			if err := action(tx); err != nil {
				return err
			}
			x.unseen()
			return x.rollback()
		})
	})
	if errors.Is(err, errUndo) {
		return nil
	}
	return err
}

func (x fate) rollback() error {
	if x.ending == endings[5] {
		return errUndo
	}
	return nil
}

// body is what the action does. Where nothing but GORM can roll it back, the
// statement fails.
func (x fate) body(ctx context.Context, db *gorm.DB) error {
	if _, open := db.Statement.ConnPool.(gorm.TxCommitter); !open && x.rollback() != nil {
		if db.Create(&Product{SKU: "taken"}).Error == nil {
			return errors.New("a key was taken twice")
		}
		return nil
	}
	if err := db.Create(&Product{SKU: x.id}).Error; err != nil {
		return err
	}
	switch x.ending {
	case endings[1]:
		return errBusiness
	case endings[2]:
		return errDenied
	case endings[3]:
		panic("out of paper")
	case endings[4]:
		x.cancel()
		return ctx.Err()
	}
	return nil
}

// noPanic turns the panic of the action into an error; another goes on.
func (x fate) noPanic(do func() error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			if value != "out of paper" {
				panic(value)
			}
			err = errors.New("it panicked")
		}
	}()
	return do()
}

// Whatever becomes of an action, the trail says so, and says nothing else.
func TestActionOutcomes(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"same database", "remote repository"} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			testdb.Each(t, func(t *testing.T, d *testdb.Database) {
				var opts []eventaudit.Option
				if where == "remote repository" {
					opts = append(opts, eventaudit.WithRepository(memrepo.New(nil)))
				}
				db, audit := install(t, d, opts...)
				must(t, db.Create(&Product{SKU: "taken"}))
				other := d.Open(t)
				for s, shape := range actionShapes {
					for e, ending := range endings {
						if shape.want[e] == "" {
							continue
						}
						x := fate{t: t, db: db, audit: audit, ending: ending, id: fmt.Sprintf("r%d%d", s, e)}
						ctx := event.WithRequest(event.WithActor(t.Context(), "ann"), event.Request{ID: x.id})
						x.ctx, x.cancel = context.WithCancel(ctx)
						if err := audit.Flush(t.Context()); err != nil {
							t.Fatal(err)
						}
						before := count(t, other, sqlrepo.Table) + count(t, other, outbox.Table)
						x.unseen = func() {
							if n := count(t, other, sqlrepo.Table) + count(t, other, outbox.Table); n != before {
								t.Errorf("%s, %s: %d events before the commit", shape.name, ending, n-before)
							}
						}
						err := x.noPanic(func() error { return shape.run(x) })
						x.cancel()
						if got, want := err != nil, e > 0 && e < 5; got != want {
							t.Errorf("%s, %s: err = %v", shape.name, ending, err)
						}
						if err := audit.Flush(t.Context()); err != nil {
							t.Fatal(err)
						}
						if diff := cmp.Diff(shape.want[e], cell(t, audit, x.id)); diff != "" {
							t.Errorf("%s, %s: %s", shape.name, ending, diff)
						}
					}
				}
				oracle.Check(t, db, audit.Repository(), modelTables...)
				if err := audit.Close(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// cell tells what the trail has of a request, as the table has it.
func cell(t *testing.T, audit *eventaudit.Auditor, request string) string {
	t.Helper()
	errorsOf := map[event.Outcome][]string{
		event.OutcomeSuccess: {""}, event.OutcomeDenied: {errDenied.Error()},
		event.OutcomeFailure: {errBusiness.Error(), "panic: out of paper", "context canceled"},
	}
	var parts []string
	transactions := map[string]bool{}
	for _, e := range trail(t, audit, event.Filter{RequestID: request}) {
		if e.Actor != "ann" {
			t.Errorf("%s: actor %q", request, e.Actor)
		}
		if e.Category == event.CategoryModel {
			parts = append(parts, "row")
		} else {
			parts = append(parts, string(e.Outcome))
			if !slices.Contains(errorsOf[e.Outcome], e.Error) || string(e.Payload) != fmt.Sprintf("%q", request) {
				t.Errorf("%s: %+v", request, e)
			}
		}
		if e.TransactionID != "" {
			transactions[e.TransactionID] = true
		}
	}
	if len(transactions) > 1 {
		t.Errorf("%s: transactions %v, want one at most", request, transactions)
	}
	slices.SortFunc(parts, func(a, b string) int {
		return strings.Compare(strings.ReplaceAll(a, "row", "~"), strings.ReplaceAll(b, "row", "~"))
	})
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

// The page has the table of the test.
func TestActionOutcomesAreDocumented(t *testing.T) {
	t.Parallel()
	var table strings.Builder
	fmt.Fprintf(&table, "| transaction | %s |\n|---|%s\n", strings.Join(endings, " | "), strings.Repeat("---|", len(endings)))
	for _, shape := range actionShapes {
		fmt.Fprintf(&table, "| %s | %s |\n", shape.name, strings.Join(shape.want, " | "))
	}
	page, err := os.ReadFile("docs/actions.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), table.String()) {
		t.Errorf("docs/actions.md does not have the table of the test:\n%s", table.String())
	}
}
