package eventaudit_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"gorm.io/driver/mysql"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"pgregory.net/rapid"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/hooks"
	"github.com/eventaudit/eventaudit/internal/oracle"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/repository"
)

// operation is one thing an app does through GORM. Its error is the app's:
// a duplicate key is as good a case as a success.
type operation struct {
	name string
	run  func(t *rapid.T, db *gorm.DB) error
}

var (
	drawName   = rapid.SampledFrom([]string{"Ann", "Bob", `O"Hara \`, "", "Zoë 🙂", "line\nbreak"})
	drawSKU    = rapid.SampledFrom([]string{"a", "b", "c,d", `"e"`})
	drawID     = rapid.UintRange(1, 6)
	drawDocID  = rapid.SampledFrom([]string{"0192f0c0-0000-7000-8000-000000000001", "0192f0c0-0000-7000-8000-000000000002"})
	drawAmount = rapid.IntRange(0, 3)
)

func drawCustomer(t *rapid.T) Customer {
	c := Customer{
		Name:    drawName.Draw(t, "name"),
		Tier:    Tier(rapid.IntRange(0, 2).Draw(t, "tier")),
		Tags:    rapid.SliceOfN(drawName, 0, 2).Draw(t, "tags"),
		Address: Address{Street: drawName.Draw(t, "street"), City: "Oslo"},
		Balance: float64(drawAmount.Draw(t, "balance")) / 3,
		Vip:     rapid.Bool().Draw(t, "vip"),
		Avatar:  rapid.OneOf(rapid.Just[[]byte](nil), rapid.SliceOfN(rapid.Byte(), 0, 3)).Draw(t, "avatar"),
	}
	if rapid.Bool().Draw(t, "has email") {
		email := drawName.Draw(t, "email")
		c.Email = &email
	}
	if rapid.Bool().Draw(t, "was seen") {
		seen := time.Date(2024, 2, 29, 12, 0, 0, rapid.IntRange(0, 999_999_999).Draw(t, "ns"), time.FixedZone("", 7200))
		c.SeenAt = &seen
	}
	return c
}

func drawProduct(t *rapid.T) Product {
	return Product{SKU: drawSKU.Draw(t, "sku"), Title: drawName.Draw(t, "title"), Price: int64(drawAmount.Draw(t, "price"))}
}

func drawStock(t *rapid.T) Stock {
	return Stock{SKU: drawSKU.Draw(t, "sku"), Warehouse: rapid.IntRange(0, 2).Draw(t, "warehouse"), Amount: drawAmount.Draw(t, "amount")}
}

var operations = []operation{
	{"create customer", func(t *rapid.T, db *gorm.DB) error {
		c := drawCustomer(t)
		return db.Create(&c).Error
	}},
	{"create customer with key", func(t *rapid.T, db *gorm.DB) error {
		c := drawCustomer(t)
		c.ID = drawID.Draw(t, "id")
		return db.Create(&c).Error
	}},
	{"create customers", func(t *rapid.T, db *gorm.DB) error {
		cs := []Customer{drawCustomer(t), drawCustomer(t), drawCustomer(t)}
		return db.Create(&cs).Error
	}},
	{"create customer pointers", func(t *rapid.T, db *gorm.DB) error {
		a, b := drawCustomer(t), drawCustomer(t)
		return db.Create([]*Customer{&a, &b}).Error
	}},
	{"create product", func(t *rapid.T, db *gorm.DB) error {
		p := drawProduct(t)
		return db.Create(&p).Error
	}},
	{"create stocks", func(t *rapid.T, db *gorm.DB) error {
		s := []Stock{drawStock(t), drawStock(t)}
		return db.Create(&s).Error
	}},
	{"create document", func(t *rapid.T, db *gorm.DB) error {
		return db.Create(&Document{ID: drawDocID.Draw(t, "id"), Body: drawName.Draw(t, "body")}).Error
	}},
	{"update one column", func(t *rapid.T, db *gorm.DB) error {
		return db.Model(&Customer{ID: drawID.Draw(t, "id")}).Update("name", drawName.Draw(t, "name")).Error
	}},
	{"update by struct", func(t *rapid.T, db *gorm.DB) error {
		return db.Model(&Customer{ID: drawID.Draw(t, "id")}).Updates(drawCustomer(t)).Error
	}},
	{"update by map with expression", func(t *rapid.T, db *gorm.DB) error {
		return db.Model(&Product{SKU: drawSKU.Draw(t, "sku")}).
			Updates(map[string]any{"price": gorm.Expr("price + ?", drawAmount.Draw(t, "more")), "title": drawName.Draw(t, "title")}).Error
	}},
	{"update by condition on the changed column", func(t *rapid.T, db *gorm.DB) error {
		return db.Model(&Stock{}).Where("amount > ?", drawAmount.Draw(t, "more than")).Update("amount", 0).Error
	}},
	{"update part of a composite key's rows", func(t *rapid.T, db *gorm.DB) error {
		return db.Model(&Stock{}).Where("sku = ?", drawSKU.Draw(t, "sku")).UpdateColumn("amount", gorm.Expr("amount + 1")).Error
	}},
	{"update the key", func(t *rapid.T, db *gorm.DB) error {
		return db.Model(&Product{}).Where("sku = ?", drawSKU.Draw(t, "from")).Update("sku", drawSKU.Draw(t, "to")).Error
	}},
	{"save customer", func(t *rapid.T, db *gorm.DB) error {
		c := drawCustomer(t)
		if err := db.Order("id").Offset(rapid.IntRange(0, 2).Draw(t, "which")).Limit(1).Find(&c).Error; err != nil {
			return err
		}
		c.Name = drawName.Draw(t, "name")
		return db.Save(&c).Error
	}},
	{"save stock, known or not", func(t *rapid.T, db *gorm.DB) error {
		s := drawStock(t)
		return db.Save(&s).Error
	}},
	{"save documents", func(t *rapid.T, db *gorm.DB) error {
		d := []Document{{drawDocID.Draw(t, "id"), drawName.Draw(t, "body")}}
		return db.Save(&d).Error
	}},
	{"soft delete", func(t *rapid.T, db *gorm.DB) error {
		return db.Delete(&Customer{ID: drawID.Draw(t, "id")}).Error
	}},
	{"restore", func(t *rapid.T, db *gorm.DB) error {
		return db.Unscoped().Model(&Customer{ID: drawID.Draw(t, "id")}).Update("deleted_at", nil).Error
	}},
	{"delete for good", func(t *rapid.T, db *gorm.DB) error {
		return db.Unscoped().Delete(&Customer{}, drawID.Draw(t, "id")).Error
	}},
	{"delete by composite key", func(t *rapid.T, db *gorm.DB) error {
		s := drawStock(t)
		return db.Delete(&s).Error
	}},
	{"delete by condition", func(t *rapid.T, db *gorm.DB) error {
		return db.Where("price < ?", drawAmount.Draw(t, "price")).Delete(&Product{}).Error
	}},
	{"delete slice", func(t *rapid.T, db *gorm.DB) error {
		return db.Delete([]Document{{ID: drawDocID.Draw(t, "a")}, {ID: drawDocID.Draw(t, "b")}}).Error
	}},
}

// errUndo makes a transaction of the test roll back.
var errUndo = errors.New("undo")

// program runs a random program in one of the shapes that apps use.
func program(t *rapid.T, db *gorm.DB, ran map[string]int) {
	some := func(tx *gorm.DB) (failed error) {
		for range rapid.IntRange(1, 4).Draw(t, "operations") {
			o := rapid.SampledFrom(operations).Draw(t, "operation")
			err := o.run(t, tx)
			if errors.Is(err, hooks.ErrCapture) || errors.Is(err, hooks.ErrBypassed) {
				t.Fatalf("%s: %v", o.name, err)
			}
			if err == nil {
				ran[o.name]++
			} else if failed == nil {
				failed = err
			}
		}
		return failed
	}
	undone := func() error {
		if rapid.Bool().Draw(t, "rolled back") {
			return errUndo
		}
		return nil
	}
	ended := func(err error) {
		// Errors of the app's statements are part of the game; what they left
		// behind is checked afterwards.
		t.Logf("transaction ended with %v", err)
	}
	switch rapid.SampledFrom([]string{"plain", "transaction", "begin", "nested", "prepared", "skip default"}).Draw(t, "shape") {
	case "plain":
		ended(some(db))
	case "skip default":
		ended(some(db.Session(&gorm.Session{SkipDefaultTransaction: true})))
	case "prepared":
		ended(some(db.Session(&gorm.Session{PrepareStmt: true})))
	case "transaction":
		ended(db.Transaction(func(tx *gorm.DB) error { return errors.Join(some(tx), undone()) }))
	case "begin":
		tx := db.Begin()
		if errors.Join(some(tx), undone()) != nil {
			ended(tx.Rollback().Error)
		} else {
			ended(tx.Commit().Error)
		}
	case "nested":
		ended(db.Transaction(func(tx *gorm.DB) error {
			if err := some(tx); err != nil {
				return err
			}
			ended(tx.Transaction(func(tx *gorm.DB) error { return errors.Join(some(tx), undone()) }))
			return errors.Join(some(tx), undone())
		}))
	}
}

// The strongest test there is: whatever an app does, replaying the trail from
// empty gives exactly the tables.
func TestReplayOfRandomPrograms(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d)
		replayRandomPrograms(t, db, audit)
	})
}

// MariaDB that must not use RETURNING is as MySQL is.
func TestReplayOfRandomProgramsWithoutReturning(t *testing.T) {
	t.Parallel()
	d := testdb.New(t, testdb.MariaDB)
	prepare(t, d)
	db, err := gorm.Open(mysql.New(mysql.Config{DSN: d.DSN(), DisableWithReturning: true}), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		pool, err := db.DB()
		if err := errors.Join(err, pool.Close()); err != nil {
			t.Error(err)
		}
	})
	db, audit := use(t, db)
	replayRandomPrograms(t, db, audit)
}

func replayRandomPrograms(t *testing.T, db *gorm.DB, audit *eventaudit.Auditor) {
	t.Helper()
	db = db.WithContext(event.WithActor(context.Background(), "ann"))
	ran := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		empty(rt, db, audit.Repository())
		for range rapid.IntRange(1, 6).Draw(rt, "programs") {
			program(rt, db, ran)
		}
		oracle.Check(rt, db, audit.Repository(), modelTables...)
	})
	for _, o := range operations {
		if ran[o.name] == 0 {
			t.Errorf("%q never succeeded, so it was not tested", o.name)
		}
	}
	t.Logf("operations that succeeded: %v", ran)
}

// empty removes all rows and events, behind the back of the trail.
func empty(t *rapid.T, db *gorm.DB, r repository.Repository) {
	for _, table := range modelTables {
		if err := db.Exec(fmt.Sprintf("DELETE FROM %s", table.Name)).Error; err != nil {
			t.Fatal(err)
		}
	}
	if err := repository.RemoveAll(context.Background(), r); err != nil {
		t.Fatal(err)
	}
}
