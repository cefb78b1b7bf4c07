package eventaudit_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/eventaudit/eventaudit/internal/oracle"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

var errNotReturned = errors.New("the caller did not get what it asked for")

// Punch has times that GORM sets in units of its own.
type Punch struct {
	ID    string    `gorm:"primaryKey;size:20"`
	Unix  int64     `gorm:"autoCreateTime"`
	Milli int64     `gorm:"autoCreateTime:milli"`
	Nano  int64     `gorm:"autoUpdateTime:nano"`
	At    time.Time `gorm:"autoUpdateTime"`
}

var punches = oracle.Table{Object: "Punch", Name: "punches", Keys: []string{"id"}}

// Parcel writes a note whenever it is written itself.
type Parcel struct {
	ID    string `gorm:"primaryKey;size:20"`
	State string
}

// AfterSave writes to another table.
func (p *Parcel) AfterSave(tx *gorm.DB) error {
	return tx.Create(&Document{ID: p.ID + " " + p.State}).Error
}

// BeforeDelete writes to two rows of another table.
func (p *Parcel) BeforeDelete(tx *gorm.DB) error {
	return tx.Model(&Document{}).Where("body = ?", "").Update("body", "gone").Error
}

var (
	parcels = oracle.Table{Object: "Parcel", Name: "parcels", Keys: []string{"id"}}
	ledgers = oracle.Table{Object: "Ledger", Name: "ledgers", Keys: []string{"id"}}
	tickets = oracle.Table{Object: "Ticket", Name: "tickets", Keys: []string{"id"}}
)

func named(text string) *string { return &text }

