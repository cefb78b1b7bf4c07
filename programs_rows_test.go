package eventaudit_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"pgregory.net/rapid"
)

// operation is one thing an app does through GORM. Its error is the app's: a
// duplicate key is as good a case as a success.
type operation struct {
	name string
	draw func(t *rapid.T) act
}

// act is an operation whose choices are made: it does the same on every
// database. Its runs share no memory that GORM writes to.
type act func(db *gorm.DB) result

// survive does it and turns a panic into an error: GORM panics where batches of
// maps meet RETURNING, and an app may recover.
func (do act) survive(db *gorm.DB) (r result) {
	defer func() {
		if reason := recover(); reason != nil {
			r = finished(fmt.Errorf("panic: %v", reason))
		}
	}()
	return do(db)
}

// result is all that an app sees of an operation.
type result struct {
	err      error
	affected int64
	values   []any
}

func did(tx *gorm.DB, values ...any) result {
	return result{err: tx.Error, affected: tx.RowsAffected, values: values}
}

func finished(err error, values ...any) result { return result{err: err, values: values} }

// operations are those of every chapter.
var operations = slices.Concat(creates, upserts, updates, deletes, relations, tiles, oddUpsertOperations)

// Order has hooks that alter it, refuse it and write elsewhere, a unique
// column besides its key, and a soft delete.
type Order struct {
	ID        uint
	Number    string `gorm:"uniqueIndex;size:20"`
	Total     int
	Note      *string
	Version   int
	Lines     []Entry
	UpdatedAt time.Time
	DeletedAt gorm.DeletedAt
}

// Entry is written by the hooks of Order.
type Entry struct {
	ID      uint
	OrderID *uint
	Text    string
}

// page makes the table that operations use without a model.
type page struct {
	ID   uint
	Text *string
}

var errTooMuch = errors.New("too much")

// BeforeCreate alters the order.
func (o *Order) BeforeCreate(*gorm.DB) error {
	o.Version++
	return nil
}

// AfterCreate writes elsewhere, or refuses the order when it is stored already.
func (o *Order) AfterCreate(tx *gorm.DB) error {
	if o.Total == 3 {
		return errTooMuch
	}
	id := o.ID
	return tx.Create(&Entry{OrderID: &id, Text: "created"}).Error
}

// BeforeUpdate alters what is stored.
func (*Order) BeforeUpdate(tx *gorm.DB) error {
	tx.Statement.SetColumn("version", gorm.Expr("version + 1"))
	return nil
}

// AfterUpdate writes elsewhere.
func (o *Order) AfterUpdate(tx *gorm.DB) error {
	return tx.Model(&Entry{}).Where("order_id = ?", o.ID).Update("text", "updated").Error
}

// AfterDelete deletes elsewhere.
func (o *Order) AfterDelete(tx *gorm.DB) error {
	return tx.Where("order_id = ?", o.ID).Delete(&Entry{}).Error
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

// drawOrder draws an order with or without a key.
func drawOrder(t *rapid.T) Order {
	return Order{
		ID: rapid.UintRange(0, 4).Draw(t, "id"), Number: drawSKU.Draw(t, "number"), Total: drawAmount.Draw(t, "total"),
		UpdatedAt: time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC),
	}
}

func drawNewOrder(t *rapid.T) Order {
	o := drawOrder(t)
	o.ID = 0
	return o
}

// one returns an operation on a value of its own.
func one[T any](name string, draw func(t *rapid.T) T, do func(db *gorm.DB, value *T) *gorm.DB) operation {
	return operation{name, func(t *rapid.T) act {
		drawn := draw(t)
		return func(db *gorm.DB) result {
			value := drawn
			return did(do(db, &value), value)
		}
	}}
}

// some returns an operation on one to three values.
func some[T any](name string, draw func(t *rapid.T) T, do func(db *gorm.DB, values *[]T) *gorm.DB) operation {
	return operation{name, func(t *rapid.T) act {
		drawn := rapid.SliceOfN(rapid.Custom(draw), 1, 3).Draw(t, "values")
		return func(db *gorm.DB) result {
			values := slices.Clone(drawn)
			return did(do(db, &values), values)
		}
	}}
}

func drawDocument(t *rapid.T) Document {
	return Document{drawDocID.Draw(t, "id"), drawName.Draw(t, "body")}
}

func create[T any](db *gorm.DB, value *T) *gorm.DB { return db.Create(value) }

func save[T any](db *gorm.DB, value *T) *gorm.DB { return db.Save(value) }

