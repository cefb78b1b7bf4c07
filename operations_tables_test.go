package eventaudit_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/eventaudit/eventaudit/internal/oracle"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

// logs is a table that has no model.
var logs = oracle.Table{Object: "logs", Name: "logs", Keys: []string{"id"}}

func createLogs(t *testing.T, _ *testdb.Database, db *gorm.DB) {
	t.Helper()
	ddl(t, db, "CREATE TABLE logs (id integer PRIMARY KEY, line varchar(20))")
}

func haveLogs(t *testing.T, d *testdb.Database, db *gorm.DB) {
	t.Helper()
	createLogs(t, d, db)
	must(t, db.Table("logs").Create([]map[string]any{{"id": 1, "line": "a"}, {"id": 2, "line": "b"}}))
}

// Sheet lives in whichever table the scope says.
type Sheet struct {
	ID   int `gorm:"primaryKey;autoIncrement:false"`
	Line string
}

// TableName is not the one that GORM would choose.
func (Sheet) TableName() string { return "paper" }

var paper = oracle.Table{Object: "Sheet", Name: "paper", Keys: []string{"id"}}

// Reserved has names that SQL uses itself, or that need quotes.
type Reserved struct {
	Key    string `gorm:"primaryKey;size:20;column:what?"`
	Order  string
	Select string `gorm:"column:Select"`
}

// TableName is a keyword.
func (Reserved) TableName() string { return "group" }

// Line has a column that the database computes.
type Line struct {
	ID     int `gorm:"primaryKey;autoIncrement:false"`
	Price  int
	Amount int
	Total  int `gorm:"->"`
}

var lines = oracle.Table{Object: "Line", Name: "lines", Keys: []string{"id"}}

func createLines(t *testing.T, _ *testdb.Database, db *gorm.DB) {
	t.Helper()
	ddl(t, db, "CREATE TABLE "+db.Statement.Quote("lines")+" (id integer PRIMARY KEY, price integer, amount integer, total integer GENERATED ALWAYS AS (price * amount) STORED)")
}

// elsewhereOf names another schema. On MariaDB that is another database of the
// server, which all tests share.
func elsewhereOf(db *gorm.DB) string {
	if db.Name() == "mysql" {
		return db.Migrator().CurrentDatabase() + "_elsewhere"
	}
	return "elsewhere"
}

// elsewhere creates a table in another schema.
func elsewhere(t *testing.T, d *testdb.Database, db *gorm.DB) {
	t.Helper()
	schema := elsewhereOf(db)
	switch d.Kind() {
	case testdb.Postgres:
		ddl(t, db, "CREATE SCHEMA "+schema)
	case testdb.MariaDB:
		ddl(t, db, "CREATE DATABASE "+schema)
		t.Cleanup(func() { ddl(t, db, "DROP DATABASE "+schema) })
	default:
		pool, err := db.DB()
		if err != nil {
			t.Fatal(err)
		}
		pool.SetMaxOpenConns(1) // what is attached belongs to a connection
		must(t, db.Exec("ATTACH DATABASE ? AS "+schema, filepath.Join(t.TempDir(), "elsewhere.db")))
	}
	ddl(t, db, "CREATE TABLE "+schema+".items (id integer PRIMARY KEY, line varchar(20))")
}

// inItems writes to a table that is not in the default schema; format is how
// it is named.
func inItems(format string) func(*gorm.DB) error {
	return func(db *gorm.DB) error {
		table := fmt.Sprintf(format, elsewhereOf(db), "items")
		return errors.Join(
			db.Table(table).Create([]map[string]any{{"id": 1, "line": "a"}, {"id": 2, "line": "b"}}).Error,
			db.Table(table).Where("id = 1").Update("line", "z").Error,
			db.Table(table).Where("id = 2").Delete(nil).Error,
		)
	}
}

