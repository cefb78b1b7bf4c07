package eventaudit_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/actions"
	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

// A write that needs a reason is refused without one, whatever its kind, and
// leaves a transaction as it was.
func TestRequireReason(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db := prepare(t, d)
		must(t, db.Create(&[]Product{{SKU: "a", Price: 1}, {SKU: "b", Price: 1}}))
		db, audit := use(t, db, eventaudit.RequireReason("Product", "stocks"))
		blank := event.WithReason(t.Context(), " \t")
		for _, x := range []struct {
			name  string
			write func(*gorm.DB) error
		}{
			{"create", func(tx *gorm.DB) error { return tx.Create(&Product{SKU: "c"}).Error }},
			{"upsert", func(tx *gorm.DB) error { return tx.Save(&Product{SKU: "a", Price: 2, State: "x"}).Error }},
			{"update", func(tx *gorm.DB) error { return tx.Model(&Product{SKU: "a"}).Update("price", 2).Error }},
			{"bulk", func(tx *gorm.DB) error { return tx.Model(&Product{}).Where("1 = 1").Update("price", 2).Error }},
			{"delete", func(tx *gorm.DB) error { return tx.Delete(&Product{SKU: "a"}).Error }},
			{"table", func(tx *gorm.DB) error { return tx.Create(&Stock{SKU: "a"}).Error }},
			// The table is known to be that of Product from here on.
			{"raw", func(tx *gorm.DB) error { return tx.Exec("UPDATE products SET price = 2").Error }},
		} {
			name, write := x.name, x.write
			err := db.Transaction(func(tx *gorm.DB) error {
				if err := write(tx.WithContext(blank)); !errors.Is(err, event.ErrReasonRequired) || !errors.Is(err, event.ErrInvalid) {
					t.Errorf("%s: err = %v", name, err)
				}
				return tx.Create(&Document{ID: name}).Error // needs none
			})
			if err != nil {
				t.Errorf("%s: the transaction did not go on: %v", name, err)
			}
			if err := write(db); !errors.Is(err, event.ErrReasonRequired) {
				t.Errorf("%s without a transaction: %v", name, err)
			}
		}
		if n := len(trail(t, audit, event.Filter{ActionObject: "Product"})); n != 0 {
			t.Errorf("%d events of writes that were refused", n)
		}
		var sum int64
		if err := db.Model(&Product{}).Select("sum(price)").Scan(&sum).Error; err != nil || sum != 2 {
			t.Errorf("prices add up to %d (%v), want 2", sum, err)
		}
		given := db.WithContext(event.WithReason(t.Context(), "price list of May"))
		must(t, given.Model(&Product{SKU: "a"}).Update("price", 2))
		must(t, given.Create(&Stock{SKU: "a"}))
		if n := len(trail(t, audit, event.Filter{Reason: "price list of May"})); n != 2 {
			t.Errorf("%d events with the reason, want 2", n)
		}
		must(t, db.Session(&gorm.Session{DryRun: true}).Create(&Product{SKU: "dry"}))
		must(t, db.WithContext(event.WithoutAudit(t.Context())).Create(&Product{SKU: "unaudited"}))
	})
}

// An action that needs a reason does not run without one; the attempt is in the
// trail.
func TestRequireReasonForActions(t *testing.T) {
	t.Parallel()
	_, audit := install(t, testdb.New(t, testdb.SQLitePure), eventaudit.RequireReason("payroll_close"))
	runs := 0
	closing := actions.WrapErr(audit, "payroll_close", func(context.Context, string) error {
		runs++
		return errBusiness
	})
	if err := closing(t.Context(), "May"); !errors.Is(err, event.ErrReasonRequired) || runs != 0 {
		t.Errorf("err = %v after %d runs", err, runs)
	}
	ctx := event.WithReason(t.Context(), "end of the month")
	if err := closing(ctx, "May"); !errors.Is(err, errBusiness) || runs != 1 {
		t.Errorf("with a reason: %v after %d runs", err, runs)
	}
	custom := event.Event{Category: "custom", Action: "payroll_close"}
	if err := audit.Record(t.Context(), custom); !errors.Is(err, event.ErrReasonRequired) {
		t.Errorf("Record: %v", err)
	}
	if err := audit.Record(ctx, custom); err != nil {
		t.Errorf("Record with a reason: %v", err)
	}
	var got []string
	for _, e := range trail(t, audit, event.Filter{Action: "payroll_close"}) {
		got = append(got, e.Category+" "+string(e.Outcome)+" "+string(e.Payload)+" "+e.Reason)
	}
	want := []string{`api denied "May" `, `api failure "May" end of the month`, "custom success  end of the month"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRequireReasonSettings(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]eventaudit.Option{
		"ignored model":  func(c *eventaudit.Config) { c.Ignore.Models = []string{"Payroll"} },
		"ignored action": func(c *eventaudit.Config) { c.Ignore.Actions = []string{"Payroll"} },
		"spaces":         eventaudit.RequireReason(" Payroll"),
	} {
		db := prepare(t, testdb.New(t, testdb.SQLitePure))
		err := db.Use(eventaudit.Plugin(eventaudit.RequireReason("Payroll"), edit))
		var broken *event.FieldError
		if !errors.As(err, &broken) || broken.Field != "require_reason" {
			t.Errorf("%s: %v", name, err)
		}
	}
	var log bytes.Buffer
	_, audit := install(t, testdb.New(t, testdb.SQLitePure), eventaudit.RequireReason("Pyaroll"),
		eventaudit.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	if err := audit.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "Pyaroll") {
		t.Errorf("nothing warns of a name that was never seen: %s", log.String())
	}
}