var creates = []operation{
	one("create customer", drawCustomer, create),
	one("create customer with key", func(t *rapid.T) Customer {
		c := drawCustomer(t)
		c.ID = drawID.Draw(t, "id")
		return c
	}, create),
	some("create customers", drawCustomer, create),
	{"create customer pointers", func(t *rapid.T) act {
		a, b := drawCustomer(t), drawCustomer(t)
		return func(db *gorm.DB) result {
			a, b := a, b
			return did(db.Create([]*Customer{&a, &b}), a, b)
		}
	}},
	one("create product", drawProduct, create),
	some("create stocks", drawStock, create),
	some("create in batches", drawStock, func(db *gorm.DB, s *[]Stock) *gorm.DB { return db.CreateInBatches(s, 2) }),
	one("create document", drawDocument, create),
	one("create selected columns", drawNewOrder, func(db *gorm.DB, o *Order) *gorm.DB { return db.Select("Number", "Note").Create(o) }),
	one("create without columns", drawNewOrder, func(db *gorm.DB, o *Order) *gorm.DB { return db.Omit("Total", "UpdatedAt").Create(o) }),
	{"create by map", func(t *rapid.T) act {
		p := drawProduct(t)
		return func(db *gorm.DB) result {
			m := map[string]any{"SKU": p.SKU, "title": p.Title, "price": gorm.Expr("? + 1", p.Price)}
			return did(db.Model(&Product{}).Create(m), m)
		}
	}},
	{"create by map without a key", func(t *rapid.T) act {
		number := drawSKU.Draw(t, "number")
		return func(db *gorm.DB) result {
			m := map[string]any{"number": number, "total": 1}
			return did(db.Model(&Order{}).Create(m), m)
		}
	}},
	{"create by maps", func(t *rapid.T) act {
		a, b := drawSKU.Draw(t, "a"), drawSKU.Draw(t, "b")
		return func(db *gorm.DB) result {
			m := []map[string]any{{"Number": a, "Total": 1}, {"Number": b, "Total": 2}}
			return did(db.Model(&Order{}).Create(&m), m)
		}
	}},
	{"create in a table without a model", func(t *rapid.T) act {
		text := drawName.Draw(t, "text")
		return func(db *gorm.DB) result {
			m := map[string]any{"text": text}
			return did(db.Table("pages").Create(m), m)
		}
	}},
	{"create several in a table without a model", func(t *rapid.T) act {
		a, b, text := drawID.Draw(t, "a"), drawID.Draw(t, "b"), drawName.Draw(t, "text")
		return func(db *gorm.DB) result {
			m := []map[string]any{{"id": a, "text": text}, {"id": b, "text": nil}}
			return did(db.Table("pages").Create(m), m)
		}
	}},
	one("create order", drawOrder, create),
	{"create orders with lines", func(t *rapid.T) act {
		a, b := drawNewOrder(t), drawNewOrder(t)
		return func(db *gorm.DB) result {
			orders := []Order{a, b}
			orders[0].Lines, orders[1].Lines = []Entry{{Text: "x"}}, []Entry{{Text: "y"}}
			return did(db.Create(&orders), orders)
		}
	}},
	{"create through generics", func(t *rapid.T) act {
		o := drawOrder(t)
		return func(db *gorm.DB) result { o := o; return finished(gorm.G[Order](db).Create(contextOf(db), &o), o) }
	}},
	one("create and return", drawProduct, func(db *gorm.DB, p *Product) *gorm.DB { return db.Clauses(clause.Returning{}).Create(p) }),
	{"first or create", func(t *rapid.T) act {
		p := drawProduct(t)
		return func(db *gorm.DB) result {
			var found Product
			return did(db.Where(Product{SKU: p.SKU}).Attrs(Product{Title: p.Title}).FirstOrCreate(&found), found)
		}
	}},
	{"first or create and assign", func(t *rapid.T) act {
		o := drawOrder(t)
		return func(db *gorm.DB) result {
			var found Order
			return did(db.Where(Order{Number: o.Number}).Assign(map[string]any{"total": o.Total}).FirstOrCreate(&found), found)
		}
	}},
	{"first or init and save", func(t *rapid.T) act {
		p := drawProduct(t)
		return func(db *gorm.DB) result {
			var found Product
			if err := db.Where(Product{SKU: p.SKU}).Assign(Product{Title: p.Title}).FirstOrInit(&found).Error; err != nil {
				return finished(err)
			}
			return did(db.Save(&found), found)
		}
	}},
}

// contextOf returns the context of a session, for calls that want it once more.
func contextOf(db *gorm.DB) context.Context { return db.Statement.Context }

// on returns what creates a value or updates what is in its way.
func on[T any](conflict clause.OnConflict) func(db *gorm.DB, value *T) *gorm.DB {
	return func(db *gorm.DB, value *T) *gorm.DB { return db.Clauses(conflict).Create(value) }
}

var (
	nothing    = clause.OnConflict{DoNothing: true}
	everything = clause.OnConflict{UpdateAll: true}
	byNumber   = clause.OnConflict{
		Columns: []clause.Column{{Name: "number"}}, DoUpdates: clause.AssignmentColumns([]string{"total"}),
	}
)

var upserts = []operation{
	some("upsert or nothing", drawStock, on[[]Stock](nothing)),
	some("upsert orders or nothing", drawOrder, on[[]Order](nothing)),
	one("upsert one or nothing", drawProduct, on[Product](clause.OnConflict{
		Columns: []clause.Column{{Name: "sku"}}, DoNothing: true,
	})),
	some("upsert everything", drawStock, on[[]Stock](everything)),
	one("upsert everything of an order", drawOrder, on[Order](everything)),
	one("upsert by key", drawProduct, on[Product](clause.OnConflict{
		Columns: []clause.Column{{Name: "sku"}}, DoUpdates: clause.AssignmentColumns([]string{"title", "price"}),
	})),
	one("upsert by a unique column", drawNewOrder, on[Order](byNumber)),
	some("upsert several by a unique column", drawNewOrder, on[[]Order](byNumber)),
	one("upsert with an expression", drawStock, on[Stock](clause.OnConflict{
		Columns:   []clause.Column{{Name: "sku"}, {Name: "warehouse"}},
		DoUpdates: clause.Assignments(map[string]any{"amount": gorm.Expr("stocks.amount + ?", 1)}),
	})),
	{"save customer", func(t *rapid.T) act {
		name, which := drawName.Draw(t, "name"), rapid.IntRange(0, 2).Draw(t, "which")
		return func(db *gorm.DB) result {
			var c Customer
			if err := db.Order("id").Offset(which).Limit(1).Find(&c).Error; err != nil {
				return finished(err)
			}
			c.Name = name
			return did(db.Save(&c), c)
		}
	}},
	one("save stock, known or not", drawStock, save),
	one("save order, known or not", drawOrder, save),
	some("save documents", drawDocument, save),
}
