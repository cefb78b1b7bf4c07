package eventaudit_test

import (
	"context"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/eventaudit/eventaudit/internal/oracle"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

// Draft has a column that its hook sets on the way.
type Draft struct {
	ID    string `gorm:"primaryKey;size:20"`
	Title string
	Slug  string
}

// BeforeUpdate alters the statement, not the model.
func (*Draft) BeforeUpdate(tx *gorm.DB) error {
	tx.Statement.SetColumn("Slug", "by the hook")
	return nil
}

var drafts = oracle.Table{Object: "Draft", Name: "drafts", Keys: []string{"id"}}

// threeProducts cost 1, 2 and 3.
func threeProducts(t *testing.T, d *testdb.Database, db *gorm.DB) {
	t.Helper()
	have(&[]Product{{SKU: "a", Price: 1}, {SKU: "b", Price: 2}, {SKU: "c", Price: 3}})(t, d, db)
}

// changedPrice is the event of a price that changed.
func changedPrice(sku, from, to string) string {
	return "changed Product " + sku + ` {"old":{"price":` + from + `},"new":{"price":` + to + `}}`
}

var updating = []capture{
	{
		name: "`Model(&row).Update`", how: "locked", given: threeProducts,
		do:   func(db *gorm.DB) error { return db.Model(&Product{SKU: "a"}).Update("price", 9).Error },
		want: []string{changedPrice("a", "1", "9")},
	},
	{
		name: "`Model(&row).Updates(struct)`", how: "locked", given: threeProducts,
		do: func(db *gorm.DB) error {
			return db.Model(&Product{SKU: "a"}).Updates(Product{Price: 9, Title: ""}).Error
		},
		want: []string{changedPrice("a", "1", "9")},
	},
	{
		name: "`Updates(&row)`", how: "locked", given: threeProducts,
		do:   func(db *gorm.DB) error { return db.Updates(&Product{SKU: "a", Price: 9}).Error },
		want: []string{changedPrice("a", "1", "9")},
	},
	{
		name: "`Model(&row).Updates(map)`", how: "locked", given: threeProducts,
		do: func(db *gorm.DB) error {
			return db.Model(&Product{SKU: "a"}).Updates(map[string]any{"Price": 9, "title": ""}).Error
		},
		want: []string{changedPrice("a", "1", "9")},
	},
	{
		name: "`Update` with `gorm.Expr`", how: "locked", given: threeProducts,
		do: func(db *gorm.DB) error {
			return db.Model(&Product{SKU: "b"}).Update("price", gorm.Expr("price * ? + ?", 10, 1)).Error
		},
		want: []string{changedPrice("b", "2", "21")},
	},
	{
		name: "`Update` with a subquery", how: "locked", models: []any{&Ledger{}},
		given: func(t *testing.T, d *testdb.Database, db *gorm.DB) {
			threeProducts(t, d, db)
			have(&Ledger{ID: 1, N: 77})(t, d, db)
		},
		do: func(db *gorm.DB) error {
			return db.Model(&Product{SKU: "b"}).Update("price", db.Model(&Ledger{}).Select("n").Where("id = 1")).Error
		},
		want: []string{changedPrice("b", "2", "77")}, tables: []oracle.Table{ledgers},
	},
	{
		name: "a subquery as condition", how: "locked", models: []any{&Ledger{}},
		given: func(t *testing.T, d *testdb.Database, db *gorm.DB) {
			threeProducts(t, d, db)
			have(&Ledger{ID: 1, N: 2})(t, d, db)
		},
		do: func(db *gorm.DB) error {
			return db.Model(&Product{}).Where("price IN (?)", db.Model(&Ledger{}).Select("n")).Update("price", 9).Error
		},
		want: []string{changedPrice("b", "2", "9")}, tables: []oracle.Table{ledgers},
	},
	{
		name: "`UpdateColumn`", how: "locked", given: threeProducts,
		do:   func(db *gorm.DB) error { return db.Model(&Product{SKU: "a"}).UpdateColumn("price", 9).Error },
		want: []string{changedPrice("a", "1", "9")},
	},
	{
		name: "`UpdateColumns`", how: "locked", given: threeProducts,
		do: func(db *gorm.DB) error {
			return db.Model(&Product{SKU: "a"}).UpdateColumns(Product{Price: 9}).Error
		},
		want: []string{changedPrice("a", "1", "9")},
	},
	{
		name: "`Select(…).Updates`", how: "locked", given: threeProducts,
		do: func(db *gorm.DB) error {
			return db.Select("price").Updates(&Product{SKU: "a", Title: "left out"}).Error
		},
		want: []string{changedPrice("a", "1", "0")},
	},
	{
		name: "`Omit(…).Updates`", how: "locked", given: threeProducts,
		do: func(db *gorm.DB) error {
			return db.Omit("title").Updates(&Product{SKU: "a", Title: "left out", Price: 9}).Error
		},
		want: []string{changedPrice("a", "1", "9")},
	},
	{
		name: "a hook that calls `SetColumn`", how: "locked", models: []any{&Draft{}}, given: have(&Draft{ID: "1"}),
		do:   func(db *gorm.DB) error { return db.Model(&Draft{ID: "1"}).Update("title", "t").Error },
		want: []string{`changed Draft 1 {"old":{"title":"","slug":""},"new":{"title":"t","slug":"by the hook"}}`}, tables: []oracle.Table{drafts},
	},
	{
		name: "`Where(…).Update`, several rows", how: "locked", given: threeProducts,
		do: func(db *gorm.DB) error {
			return db.Model(&Product{}).Where("sku <> ?", "b").Update("price", gorm.Expr("price + 10")).Error
		},
		want: []string{changedPrice("a", "1", "11"), changedPrice("c", "3", "13")},
	},
	{
		name: "`Where(…).Update` of the very column", how: "locked, by the keys that matched before", given: threeProducts,
		do:   func(db *gorm.DB) error { return db.Model(&Product{}).Where("price > 1").Update("price", 0).Error },
		want: []string{changedPrice("b", "2", "0"), changedPrice("c", "3", "0")},
	},
	{
		name: "`Where(…).Update`, rows that have the value already", how: "locked, compared", given: threeProducts,
		do:   func(db *gorm.DB) error { return db.Model(&Product{}).Where("price < 3").Update("price", 1).Error },
		want: []string{changedPrice("b", "2", "1")},
	},
	{
		name: "`Where(…).Or(…).Not(…).Update`", how: "locked", given: threeProducts,
		do: func(db *gorm.DB) error {
			return db.Model(&Product{}).Where("sku = ?", "a").Or(Product{SKU: "b"}).Or("price = 3").Not("sku = ?", "c").Update("price", 9).Error
		},
		want: []string{changedPrice("a", "1", "9"), changedPrice("b", "2", "9")},
	},
	{
		name: "`Where(…).Update`, no row", how: "locked", given: threeProducts,
		do: func(db *gorm.DB) error { return db.Model(&Product{}).Where("price > 3").Update("price", 0).Error },
	},
	{
		name: "`Model(&[]T).Update`", how: "locked", given: threeProducts,
		do: func(db *gorm.DB) error {
			return db.Model(&[]Product{{SKU: "a"}, {SKU: "c"}}).Update("price", 9).Error
		},
		want: []string{changedPrice("a", "1", "9"), changedPrice("c", "3", "9")},
	},
	{
		name: "`AllowGlobalUpdate`", how: "locked", given: threeProducts,
		do: func(db *gorm.DB) error {
			return db.Session(&gorm.Session{AllowGlobalUpdate: true}).Model(&Product{}).Update("price", 3).Error
		},
		want: []string{changedPrice("a", "1", "3"), changedPrice("b", "2", "3")},
	},
	{
		name: "`Order(…).Limit(1).Update`", how: "locked; PostgreSQL and SQLite: GORM leaves the limit out of an update, so all rows change", given: threeProducts,
		do: func(db *gorm.DB) error {
			return db.Model(&Product{}).Where("1 = 1").Order("price DESC").Limit(1).Update("price", 9).Error
		},
		want:    []string{changedPrice("a", "1", "9"), changedPrice("b", "2", "9"), changedPrice("c", "3", "9")},
		differs: map[testdb.Kind][]string{testdb.MariaDB: {changedPrice("c", "3", "9")}},
	},
	{
		name: "part of a composite key", how: "locked", given: have(&[]Stock{{SKU: "a", Warehouse: 1}, {SKU: "a", Warehouse: 2}, {SKU: "b", Warehouse: 1}}),
		do:   func(db *gorm.DB) error { return db.Model(&Stock{}).Where("sku = ?", "a").Update("amount", 5).Error },
		want: []string{`changed Stock ["a",1]`, `changed Stock ["a",2]`},
	},
	{
		name: "a composite key with a part of zero, which GORM leaves out of its condition", how: "locked: the rows that really change",
		given: have(&[]Stock{{SKU: "a", Warehouse: 0}, {SKU: "a", Warehouse: 2}}),
		do:    func(db *gorm.DB) error { return db.Model(&Stock{SKU: "a", Warehouse: 0}).Update("amount", 5).Error },
		want:  []string{`changed Stock ["a",0]`, `changed Stock ["a",2]`},
	},
	{
		name: "the primary key", how: "locked, with the new key", given: threeProducts,
		do:   func(db *gorm.DB) error { return db.Model(&Product{}).Where("sku = ?", "a").Update("sku", "z").Error },
		want: []string{`changed Product a -> z {"old":{"sku":"a"},"new":{"sku":"z"}}`},
	},
	{
		name: "several primary keys by an expression", how: "locked, with the new keys, which the database evaluates",
		given: have(&[]Stock{{SKU: "a", Warehouse: 1}, {SKU: "a", Warehouse: 2}}),
		do: func(db *gorm.DB) error {
			return db.Model(&Stock{}).Where("sku = ?", "a").Update("warehouse", gorm.Expr("warehouse + 100")).Error
		},
		want: []string{`changed Stock ["a",1] -> ["a",101]`, `changed Stock ["a",2] -> ["a",102]`},
	},
	{
		name: "a key that takes the place of a deleted one", how: "locked, with the new key", given: threeProducts,
		do: func(db *gorm.DB) error {
			return db.Transaction(func(tx *gorm.DB) error {
				if err := tx.Delete(&Product{SKU: "a"}).Error; err != nil {
					return err
				}
				return tx.Model(&Product{}).Where("sku = ?", "b").Update("sku", "a").Error
			})
		},
		want: []string{"deleted Product a", "changed Product b -> a"},
	},
	{
		name: "two keys swapped by way of a third", how: "locked, with the new keys", given: threeProducts,
		do: func(db *gorm.DB) error {
			return db.Transaction(func(tx *gorm.DB) error {
				for _, move := range [][2]string{{"a", "t"}, {"b", "a"}, {"t", "b"}} {
					if err := tx.Model(&Product{}).Where("sku = ?", move[0]).Update("sku", move[1]).Error; err != nil {
						return err
					}
				}
				return nil
			})
		},
		want: []string{"changed Product a -> t", "changed Product b -> a", "changed Product t -> b"},
	},
	{
		name: "keys that follow each other, last one first", how: "locked, with the new keys, in the statement's order",
		given: have(&[]Stock{{SKU: "a", Warehouse: 1}, {SKU: "a", Warehouse: 2}}),
		do: func(db *gorm.DB) error {
			return db.Model(&Stock{}).Where("sku = ?", "a").Order("warehouse DESC").Update("warehouse", gorm.Expr("warehouse + 1")).Error
		},
		want: []string{`changed Stock ["a",1] -> ["a",2]`, `changed Stock ["a",2] -> ["a",3]`},
		on:   []testdb.Kind{testdb.MariaDB},
	},
	{
		name: "`Update` with `clause.Returning`", how: "locked; the caller gets its own columns; MariaDB and MySQL refuse it", given: threeProducts,
		do: func(db *gorm.DB) error {
			var rows []Product
			err := db.Model(&rows).Clauses(clause.Returning{}).Where("price > 1").Update("price", gorm.Expr("price + 1")).Error
			if err == nil && len(rows) != 2 {
				return errNotReturned
			}
			return err
		},
		want: []string{changedPrice("b", "2", "3"), changedPrice("c", "3", "4")},
		on:   []testdb.Kind{testdb.Postgres, testdb.SQLiteCgo, testdb.SQLitePure},
	},
	{
		name: "an optimistic lock that misses", how: "locked", given: threeProducts,
		do: func(db *gorm.DB) error {
			return db.Model(&Product{SKU: "a"}).Where("price = ?", 99).Update("price", 100).Error
		},
	},
	{
		name: "`Joins` by a subquery in `FROM`", how: "locked, joined; MariaDB and MySQL: GORM has no such form", given: threeProducts,
		do: func(db *gorm.DB) error {
			return db.Model(&Product{}).Clauses(clause.From{Tables: []clause.Table{{Name: "(SELECT 'b' AS which, 50 AS price) AS d", Raw: true}}}).
				Where("products.sku = d.which").Update("price", gorm.Expr("d.price")).Error
		},
		want: []string{changedPrice("b", "2", "50")},
		on:   []testdb.Kind{testdb.Postgres, testdb.SQLiteCgo, testdb.SQLitePure},
	},
	{
		name: "`gorm.G[T](db).Where(…).Update`", how: "locked", given: threeProducts,
		do: func(db *gorm.DB) error {
			_, err := gorm.G[Product](db).Where("price > ?", 1).Update(context.Background(), "price", 0)
			return err
		},
		want: []string{changedPrice("b", "2", "0"), changedPrice("c", "3", "0")},
	},
	{
		name: "`gorm.G[T](db).Where(…).Updates`", how: "locked", given: threeProducts,
		do: func(db *gorm.DB) error {
			_, err := gorm.G[Product](db).Where("sku = ?", "a").Updates(context.Background(), Product{Price: 9})
			return err
		},
		want: []string{changedPrice("a", "1", "9")},
	},
	{
		name: "`gorm.G[T](db).Where(…).Set(…).Update`", how: "locked", given: threeProducts,
		do: func(db *gorm.DB) error {
			_, err := gorm.G[Product](db).Where("sku = ?", "a").
				Set(clause.Assignment{Column: clause.Column{Name: "price"}, Value: 9}).Update(context.Background())
			return err
		},
		want: []string{changedPrice("a", "1", "9")},
	},
	{
		name: "`Table(\"t\").Where(…).Update`, no model", how: "locked; keys from the catalog", given: haveLogs,
		do:   func(db *gorm.DB) error { return db.Table("logs").Where("id > 1").Update("line", "z").Error },
		want: []string{`changed logs 2 {"old":{"line":"b"},"new":{"line":"z"}}`}, tables: []oracle.Table{logs},
	},
	{
		name: "`Table(\"t\").Where(…).Updates(map)`, no model", how: "locked; keys from the catalog", given: haveLogs,
		do: func(db *gorm.DB) error {
			return db.Table("logs").Where("line = 'a'").Updates(map[string]any{"line": gorm.Expr("upper(line)")}).Error
		},
		want: []string{`changed logs 1 {"old":{"line":"a"},"new":{"line":"A"}}`}, tables: []oracle.Table{logs},
	},
}
