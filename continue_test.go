package eventaudit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/hooks"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/repository/sqlrepo"
)

// refusePoison has the database refuse events whose result says poison.
func refusePoison(t *testing.T, db *gorm.DB) {
	t.Helper()
	statement := "ALTER TABLE " + sqlrepo.Table + " ADD CONSTRAINT harmless CHECK (CAST(result AS text) NOT LIKE '%poison%')"
	switch db.Name() {
	case "mysql":
		statement = strings.ReplaceAll(statement, "AS text", "AS char")
	case "sqlite":
		statement = "CREATE TRIGGER harmless BEFORE INSERT ON " + sqlrepo.Table +
			" WHEN NEW.result LIKE '%poison%' BEGIN SELECT RAISE(ABORT, 'harmless'); END"
	}
	must(t, db.Exec(statement))
}

// Under ContinueOnError the events of a statement are stored all or not at
// all, and the lost ones are counted, logged and passed on by their ids. What
// else the transaction does is not touched by that.
func TestEveryLossIsCountedAndLogged(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		var log bytes.Buffer
		var reported []error
		db, audit := install(t, d,
			eventaudit.WithLogger(slog.New(slog.NewJSONHandler(&log, nil))),
			eventaudit.WithOnError(func(err error) { reported = append(reported, err) }),
			eventaudit.WithSkip(func(_ context.Context, e event.Event) bool { return e.ActionObjectID == "p007" }),
			func(c *eventaudit.Config) { c.OnAuditError = eventaudit.ContinueOnError })
		refusePoison(t, db)
		const rows = 230
		products := make([]Product, rows)
		for i := range products {
			products[i] = Product{SKU: fmt.Sprintf("p%03d", i)}
		}
		products[rows-1].Title = "poison"
		for _, shape := range []struct {
			name string
			run  func(do func(tx *gorm.DB) error) error
		}{
			{"in a transaction", func(do func(tx *gorm.DB) error) error { return db.Transaction(do) }},
			{"by itself", func(do func(tx *gorm.DB) error) error { return do(db) }},
			{"on a connection", func(do func(tx *gorm.DB) error) error {
				return db.Connection(func(tx *gorm.DB) error { return do(tx.Session(&gorm.Session{SkipDefaultTransaction: true})) })
			}},
		} {
			must(t, db.Session(&gorm.Session{AllowGlobalUpdate: true, Context: event.WithoutAudit(t.Context())}).Delete(&Product{}))
			log.Reset()
			reported = nil
			lost, seen := numbers(t, audit).Lost, len(trail(t, audit, event.Filter{}))
			err := shape.run(func(tx *gorm.DB) error {
				return errors.Join(
					tx.Create(&Document{ID: shape.name, Body: "before"}).Error,
					tx.Create(&products).Error,
					tx.Create(&Stock{SKU: shape.name, Warehouse: 1}).Error)
			})
			if err != nil {
				t.Errorf("%s: %v", shape.name, err)
			}
			if n := count(t, db, "products"); n != rows {
				t.Errorf("%s: %d products", shape.name, n)
			}
			if n := len(trail(t, audit, event.Filter{})) - seen; n != 2 {
				t.Errorf("%s: %d events, want those of the document and the stock", shape.name, n)
			}
			if n := numbers(t, audit).Lost - lost; n != rows-1 {
				t.Errorf("%s: %d events counted as lost, want %d", shape.name, n, rows-1)
			}
			var loss *eventaudit.LostError
			if len(reported) != 1 || !errors.As(reported[0], &loss) || !errors.Is(reported[0], hooks.ErrCapture) || len(loss.EventIDs) != rows-1 {
				t.Fatalf("%s: reported %d times: %.300v", shape.name, len(reported), reported)
			}
			for _, id := range loss.EventIDs {
				if !strings.Contains(log.String(), id) {
					t.Errorf("%s: the log does not name %s", shape.name, id)
				}
			}
			if strings.Contains(log.String()+reported[0].Error(), "poison") {
				t.Errorf("%s: the log has the payload: %s", shape.name, log.String())
			}
		}
	})
}
