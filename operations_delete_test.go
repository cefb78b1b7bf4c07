package eventaudit_test

import (
	"context"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/eventaudit/eventaudit/internal/oracle"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

// twoCustomers have the ids 1 and 2.
func twoCustomers(t *testing.T, d *testdb.Database, db *gorm.DB) {
	t.Helper()
	have(&[]Customer{{ID: 1, Name: "a"}, {ID: 2, Name: "b"}})(t, d, db)
}

// aDeletedCustomer is the first of two.
func aDeletedCustomer(t *testing.T, d *testdb.Database, db *gorm.DB) {
	t.Helper()
	twoCustomers(t, d, db)
	must(t, db.Delete(&Customer{ID: 1}))
}

var deleting = []capture{
	{
		name: "`Delete(&row)`", how: "deleted", given: threeProducts,
		do:   func(db *gorm.DB) error { return db.Delete(&Product{SKU: "a"}).Error },
		want: []string{`deleted Product a {"old":{"sku":"a","title":"","price":1,"state":"draft"}}`},
	},
	{
		name: "`Delete(row)`", how: "deleted", given: threeProducts,
		do:   func(db *gorm.DB) error { return db.Delete(Product{SKU: "a"}).Error },
		want: []string{"deleted Product a"},
	},
	{
		name: "`Delete(&T{}, key)`", how: "deleted", given: threeProducts,
		do:   func(db *gorm.DB) error { return db.Delete(&Product{}, "sku = ?", "a").Error },
		want: []string{"deleted Product a"},
	},
	{
		name: "`Delete(&T{}, keys)`", how: "deleted", models: []any{&Ledger{}},
		given: have(&[]Ledger{{ID: 1}, {ID: 2}, {ID: 3}}),
		do:    func(db *gorm.DB) error { return db.Delete(&Ledger{}, []int{1, 3, 9}).Error },
		want:  []string{"deleted Ledger 1", "deleted Ledger 3"}, tables: []oracle.Table{ledgers},
	},
	{
		name: "`Delete(&[]T)`", how: "deleted", given: threeProducts,
		do:   func(db *gorm.DB) error { return db.Delete(&[]Product{{SKU: "a"}, {SKU: "c"}, {SKU: "none"}}).Error },
		want: []string{"deleted Product a", "deleted Product c"},
	},
	{
		name: "`Where(…).Delete(&T{})`", how: "deleted", given: threeProducts,
		do:   func(db *gorm.DB) error { return db.Where("price > ?", 1).Delete(&Product{}).Error },
		want: []string{"deleted Product b", "deleted Product c"},
	},
	{
		name: "`Delete`, no row", how: "deleted", given: threeProducts,
		do: func(db *gorm.DB) error { return db.Delete(&Product{SKU: "none"}).Error },
	},
	{
		name: "`Delete` by composite key", how: "deleted", given: have(&[]Stock{{SKU: "a", Warehouse: 1}, {SKU: "a", Warehouse: 2}}),
		do:   func(db *gorm.DB) error { return db.Delete(&Stock{SKU: "a", Warehouse: 2}).Error },
		want: []string{`deleted Stock ["a",2]`},
	},
	{
		name: "`AllowGlobalUpdate`, `Delete`", how: "deleted", given: threeProducts,
		do: func(db *gorm.DB) error {
			return db.Session(&gorm.Session{AllowGlobalUpdate: true}).Delete(&Product{}).Error
		},
		want: []string{"deleted Product a", "deleted Product b", "deleted Product c"},
	},
	{
		name: "`Order(…).Limit(1).Delete`", how: "deleted; PostgreSQL and SQLite: GORM leaves the limit out of a delete, so all rows go", given: threeProducts,
		do: func(db *gorm.DB) error {
			return db.Where("1 = 1").Order("price DESC").Limit(1).Delete(&Product{}).Error
		},
		want:    []string{"deleted Product a", "deleted Product b", "deleted Product c"},
		differs: map[testdb.Kind][]string{testdb.MariaDB: {"deleted Product c"}},
	},
	{
		returning: true,
		name:      "`Delete` with `clause.Returning`", how: "deleted; the caller gets its own columns", given: threeProducts,
		do: func(db *gorm.DB) error {
			var gone []Product
			err := db.Clauses(clause.Returning{Columns: []clause.Column{{Name: "price"}}}).Where("price > 1").Delete(&gone).Error
			if err == nil && (len(gone) != 2 || gone[0].Price+gone[1].Price != 5 || gone[0].SKU != "") {
				return errNotReturned
			}
			return err
		},
		want: []string{"deleted Product b", "deleted Product c"},
	},
	{
		name: "`gorm.G[T](db).Where(…).Delete`", how: "deleted", given: threeProducts,
		do: func(db *gorm.DB) error {
			_, err := gorm.G[Product](db).Where("price > ?", 1).Delete(context.Background())
			return err
		},
		want: []string{"deleted Product b", "deleted Product c"},
	},
	{
		name: "`Table(\"t\").Where(…).Delete(nil)`, no model", how: "deleted; keys from the catalog", given: haveLogs,
		do:   func(db *gorm.DB) error { return db.Table("logs").Where("id = 1").Delete(nil).Error },
		want: []string{`deleted logs 1 {"old":{"id":1,"line":"a"}}`}, tables: []oracle.Table{logs},
	},
	{
		name: "soft delete", how: "locked", given: twoCustomers,
		do:   func(db *gorm.DB) error { return db.Delete(&Customer{ID: 1}).Error },
		want: []string{"deleted Customer 1"},
	},
	{
		name: "soft delete by condition", how: "locked", given: twoCustomers,
		do:   func(db *gorm.DB) error { return db.Where("name <> ''").Delete(&Customer{}).Error },
		want: []string{"deleted Customer 1", "deleted Customer 2"},
	},
	{
		name: "soft delete of a deleted row", how: "locked: GORM's condition leaves it out", given: aDeletedCustomer,
		do: func(db *gorm.DB) error { return db.Delete(&Customer{ID: 1}).Error },
	},
	{
		name: "`Unscoped().Delete`", how: "deleted", given: aDeletedCustomer,
		do:   func(db *gorm.DB) error { return db.Unscoped().Delete(&[]Customer{{ID: 1}, {ID: 2}}).Error },
		want: []string{"deleted Customer 1", "deleted Customer 2"},
	},
	{
		name: "`Unscoped().Update(\"deleted_at\", nil)`", how: "locked", given: aDeletedCustomer,
		do: func(db *gorm.DB) error {
			return db.Unscoped().Model(&Customer{ID: 1}).Update("deleted_at", nil).Error
		},
		want: []string{"restored Customer 1"},
	},
	{
		name: "`Unscoped().Update` of a deleted row", how: "locked", given: aDeletedCustomer,
		do: func(db *gorm.DB) error {
			return db.Unscoped().Model(&Customer{ID: 1}).UpdateColumn("name", "z").Error
		},
		want: []string{`changed Customer 1 {"old":{"name":"a"},"new":{"name":"z"}}`},
	},
	{
		name: "`gorm.G[T](db).Where(…).Delete`, soft", how: "locked", given: twoCustomers,
		do: func(db *gorm.DB) error {
			_, err := gorm.G[Customer](db).Where("id = 1").Delete(context.Background())
			return err
		},
		want: []string{"deleted Customer 1"},
	},
}