var creating = []capture{
	{
		name: "`Create(&row)`", how: "inserted",
		do:   func(db *gorm.DB) error { return db.Create(&Customer{Name: "a"}).Error },
		want: []string{"created Customer 1"},
	},
	{
		name: "`Create(&[]T)`", how: "inserted",
		do:   func(db *gorm.DB) error { return db.Create(&[]Customer{{Name: "a"}, {Name: "b"}}).Error },
		want: []string{"created Customer 1", "created Customer 2"},
	},
	{
		name: "`Create([]*T)`", how: "inserted",
		do:   func(db *gorm.DB) error { return db.Create([]*Customer{{Name: "a"}, {Name: "b"}}).Error },
		want: []string{"created Customer 1", "created Customer 2"},
	},
	{
		name: "`Create(&[n]T)`", how: "inserted",
		do:   func(db *gorm.DB) error { return db.Create(&[2]Customer{{Name: "a"}, {Name: "b"}}).Error },
		want: []string{"created Customer 1", "created Customer 2"},
	},
	{
		name: "`Model(&T{}).Create(map)`", how: "inserted",
		do: func(db *gorm.DB) error {
			return db.Model(&Customer{}).Create(map[string]any{"name": "a", "balance": gorm.Expr("1 + 1")}).Error
		},
		want: []string{"created Customer 1"},
	},
	{
		name: "`Model(&T{}).Create(&[]map)`", how: "inserted",
		do: func(db *gorm.DB) error {
			return db.Model(&Customer{}).Create(&[]map[string]any{{"name": "a"}, {"name": "b"}}).Error
		},
		want: []string{"created Customer 1", "created Customer 2"},
	},
	{
		name: "`CreateInBatches`", how: "inserted, batch by batch in one transaction",
		do: func(db *gorm.DB) error {
			return db.CreateInBatches([]Document{{ID: "1"}, {ID: "2"}, {ID: "3"}}, 2).Error
		},
		want: []string{"created Document 1", "created Document 2", "created Document 3"},
	},
	{
		name: "`Select(…).Create`", how: "inserted: the row as it is, not the model",
		do: func(db *gorm.DB) error {
			return db.Select("sku", "price").Create(&Product{SKU: "a", Title: "left out", Price: 1}).Error
		},
		want: []string{`created Product a {"new":{"sku":"a","title":null,"price":1,"state":"draft"}}`},
	},
	{
		name: "`Omit(…).Create`", how: "inserted: the row as it is, not the model",
		do: func(db *gorm.DB) error {
			return db.Omit("title").Create(&Product{SKU: "a", Title: "left out", Price: 1}).Error
		},
		want: []string{`created Product a {"new":{"sku":"a","title":null,"price":1,"state":"draft"}}`},
	},
	{
		name: "`Create` with `clause.Returning`", how: "inserted; the caller gets its own columns",
		do: func(db *gorm.DB) error {
			p := Product{SKU: "a"}
			err := db.Clauses(clause.Returning{Columns: []clause.Column{{Name: "state"}}}).Create(&p).Error
			if err == nil && p.State != "draft" {
				return errNotReturned
			}
			return err
		},
		want: []string{`created Product a {"new":{"sku":"a","title":"","price":0,"state":"draft"}}`},
	},
	{
		name: "`gorm.G[T](db).Create`", how: "inserted",
		do: func(db *gorm.DB) error {
			return gorm.G[Customer](db).Create(context.Background(), &Customer{Name: "a"})
		},
		want: []string{"created Customer 1"},
	},
	{
		name: "`gorm.G[T](db).CreateInBatches`", how: "inserted",
		do: func(db *gorm.DB) error {
			return gorm.G[Customer](db).CreateInBatches(context.Background(), &[]Customer{{Name: "a"}, {Name: "b"}}, 1)
		},
		want: []string{"created Customer 1", "created Customer 2"},
	},
	{
		name: "`Table(\"t\").Create(map)`, no model", how: "inserted; keys from the catalog",
		given: createLogs,
		do: func(db *gorm.DB) error {
			return db.Table("logs").Create(map[string]any{"id": 7, "line": "x"}).Error
		},
		want:   []string{`created logs 7 {"new":{"id":7,"line":"x"}}`},
		tables: []oracle.Table{logs},
	},
	{
		name: "`Table(\"t\").Create([]map)`, no model", how: "inserted; keys from the catalog",
		given: createLogs,
		do: func(db *gorm.DB) error {
			return db.Table("logs").Create([]map[string]any{{"id": 7}, {"id": 8}}).Error
		},
		want:   []string{"created logs 7", "created logs 8"},
		tables: []oracle.Table{logs},
	},
	{
		name: "`FirstOrCreate`, not there", how: "inserted",
		do: func(db *gorm.DB) error {
			return db.Where(&Product{SKU: "a"}).Attrs(&Product{Price: 3}).FirstOrCreate(&Product{}).Error
		},
		want: []string{`created Product a {"new":{"sku":"a","title":"","price":3,"state":"draft"}}`},
	},
	{
		name: "`FirstOrCreate`, there", how: "nothing changes",
		given: have(&Product{SKU: "a"}),
		do: func(db *gorm.DB) error {
			return db.Where(&Product{SKU: "a"}).Attrs(&Product{Price: 3}).FirstOrCreate(&Product{}).Error
		},
	},
	{
		name: "`Assign(…).FirstOrCreate`, there", how: "locked",
		given: have(&Product{SKU: "a"}),
		do: func(db *gorm.DB) error {
			return db.Where(&Product{SKU: "a"}).Assign(&Product{Price: 3}).FirstOrCreate(&Product{}).Error
		},
		want: []string{`changed Product a {"old":{"price":0},"new":{"price":3}}`},
	},
	{
		name: "`Assign(…).FirstOrInit`, then `Save`", how: "locked, as every `Save` of a known key",
		given: have(&Product{SKU: "a"}),
		do: func(db *gorm.DB) error {
			var p Product
			if err := db.Where(&Product{SKU: "a"}).Assign(&Product{Price: 3}).FirstOrInit(&p).Error; err != nil {
				return err
			}
			return db.Save(&p).Error
		},
		want: []string{`changed Product a {"old":{"price":0},"new":{"price":3}}`},
	},
	{
		name: "keys of zero and of empty text", how: "inserted",
		do: func(db *gorm.DB) error {
			return db.Create(&[]Stock{{SKU: "", Warehouse: 0}, {SKU: "a", Warehouse: 0}}).Error
		},
		want: []string{`created Stock ["",0]`, `created Stock ["a",0]`},
	},
	{
		name: "database defaults, and hooks that alter the row", how: "inserted: the row as it is, not the model",
		models: []any{&Ticket{}},
		do:     func(db *gorm.DB) error { return db.Create(&Ticket{Code: "abc"}).Error },
		want:   []string{"created Ticket 1"},
		tables: []oracle.Table{tickets},
	},
	{
		name: "`autoCreateTime` and `autoUpdateTime` in seconds, milliseconds, nanoseconds", how: "inserted: with the precision of the column",
		models: []any{&Punch{}},
		do: func(db *gorm.DB) error {
			return errors.Join(db.Create(&Punch{ID: "a"}).Error, db.Save(&Punch{ID: "a", Unix: 1, Milli: 1}).Error)
		},
		want:   []string{"created Punch a", "changed Punch a"},
		tables: []oracle.Table{punches},
	},
	{
		name: "hooks that write to other tables", how: "each statement by itself, in the same transaction",
		models: []any{&Parcel{}},
		do: func(db *gorm.DB) error {
			p := Parcel{ID: "p", State: "new"}
			err := db.Create(&p).Error
			p.State = "sent"
			return errors.Join(err, db.Save(&p).Error, db.Delete(&p).Error)
		},
		want: []string{
			"created Parcel p", "created Document p new", "changed Parcel p", "created Document p sent",
			"changed Document p new", "changed Document p sent", "deleted Parcel p",
		},
		tables: []oracle.Table{parcels},
	},
	{
		name: "a hook that fails behind its statement", how: "inserted, and undone by GORM", models: []any{&Flop{}},
		do:     func(db *gorm.DB) error { return undone(db.Create(&Flop{ID: "1"}).Error) },
		tables: []oracle.Table{{Object: "Flop", Name: "flops", Keys: []string{"id"}}},
	},
	{
		name: "the same, in a transaction that commits all the same", how: "inserted: the row is there", models: []any{&Flop{}},
		do: func(db *gorm.DB) error {
			return db.Transaction(func(tx *gorm.DB) error { return undone(tx.Create(&Flop{ID: "1"}).Error) })
		},
		want: []string{"created Flop 1"}, tables: []oracle.Table{{Object: "Flop", Name: "flops", Keys: []string{"id"}}},
	},
}