var itemEvents = []string{
	`created items 1 {"new":{"id":1,"line":"a"}}`, "created items 2",
	`changed items 1 {"old":{"line":"a"},"new":{"line":"z"}}`,
	`deleted items 2 {"old":{"id":2,"line":"b"}}`,
}

var naming = []capture{
	{
		name: "an alias: `Table(\"t AS x\")`, update", how: "locked; keys from the catalog", given: haveLogs,
		do: func(db *gorm.DB) error {
			return db.Table("logs AS l").Where("l.id = 1").Update("line", "z").Error
		},
		want: []string{`changed logs 1 {"old":{"line":"a"},"new":{"line":"z"}}`}, tables: []oracle.Table{logs},
	},
	{
		name: "an alias: `Model(&T{}).Table(\"t AS x\")`, update", how: "locked", given: threeProducts,
		do: func(db *gorm.DB) error {
			return db.Model(&Product{}).Table("products AS p").Where("p.price > 1").Update("price", 0).Error
		},
		want: []string{changedPrice("b", "2", "0"), changedPrice("c", "3", "0")},
	},
	{
		name: "an alias: `Table(\"t AS x\")`, delete", how: "deleted; MariaDB 10.11 and MySQL 5.7 have no such form", given: haveLogs,
		do:   func(db *gorm.DB) error { return db.Table("logs AS l").Where("l.id = 1").Delete(nil).Error },
		want: []string{"deleted logs 1"}, tables: []oracle.Table{logs},
		on: []testdb.Kind{testdb.Postgres, testdb.SQLiteCgo, testdb.SQLitePure},
	},
	{
		name: "a table in another schema, another database, an attached file", how: "as in the default schema",
		given: elsewhere, do: inItems("%s.%s"), want: itemEvents,
	},
	{
		name: "the same, quoted", how: "as in the default schema",
		given: elsewhere, do: inItems(`"%s"."%s"`), want: itemEvents,
		on: []testdb.Kind{testdb.Postgres},
	},
	{
		name: "`TableName()`", how: "as any table; events carry the name of the model", models: []any{&Sheet{}},
		do: func(db *gorm.DB) error {
			return errors.Join(db.Create(&Sheet{ID: 1}).Error, db.Model(&Sheet{ID: 1}).Update("line", "z").Error)
		},
		want: []string{"created Sheet 1", "changed Sheet 1"}, tables: []oracle.Table{paper},
	},
	{
		name: "a scope that chooses the table", how: "as any table; events carry the name of the table, not of the model", models: []any{&Sheet{}},
		given: createLogs,
		do: func(db *gorm.DB) error {
			scope := func(db *gorm.DB) *gorm.DB { return db.Table("logs") }
			return errors.Join(
				db.Scopes(scope).Create(&[]Sheet{{ID: 1}, {ID: 2}}).Error,
				db.Scopes(scope).Model(&Sheet{ID: 1}).Update("line", "z").Error,
				db.Scopes(scope).Delete(&Sheet{ID: 2}).Error,
				db.Create(&Sheet{ID: 1}).Error,
			)
		},
		want: []string{"created logs 1", "created logs 2", "changed logs 1", "deleted logs 2", "created Sheet 1"}, tables: []oracle.Table{logs, paper},
	},
	{
		name: "names that are keywords or need quotes", how: "as any other", models: []any{&Reserved{}},
		do: func(db *gorm.DB) error {
			return errors.Join(
				db.Create(&[]Reserved{{Key: "a"}, {Key: "b"}}).Error,
				db.Model(&Reserved{Key: "a"}).Updates(Reserved{Order: "x", Select: "y"}).Error,
				db.Save(&[]Reserved{{Key: "a"}, {Key: "c"}}).Error,
				db.Delete(&Reserved{Key: "b"}).Error,
			)
		},
		want: []string{
			"created Reserved a", "created Reserved b", "created Reserved c", "deleted Reserved b",
			`changed Reserved a {"old":{"order":"","Select":""},"new":{"order":"x","Select":"y"}}`,
			`changed Reserved a {"old":{"order":"x","Select":"y"},"new":{"order":"","Select":""}}`,
		},
		tables: []oracle.Table{{Object: "Reserved", Name: "group", Keys: []string{"what?"}}},
	},
	{
		name: "a partitioned table, and a row that moves to another partition", how: "as any other, but an upsert cannot ask which rows are new",
		given: func(t *testing.T, _ *testdb.Database, db *gorm.DB) {
			ddl(
				t, db, "CREATE TABLE logs (id integer PRIMARY KEY, line varchar(20)) PARTITION BY RANGE (id)",
				"CREATE TABLE low PARTITION OF logs FOR VALUES FROM (0) TO (10)", "CREATE TABLE high PARTITION OF logs FOR VALUES FROM (10) TO (100)",
			)
		},
		do: func(db *gorm.DB) error {
			return errors.Join(
				db.Table("logs").Create([]map[string]any{{"id": 1, "line": "a"}, {"id": 2, "line": "b"}}).Error,
				db.Table("logs").Where("id = 1").Update("id", 50).Error,
				db.Table("logs").Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "id"}}, DoUpdates: clause.AssignmentColumns([]string{"line"})}).
					Create([]map[string]any{{"id": 50, "line": "z"}, {"id": 9, "line": "z"}}).Error,
				db.Table("logs").Where("id = 2").Delete(nil).Error,
			)
		},
		want: []string{"created logs 1", "created logs 2", "changed logs 1 -> 50", "changed logs 50", "created logs 9", "deleted logs 2"},
		on:   []testdb.Kind{testdb.Postgres}, tables: []oracle.Table{logs},
	},
	{
		name: "generated columns", how: "the row as it is, not the model", given: createLines,
		do: func(db *gorm.DB) error {
			return errors.Join(
				db.Create(&Line{ID: 1, Price: 2, Amount: 3}).Error,
				db.Model(&Line{ID: 1}).Update("price", 5).Error,
				db.Delete(&Line{ID: 1}).Error,
			)
		},
		want: []string{
			`created Line 1 {"new":{"id":1,"price":2,"amount":3,"total":6}}`,
			`changed Line 1 {"old":{"price":2,"total":6},"new":{"price":5,"total":15}}`,
			`deleted Line 1 {"old":{"id":1,"price":5,"amount":3,"total":15}}`,
		},
		tables: []oracle.Table{lines},
	},
	{
		name: "a `BEFORE INSERT` trigger that alters the row", how: "the row as it is, not the model",
		given: func(t *testing.T, d *testdb.Database, db *gorm.DB) {
			body := "SET NEW.title = 'by trigger'"
			if d.Kind() == testdb.Postgres {
				body = "NEW.title := 'by trigger'"
			}
			trigger(t, d, db, "BEFORE INSERT", body, "")
		},
		do:   func(db *gorm.DB) error { return db.Create(&Product{SKU: "a", Title: "mine"}).Error },
		want: []string{`created Product a {"new":{"sku":"a","title":"by trigger","price":0,"state":"draft"}}`},
		on:   []testdb.Kind{testdb.Postgres, testdb.MariaDB},
	},
	{
		name: "a `BEFORE UPDATE` trigger that alters the row", how: "locked: the row as it is, not the model",
		given: func(t *testing.T, d *testdb.Database, db *gorm.DB) {
			body := "SET NEW.title = 'by trigger'"
			if d.Kind() == testdb.Postgres {
				body = "NEW.title := 'by trigger'"
			}
			trigger(t, d, db, "BEFORE UPDATE", body, "")
			threeProducts(t, d, db)
		},
		do:   func(db *gorm.DB) error { return db.Model(&Product{SKU: "a"}).Update("price", 9).Error },
		want: []string{`changed Product a {"old":{"title":"","price":1},"new":{"title":"by trigger","price":9}}`},
		on:   []testdb.Kind{testdb.Postgres, testdb.MariaDB},
	},
	{
		name: "an `AFTER INSERT` trigger that changes the row", how: "the catalog tells of triggers: a second look by key",
		given: func(t *testing.T, d *testdb.Database, db *gorm.DB) {
			trigger(t, d, db, "AFTER INSERT", "UPDATE products SET title = 'by trigger' WHERE sku = NEW.sku", "")
		},
		do:   func(db *gorm.DB) error { return db.Create(&[]Product{{SKU: "a"}, {SKU: "b"}}).Error },
		want: []string{`created Product a {"new":{"sku":"a","title":"by trigger","price":0,"state":"draft"}}`, "created Product b"},
		on:   []testdb.Kind{testdb.Postgres, testdb.SQLiteCgo, testdb.SQLitePure},
	},
	{
		name: "an `AFTER UPDATE` trigger that changes the row", how: "the catalog tells of triggers: a second look by key",
		given: func(t *testing.T, d *testdb.Database, db *gorm.DB) {
			threeProducts(t, d, db)
			trigger(t, d, db, "AFTER UPDATE", "UPDATE products SET title = 'by trigger' WHERE sku = NEW.sku AND title <> 'by trigger'", "")
		},
		do: func(db *gorm.DB) error {
			return errors.Join(
				db.Model(&Product{}).Where("price > 2").Update("price", 9).Error,
				db.Save(&[]Product{{SKU: "a", Price: 5, State: "draft"}}).Error,
			)
		},
		want: []string{
			`changed Product a {"old":{"title":"","price":1},"new":{"title":"by trigger","price":5}}`,
			`changed Product c {"old":{"title":"","price":3},"new":{"title":"by trigger","price":9}}`,
		},
		on: []testdb.Kind{testdb.Postgres, testdb.SQLiteCgo, testdb.SQLitePure},
	},
	{
		name: "an `AFTER UPDATE` trigger that deletes the row", how: "the catalog tells of triggers: a second look by key",
		given: func(t *testing.T, d *testdb.Database, db *gorm.DB) {
			threeProducts(t, d, db)
			trigger(t, d, db, "AFTER UPDATE", "DELETE FROM products WHERE sku = NEW.sku AND price = 0", "")
		},
		do:   func(db *gorm.DB) error { return db.Model(&Product{}).Where("price > 2").Update("price", 0).Error },
		want: []string{"deleted Product c"},
		on:   []testdb.Kind{testdb.Postgres, testdb.SQLiteCgo, testdb.SQLitePure},
	},
	{
		name: "a trigger that changes the key", how: "PostgreSQL: the place of the row leads to its new version; elsewhere the keys put aside before tell which one is new",
		given: func(t *testing.T, d *testdb.Database, db *gorm.DB) {
			threeProducts(t, d, db)
			moving(t, d, db, "UPDATE")
		},
		do:   func(db *gorm.DB) error { return db.Model(&Product{SKU: "a"}).Update("title", "move").Error },
		want: []string{"changed Product a -> a-moved"},
	},
	{
		name: "an `AFTER DELETE` trigger that inserts the row again", how: "the catalog tells of triggers: a second look by key",
		given: func(t *testing.T, d *testdb.Database, db *gorm.DB) {
			threeProducts(t, d, db)
			trigger(t, d, db, "AFTER DELETE", "INSERT INTO products (sku, title, price, state) VALUES (OLD.sku, 'again', OLD.price, OLD.state)", "")
		},
		do:   func(db *gorm.DB) error { return db.Delete(&Product{SKU: "a"}).Error },
		want: []string{`changed Product a {"old":{"title":""},"new":{"title":"again"}}`},
		on:   []testdb.Kind{testdb.Postgres, testdb.SQLiteCgo, testdb.SQLitePure},
	},
}
