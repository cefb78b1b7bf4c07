package hooks_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/hooks"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

type item struct{ ID uint }

// recorded is a recorder that keeps what it gets.
type recorded []event.Event

func (r *recorded) Record(_ context.Context, events ...event.Event) error {
	*r = append(*r, events...)
	return nil
}

// register opens a database with one table of items and installs the hooks.
func register(t *testing.T, recorder event.Recorder, opts hooks.Options) *gorm.DB {
	t.Helper()
	db := testdb.New(t, testdb.SQLitePure).Open(t)
	if err := db.AutoMigrate(&item{}); err != nil {
		t.Fatal(err)
	}
	if err := hooks.Register(db, recorder, &opts); err != nil {
		t.Fatal(err)
	}
	return db
}

func TestUnknownPolicyForRawSQL(t *testing.T) {
	t.Parallel()
	db := testdb.New(t, testdb.SQLitePure).Open(t)
	err := hooks.Register(db, &recorded{}, &hooks.Options{OnBypass: "shout"})
	var broken *event.FieldError
	if !errors.As(err, &broken) || broken.Field != "OnBypass" || broken.Value != "shout" {
		t.Errorf("err = %v, want a *event.FieldError about OnBypass", err)
	}
}

func TestRawSQLIsWarnedOfByDefault(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	db := register(t, &recorded{}, hooks.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err := db.Exec("DELETE FROM items").Error; err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "verb=DELETE tables=items") {
		t.Errorf("log: %s", &log)
	}
}

// Whoever waits for committed events hears of those about raw SQL too, unless
// they are not committed yet.
func TestCommittedAfterRawSQL(t *testing.T) {
	t.Parallel()
	var events recorded
	committed := 0
	db := register(t, &events, hooks.Options{OnBypass: hooks.BypassRecord, Committed: func() { committed++ }})
	if err := db.Exec("INSERT INTO items (id) VALUES (1)").Error; err != nil {
		t.Fatal(err)
	}
	if len(events) != 1 || committed != 1 {
		t.Errorf("%d events, told of %d commits, want 1 and 1", len(events), committed)
	}
	err := db.Transaction(func(tx *gorm.DB) error {
		if err := tx.Exec("INSERT INTO items (id) VALUES (2)").Error; err != nil {
			return err
		}
		if err := tx.Exec("INSERT INTO items (id) VALUES (2)").Error; err == nil {
			t.Error("a duplicate key passed")
		}
		return nil
	})
	if err != nil || len(events) != 2 || committed != 1 {
		t.Errorf("err = %v; %d events, told of %d commits, want 2 and 1", err, len(events), committed)
	}
}

// A recorder that panics leaves no connection in use.
func TestAPanicGivesTheConnectionBack(t *testing.T) {
	t.Parallel()
	db := register(t, panicking{}, hooks.Options{OnBypass: hooks.BypassRecord})
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		db.Exec("INSERT INTO items (id) VALUES (1)")
	}()
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	var n int64
	if err := db.Model(&item{}).Count(&n).Error; err != nil || n != 0 || pool.Stats().InUse != 0 {
		t.Errorf("err = %v; %d rows, %d connections in use, want none", err, n, pool.Stats().InUse)
	}
}

type panicking struct{}

func (panicking) Record(context.Context, ...event.Event) error { panic("recorder") }

// SQLite does not return the rows of its virtual tables, so that what GORM
// writes to them is like raw SQL.
func TestVirtualTablesAreLikeRawSQL(t *testing.T) {
	t.Parallel()
	for _, policy := range []hooks.Bypass{hooks.BypassIgnore, hooks.BypassWarn, hooks.BypassRecord, hooks.BypassRefuse} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			var trail recorded
			db := register(t, &trail, hooks.Options{OnBypass: policy, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			if err := db.WithContext(event.WithoutAudit(t.Context())).Exec("CREATE VIRTUAL TABLE places USING rtree(id, west, east)").Error; err != nil {
				t.Fatal(err)
			}
			places := func() *gorm.DB { return db.Table("places") }
			steps := []*gorm.DB{
				places().Create([]map[string]any{{"west": 1, "east": 2}, {"west": 3, "east": 4}}),
				places().Where("west = 1").Update("east", 9),
				places().Where("west = 3").Delete(nil),
				places().Where("west = 77").Delete(nil),
			}
			rows := []int64{2, 1, 1, 0}
			for i, step := range steps {
				switch {
				case policy == hooks.BypassRefuse && !errors.Is(step.Error, hooks.ErrRefused):
					t.Errorf("step %d: err = %v, want ErrRefused", i, step.Error)
				case policy != hooks.BypassRefuse && (step.Error != nil || step.RowsAffected != rows[i]):
					t.Errorf("step %d: %d rows, err = %v, want %d rows", i, step.RowsAffected, step.Error, rows[i])
				}
			}
			var left []int
			if err := places().Pluck("east", &left).Error; err != nil {
				t.Fatal(err)
			}
			if want := map[bool]int{true: 0, false: 1}[policy == hooks.BypassRefuse]; len(left) != want || want == 1 && left[0] != 9 {
				t.Errorf("east = %v, want %d row", left, want)
			}
			if warned := strings.Contains(log.String(), "a virtual table"); warned != (policy == hooks.BypassWarn) {
				t.Errorf("log: %s", &log)
			}
			var payloads []string
			for _, e := range trail {
				payloads = append(payloads, e.Action+string(e.Payload))
			}
			want := ""
			if policy == hooks.BypassRecord {
				want = `bypassed{"verb":"INSERT","tables":["places"],"rows_affected":2} ` +
					`bypassed{"verb":"UPDATE","tables":["places"],"rows_affected":1} ` +
					`bypassed{"verb":"DELETE","tables":["places"],"rows_affected":1}`
			}
			if got := strings.Join(payloads, " "); got != want {
				t.Errorf("events: %s, want %s", got, want)
			}
		})
	}
}
