package eventaudit_test

import (
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"pgregory.net/rapid"
)

// aside returns a session for a subquery.
func aside(db *gorm.DB) *gorm.DB { return db.Session(&gorm.Session{NewDB: true}) }

// by returns an operation that needs one drawn value and shows the app no
// other.
func by[T any](name string, g *rapid.Generator[T], do func(db *gorm.DB, value T) *gorm.DB) operation {
	return operation{name, func(t *rapid.T) act {
		value := g.Draw(t, "value")
		return func(db *gorm.DB) result { return did(do(db, value)) }
	}}
}

// orderUpdate returns an operation on the model of an order, which GORM
// writes to.
func orderUpdate(name string, do func(db *gorm.DB, o Order) *gorm.DB) operation {
	return operation{name, func(t *rapid.T) act {
		o, id := drawOrder(t), drawID.Draw(t, "order")
		return func(db *gorm.DB) result {
			model := Order{ID: id}
			return did(do(db.Model(&model), o), model)
		}
	}}
}

var updates = []operation{
	{"update one column", func(t *rapid.T) act {
		id, name := drawID.Draw(t, "id"), drawName.Draw(t, "name")
		return func(db *gorm.DB) result {
			c := Customer{ID: id}
			return did(db.Model(&c).Update("name", name), c)
		}
	}},
	{"update by struct", func(t *rapid.T) act {
		id, c := drawID.Draw(t, "id"), drawCustomer(t)
		return func(db *gorm.DB) result {
			model := Customer{ID: id}
			return did(db.Model(&model).Updates(c), model)
		}
	}},
	{"update by map with expression", func(t *rapid.T) act {
		p, more := drawProduct(t), drawAmount.Draw(t, "more")
		return func(db *gorm.DB) result {
			model := Product{SKU: p.SKU}
			return did(db.Model(&model).Updates(map[string]any{"price": gorm.Expr("price + ?", more), "title": p.Title}), model)
		}
	}},
	by("update by condition on the changed column", drawAmount, func(db *gorm.DB, least int) *gorm.DB {
		return db.Model(&Stock{}).Where("amount > ?", least).Update("amount", 0)
	}),
	by("update part of a composite key's rows", drawSKU, func(db *gorm.DB, sku string) *gorm.DB {
		return db.Model(&Stock{}).Where("sku = ?", sku).UpdateColumn("amount", gorm.Expr("amount + 1"))
	}),
	{"update the key", func(t *rapid.T) act {
		from, to := drawSKU.Draw(t, "from"), drawSKU.Draw(t, "to")
		return func(db *gorm.DB) result { return did(db.Model(&Product{}).Where("sku = ?", from).Update("sku", to)) }
	}},
	{"update part of the key", func(t *rapid.T) act {
		from, to := rapid.IntRange(0, 2).Draw(t, "from"), rapid.IntRange(0, 2).Draw(t, "to")
		return func(db *gorm.DB) result {
			return did(db.Model(&Stock{}).Where("warehouse = ?", from).Update("warehouse", to))
		}
	}},
	by("update the key by expression", drawID, func(db *gorm.DB, id uint) *gorm.DB {
		return db.Model(&Entry{}).Where("id = ?", id).Update("id", gorm.Expr("id + 10"))
	}),
	orderUpdate("update order", func(db *gorm.DB, o Order) *gorm.DB { return db.Updates(Order{Number: o.Number, Total: o.Total}) }),
	orderUpdate("update columns by struct", func(db *gorm.DB, o Order) *gorm.DB {
		return db.UpdateColumns(Order{Number: o.Number, Total: o.Total})
	}),
	orderUpdate("update selected columns", func(db *gorm.DB, o Order) *gorm.DB { return db.Select("Total", "Note").Updates(o) }),
	orderUpdate("update all columns but some", func(db *gorm.DB, o Order) *gorm.DB {
		return db.Select("*").Omit("ID", "Number", "DeletedAt").Updates(o)
	}),
	orderUpdate("update and return a column", func(db *gorm.DB, _ Order) *gorm.DB {
		return db.Clauses(clause.Returning{Columns: []clause.Column{{Name: "total"}}}).Update("total", gorm.Expr("total + 1"))
	}),
	by("update orders by condition", drawAmount, func(db *gorm.DB, total int) *gorm.DB {
		return db.Model(&Order{}).Where("total < ?", total).Updates(map[string]any{"note": "low", "total": gorm.Expr("total + 1")})
	}),
	by("update to a subquery", drawSKU, func(db *gorm.DB, sku string) *gorm.DB {
		count := aside(db).Model(&Stock{}).Select("COUNT(*)").Where("stocks.sku = products.sku")
		return db.Model(&Product{}).Where("sku <> ?", sku).Update("price", count)
	}),
	by("update where a subquery finds", drawAmount, func(db *gorm.DB, price int) *gorm.DB {
		cheap := aside(db).Model(&Product{}).Select("sku").Where("price <= ?", price)
		return db.Model(&Stock{}).Where("sku IN (?)", cheap).Update("amount", gorm.Expr("1 - amount"))
	}),
	by("update everything", drawName, func(db *gorm.DB, title string) *gorm.DB { return db.Model(&Product{}).Update("title", title) }),
	{"update and return", func(t *rapid.T) act {
		sku, title := drawSKU.Draw(t, "sku"), drawName.Draw(t, "title")
		return func(db *gorm.DB) result {
			p := []Product{}
			return did(db.Model(&p).Clauses(clause.Returning{}).Where("sku = ?", sku).Update("title", title), p)
		}
	}},
	{"update through generics", func(t *rapid.T) act {
		p := drawProduct(t)
		return func(db *gorm.DB) result {
			rows, err := gorm.G[Product](db).Where("sku = ?", p.SKU).Updates(contextOf(db), p)
			return finished(err, rows)
		}
	}},
	{"update one column through generics", func(t *rapid.T) act {
		sku, title := drawSKU.Draw(t, "sku"), drawName.Draw(t, "title")
		return func(db *gorm.DB) result {
			rows, err := gorm.G[Product](db).Where("sku = ?", sku).Update(contextOf(db), "title", title)
			return finished(err, rows)
		}
	}},
	by("update a table without a model", drawID, func(db *gorm.DB, id uint) *gorm.DB {
		return db.Table("pages").Where("id > ?", id).Updates(map[string]any{"text": "x", "id": gorm.Expr("id + 5")})
	}),
	by("update in order up to a limit", drawAmount, func(db *gorm.DB, limit int) *gorm.DB {
		return db.Model(&Stock{}).Where("amount >= 0").Order("sku, warehouse").Limit(limit).Update("amount", gorm.Expr("amount + 1"))
	}),
	by("restore", drawID, func(db *gorm.DB, id uint) *gorm.DB {
		return db.Unscoped().Model(&Customer{ID: id}).Update("deleted_at", nil)
	}),
	by("restore by condition", drawAmount, func(db *gorm.DB, total int) *gorm.DB {
		return db.Unscoped().Model(&Order{}).Where("total = ? AND deleted_at IS NOT NULL", total).Update("deleted_at", nil)
	}),
}