// Flop has a hook that fails when the row is written.
type Flop struct {
	ID string `gorm:"primaryKey;size:20"`
}

// AfterCreate fails.
func (*Flop) AfterCreate(*gorm.DB) error { return errUndo }

var upserting = []capture{
	{
		name: "`Save`, known key", how: "locked",
		given: have(&Product{SKU: "a", Title: "t", State: "s"}),
		do:    func(db *gorm.DB) error { return db.Save(&Product{SKU: "a", Title: "t", Price: 1, State: "s"}).Error },
		want:  []string{`changed Product a {"old":{"price":0},"new":{"price":1}}`},
	},
	{
		name: "`Save`, nothing new", how: "locked, compared",
		given: have(&Document{ID: "1", Body: "x"}),
		do:    func(db *gorm.DB) error { return db.Save(&Document{ID: "1", Body: "x"}).Error },
	},
	{
		name: "`Save`, unknown key", how: "locked, then met: GORM updates no row and inserts",
		do:   func(db *gorm.DB) error { return db.Save(&Product{SKU: "a"}).Error },
		want: []string{"created Product a"},
	},
	{
		name: "`Save`, key of zero", how: "inserted",
		do:   func(db *gorm.DB) error { return db.Save(&Customer{Name: "a"}).Error },
		want: []string{"created Customer 1"},
	},
	{
		name: "`Save(&[]T)`, old and new rows", how: "met",
		given: have(&Product{SKU: "a", State: "s"}, &Product{SKU: "same", State: "s"}),
		do: func(db *gorm.DB) error {
			return db.Save(&[]Product{{SKU: "a", Price: 1, State: "s"}, {SKU: "b"}, {SKU: "same", State: "s"}}).Error
		},
		want: []string{`changed Product a {"old":{"price":0},"new":{"price":1}}`, "created Product b"},
	},
	{
		name: "`Save` of a soft-deleted row", how: "locked, then met: GORM finds no row and inserts, which meets it",
		given: func(t *testing.T, d *testdb.Database, db *gorm.DB) {
			have(&Customer{ID: 1, Name: "a"})(t, d, db)
			must(t, db.Delete(&Customer{ID: 1}))
		},
		do:   func(db *gorm.DB) error { return db.Save(&Customer{ID: 1, Name: "b"}).Error },
		want: []string{"restored Customer 1"},
	},
	{
		name: "`OnConflict{DoNothing}`, new and old rows", how: "met; PostgreSQL and SQLite: inserted, they return the new rows only",
		given: have(&Product{SKU: "a"}),
		do: func(db *gorm.DB) error {
			return db.Clauses(clause.OnConflict{DoNothing: true}).Create(&[]Product{{SKU: "a", Price: 9}, {SKU: "b"}}).Error
		},
		want: []string{"created Product b"},
	},
	{
		name: "`OnConflict{DoNothing}` on another unique column", how: "met; PostgreSQL and SQLite: inserted, they return the new rows only",
		models: []any{&Ledger{}},
		given:  have(&Ledger{ID: 1, Email: named("a")}),
		do: func(db *gorm.DB) error {
			return db.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "email"}}, DoNothing: true}).
				Create(&[]Ledger{{ID: 5, Email: named("a")}, {ID: 6, Email: named("b")}}).Error
		},
		want:   []string{"created Ledger 6"},
		tables: []oracle.Table{ledgers},
	},
	{
		name: "`OnConflict{UpdateAll}`, new, old and untouched rows", how: "met",
		given: have(&Product{SKU: "a", State: "s"}, &Product{SKU: "same", State: "s"}),
		do: func(db *gorm.DB) error {
			return db.Clauses(clause.OnConflict{UpdateAll: true}).
				Create(&[]Product{{SKU: "a", Price: 9, State: "s"}, {SKU: "b"}, {SKU: "same", State: "s"}}).Error
		},
		want: []string{`changed Product a {"old":{"price":0},"new":{"price":9}}`, "created Product b"},
	},
	{
		name: "`OnConflict{DoUpdates}`, composite key", how: "met",
		given: have(&Stock{SKU: "a", Warehouse: 1, Amount: 1}),
		do: func(db *gorm.DB) error {
			return db.Clauses(clause.OnConflict{
				Columns:   []clause.Column{{Name: "sku"}, {Name: "warehouse"}},
				DoUpdates: clause.AssignmentColumns([]string{"amount"}),
			}).Create(&[]Stock{{SKU: "a", Warehouse: 1, Amount: 2}, {SKU: "a", Warehouse: 2}}).Error
		},
		want: []string{`changed Stock ["a",1] {"old":{"amount":1},"new":{"amount":2}}`, `created Stock ["a",2]`},
	},
	{
		name: "`OnConflict{DoUpdates}` with an expression", how: "met",
		given: have(&Stock{SKU: "a", Warehouse: 1, Amount: 1}),
		do: func(db *gorm.DB) error {
			return db.Clauses(clause.OnConflict{
				Columns:   []clause.Column{{Name: "sku"}, {Name: "warehouse"}},
				DoUpdates: clause.Assignments(map[string]any{"amount": gorm.Expr("stocks.amount + 10")}),
			}).Create(&Stock{SKU: "a", Warehouse: 1}).Error
		},
		want: []string{`changed Stock ["a",1] {"old":{"amount":1},"new":{"amount":11}}`},
	},
	{
		name: "`OnConflict{DoUpdates}` on another unique column", how: "met",
		models: []any{&Ledger{}},
		given:  have(&Ledger{ID: 1, Email: named("a")}),
		do: func(db *gorm.DB) error {
			return db.Clauses(clause.OnConflict{
				Columns:   []clause.Column{{Name: "email"}},
				DoUpdates: clause.AssignmentColumns([]string{"n"}),
			}).Create(&[]Ledger{{ID: 5, Email: named("a"), N: 2}, {ID: 6, Email: named("b")}}).Error
		},
		want:   []string{`changed Ledger 1 {"old":{"n":0},"new":{"n":2}}`, "created Ledger 6"},
		tables: []oracle.Table{ledgers},
	},
	{
		name: "`OnConflict{DoUpdates}` of the key", how: "met; a second look at the old keys, or the trace, tells which row moved",
		models: []any{&Ledger{}},
		given:  have(&Ledger{ID: 1, Email: named("a")}),
		do: func(db *gorm.DB) error {
			return db.Clauses(clause.OnConflict{
				Columns:   []clause.Column{{Name: "email"}},
				DoUpdates: clause.AssignmentColumns([]string{"id"}),
			}).Create(&Ledger{ID: 5, Email: named("a")}).Error
		},
		want:   []string{`changed Ledger 1 -> 5 {"old":{"id":1},"new":{"id":5}}`},
		tables: []oracle.Table{ledgers},
	},
	{
		name: "`OnConflict{DoUpdates, Where}` that is false", how: "met; MariaDB and MySQL have no such condition and update",
		given: have(&Product{SKU: "a"}),
		do: func(db *gorm.DB) error {
			return db.Clauses(clause.OnConflict{
				Columns:   []clause.Column{{Name: "sku"}},
				DoUpdates: clause.AssignmentColumns([]string{"price"}),
				Where:     clause.Where{Exprs: []clause.Expression{clause.Expr{SQL: "1 = 0"}}},
			}).Create(&Product{SKU: "a", Price: 9}).Error
		},
		differs: map[testdb.Kind][]string{testdb.MariaDB: {`changed Product a {"old":{"price":0},"new":{"price":9}}`}},
	},
	{
		returning: true,
		name:      "`OnConflict` with `clause.Returning`", how: "met; the caller gets its own columns",
		given: have(&Product{SKU: "a", State: "s"}),
		do: func(db *gorm.DB) error {
			p := Product{SKU: "a", Price: 9}
			err := db.Clauses(clause.OnConflict{
				Columns: []clause.Column{{Name: "sku"}}, DoUpdates: clause.AssignmentColumns([]string{"price"}),
			}, clause.Returning{}).Create(&p).Error
			if err == nil && p.State != "s" {
				return errNotReturned
			}
			return err
		},
		want: []string{`changed Product a {"old":{"price":0},"new":{"price":9}}`},
	},
	{
		name: "`OnConflict{UpdateAll}` with the same new row twice", how: "met; the second one changes what the first one created; PostgreSQL refuses it",
		do: func(db *gorm.DB) error {
			return db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&[]Product{{SKU: "a", Price: 1}, {SKU: "a", Price: 2}}).Error
		},
		want:      []string{"created Product a", changedPrice("a", "1", "2")},
		on:        []testdb.Kind{testdb.SQLiteCgo, testdb.SQLitePure, testdb.MariaDB},
		returning: true,
	},
	{
		name: "a key that is an expression", how: "met: the database evaluates it",
		given: have(&Product{SKU: "a"}),
		do: func(db *gorm.DB) error {
			return db.Model(&Product{}).Clauses(clause.OnConflict{
				Columns: []clause.Column{{Name: "sku"}}, DoUpdates: clause.AssignmentColumns([]string{"price"}),
			}).Create(map[string]any{"sku": gorm.Expr("lower(?)", "A"), "price": 4}).Error
		},
		want: []string{changedPrice("a", "0", "4")},
	},
	{
		name: "`OnConflict{OnConstraint}`", how: "met, on every unique index", given: haveLogs,
		do: func(db *gorm.DB) error {
			return db.Table("logs").Clauses(clause.OnConflict{
				OnConstraint: "logs_pkey", DoUpdates: clause.AssignmentColumns([]string{"line"}),
			}).Create([]map[string]any{{"id": 1, "line": "z"}, {"id": 9, "line": "z"}}).Error
		},
		want: []string{`changed logs 1 {"old":{"line":"a"},"new":{"line":"z"}}`, "created logs 9"},
		on:   []testdb.Kind{testdb.Postgres}, tables: []oracle.Table{logs},
	},
	{
		name: "`OnConflict{TargetWhere}` on a partial unique index", how: "met",
		given: func(t *testing.T, d *testdb.Database, db *gorm.DB) {
			createLogs(t, d, db)
			ddl(t, db, "CREATE UNIQUE INDEX logs_line ON logs (line) WHERE id < 10")
			must(t, db.Table("logs").Create([]map[string]any{{"id": 1, "line": "a"}, {"id": 11, "line": "a"}, {"id": 12, "line": "a"}}))
		},
		do: func(db *gorm.DB) error {
			return db.Table("logs").Clauses(clause.OnConflict{
				Columns:     []clause.Column{{Name: "line"}},
				TargetWhere: clause.Where{Exprs: []clause.Expression{clause.Expr{SQL: "id < 10"}}},
				DoUpdates:   clause.Assignments(map[string]any{"line": "z"}),
			}).Create([]map[string]any{{"id": 5, "line": "a"}, {"id": 6, "line": "b"}}).Error
		},
		want: []string{`changed logs 1 {"old":{"line":"a"},"new":{"line":"z"}}`, "created logs 6"},
		on:   []testdb.Kind{testdb.Postgres, testdb.SQLiteCgo, testdb.SQLitePure}, tables: []oracle.Table{logs},
	},
	{
		name: "`gorm.G[T](db, clause.OnConflict{…}).Create`", how: "met",
		given: have(&Product{SKU: "a", State: "s"}),
		do: func(db *gorm.DB) error {
			return gorm.G[Product](db, clause.OnConflict{UpdateAll: true}).
				Create(context.Background(), &Product{SKU: "a", Price: 9, State: "s"})
		},
		want: []string{`changed Product a {"old":{"price":0},"new":{"price":9}}`},
	},
	{
		name: "`INSERT OR REPLACE` by `clause.Insert{Modifier}`", how: "met, on every unique index: each may cost a row",
		models: []any{&Ledger{}},
		given:  have(&Ledger{ID: 1, Email: named("a")}, &Ledger{ID: 2, Email: named("b")}),
		do: func(db *gorm.DB) error {
			return db.Clauses(clause.Insert{Modifier: "OR REPLACE"}).Create(&Ledger{ID: 1, Email: named("b")}).Error
		},
		want:   []string{"changed Ledger 1", "deleted Ledger 2"},
		on:     []testdb.Kind{testdb.SQLiteCgo, testdb.SQLitePure},
		tables: []oracle.Table{ledgers},
	},
}