var deletes = []operation{
	one("soft delete", func(t *rapid.T) Customer { return Customer{ID: drawID.Draw(t, "id")} },
		func(db *gorm.DB, c *Customer) *gorm.DB { return db.Delete(c) }),
	one("soft delete order", func(t *rapid.T) Order { return Order{ID: drawID.Draw(t, "id")} },
		func(db *gorm.DB, o *Order) *gorm.DB { return db.Delete(o) }),
	{"soft delete by condition and return", func(t *rapid.T) act {
		number := drawSKU.Draw(t, "number")
		return func(db *gorm.DB) result {
			o := []Order{}
			return did(db.Clauses(clause.Returning{}).Where("number = ?", number).Delete(&o), o)
		}
	}},
	by("delete for good", drawID, func(db *gorm.DB, id uint) *gorm.DB { return db.Unscoped().Delete(&Customer{}, id) }),
	by("delete order for good", drawID, func(db *gorm.DB, id uint) *gorm.DB { return db.Unscoped().Delete(&Order{ID: id}) }),
	by("delete by keys", rapid.SliceOfN(drawID, 1, 3), func(db *gorm.DB, ids []uint) *gorm.DB { return db.Delete(&Entry{}, ids) }),
	one("delete by composite key", drawStock, func(db *gorm.DB, s *Stock) *gorm.DB { return db.Delete(s) }),
	by("delete by condition", drawAmount, func(db *gorm.DB, price int) *gorm.DB { return db.Where("price < ?", price).Delete(&Product{}) }),
	by("delete where no subquery finds", drawAmount, func(db *gorm.DB, price int) *gorm.DB {
		known := aside(db).Model(&Product{}).Select("sku").Where("price >= ?", price)
		return db.Where("sku NOT IN (?)", known).Delete(&Stock{})
	}),
	some("delete slice", drawDocument, func(db *gorm.DB, d *[]Document) *gorm.DB { return db.Delete(d) }),
	{"delete and return", func(t *rapid.T) act {
		sku := drawSKU.Draw(t, "sku")
		return func(db *gorm.DB) result {
			p := []Product{}
			return did(db.Clauses(clause.Returning{}).Where("sku = ?", sku).Delete(&p), p)
		}
	}},
	by("delete everything", rapid.Just(0), func(db *gorm.DB, _ int) *gorm.DB { return db.Delete(&Document{}) }),
	{"delete through generics", func(t *rapid.T) act {
		id := drawID.Draw(t, "id")
		return func(db *gorm.DB) result {
			rows, err := gorm.G[Entry](db).Where("id = ?", id).Delete(contextOf(db))
			return finished(err, rows)
		}
	}},
	by("delete from a table without a model", drawID, func(db *gorm.DB, id uint) *gorm.DB {
		return db.Table("pages").Where("id >= ?", id).Delete(&struct{}{})
	}),
}
