package eventaudit_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/oracle"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

func ddl(t testing.TB, db *gorm.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		must(t, db.Exec(s))
	}
}

func TestSaveOldAndNewRowsTogether(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d)
		type kid struct {
			ID       uint
			ParentID uint
			Name     string
		}
		type parent struct {
			ID   uint
			Kids []kid
		}
		if err := db.AutoMigrate(&parent{}, &kid{}); err != nil {
			t.Fatal(err)
		}
		p := parent{Kids: []kid{{Name: "a"}}}
		must(t, db.Create(&p))
		p.Kids = append(p.Kids, kid{Name: "b"})
		if err := db.Save(&p).Error; err != nil {
			t.Errorf("save a parent with an old and a new child: %v", err)
		}
		must(t, db.Create(&Customer{Name: "old"}))
		if err := db.Save(&[]Customer{{ID: 1, Name: "saved"}, {Name: "new"}}).Error; err != nil {
			t.Errorf("save an old and a new customer: %v", err)
		}
		oracle.Check(t, db, audit.Repository(), modelTables[0])
	})
}

type Tariff struct {
	ID        uint `gorm:"primaryKey"`
	ValidFrom string
	Amount    int
}

// A model may name fewer key columns than the table has; rows are told apart by
// what the catalog knows.
func TestModelKeyNarrowerThanTableKey(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d)
		ddl(t, db, "CREATE TABLE tariffs (id integer NOT NULL, valid_from varchar(20) NOT NULL, amount integer, PRIMARY KEY (id, valid_from))")
		must(t, db.Create(&[]Tariff{{1, "2023", 10}, {1, "2024", 20}}))
		tx := db.Model(&Tariff{}).Where("id = 1 AND valid_from = ?", "2024").Update("amount", 99)
		if tx.Error != nil || tx.RowsAffected != 1 {
			t.Errorf("err %v, %d rows, want 1", tx.Error, tx.RowsAffected)
		}
		var old int
		must(t, db.Raw("SELECT amount FROM tariffs WHERE valid_from = '2023'").Scan(&old))
		if old != 10 {
			t.Errorf("the plugin changed a row that the WHERE excludes: amount is %d", old)
		}
		must(t, db.Model(&Tariff{}).Where("1 = 1").Update("amount", gorm.Expr("amount + 1")))
		oracle.Check(t, db, audit.Repository(), oracle.Table{Object: "Tariff", Name: "tariffs", Keys: []string{"id", "valid_from"}})
	})
}

type Voucher struct {
	Code  *string `gorm:"primaryKey"`
	Value int
}

// What the model calls its key may be null in the table.
func TestNullInTheModelKey(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, _ := install(t, d)
		ddl(t, db, "CREATE TABLE vouchers (code varchar(20), value integer)", "INSERT INTO vouchers VALUES (NULL, 1)")
		if tx := db.Model(&Voucher{}).Where("code IS NULL").Update("value", 5); tx.Error == nil && tx.RowsAffected != 1 {
			t.Errorf("%d rows, want 1", tx.RowsAffected)
		}
	})
}

func TestAlterTableByAnotherProcess(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d)
		other := d.Open(t)
		must(t, db.Create(&Document{ID: "0"}))
		ddl(t, other, "ALTER TABLE documents ADD COLUMN extra varchar(10) DEFAULT 'q'")
		if err := db.Create(&Document{ID: "1"}).Error; err != nil {
			t.Errorf("create after ADD COLUMN: %v", err)
		}
		must(t, db.Create(&Document{ID: "2"}))
		events := trail(t, audit, event.Filter{})
		if last := string(events[len(events)-1].Result); !strings.Contains(last, "extra") {
			t.Errorf("the new column is not in the image: %s", last)
		}
		ddl(t, db, "CREATE TABLE unrelated (id integer)") // makes the plugin look again
		must(t, db.Create(&Document{ID: "3"}))
		ddl(t, other, "ALTER TABLE documents DROP COLUMN extra")
		for i := range 3 {
			if err := db.Create(&Document{ID: fmt.Sprint("x", i)}).Error; err != nil {
				t.Errorf("create %d after DROP COLUMN: %v", i, err)
			}
		}
	})
}

func TestRolledBackAlterTable(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		if d.Kind() == testdb.MariaDB {
			return // a change of a table commits there
		}
		db, _ := install(t, d)
		err := db.Transaction(func(tx *gorm.DB) error {
			ddl(t, tx, "ALTER TABLE documents ADD COLUMN extra varchar(10)")
			must(t, tx.Create(&Document{ID: "1"}))
			return errUndo
		})
		if !errors.Is(err, errUndo) {
			t.Fatal(err)
		}
		for i := range 3 {
			if err := db.Create(&Document{ID: fmt.Sprint(i)}).Error; err != nil {
				t.Errorf("create %d: %v", i, err)
			}
		}
	})
}

func TestLastInsertIDOfMaps(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, _ := install(t, d)
		type thing struct {
			ID uint
			N  int
		}
		if err := db.AutoMigrate(&thing{}); err != nil {
			t.Fatal(err)
		}
		ddl(t, db, "INSERT INTO things (n) VALUES (0),(0),(0)")
		row := map[string]any{"n": 7}
		must(t, db.Table("things").Create(row))
		if id, ok := row["@id"]; d.Kind() == testdb.Postgres && ok || d.Kind() != testdb.Postgres && id != int64(4) {
			t.Errorf("@id = %v, want what plain GORM says: 4, or none on PostgreSQL", id)
		}
	})
}

// Asking PostgreSQL for an id that no sequence made would end the transaction.
func TestNoInsertIDOnPostgres(t *testing.T) {
	t.Parallel()
	d := testdb.New(t, testdb.Postgres)
	prepare(t, d)
	db, _ := use(t, d.Open(t), eventaudit.WithSkip(func(context.Context, event.Event) bool { return true }))
	if err := db.Table("stocks").Create(map[string]any{"sku": "a", "warehouse": 1}).Error; err != nil {
		t.Errorf("create: %v", err) // commit unexpectedly resulted in rollback
	}
	err := db.Transaction(func(tx *gorm.DB) error {
		return tx.Table("stocks").Create(map[string]any{"sku": "b", "warehouse": 1}).Error
	})
	if n := count(t, db, "stocks"); n != 2 {
		t.Errorf("%d rows, want 2; err %v", n, err)
	}
}

func TestUpdateWithLimit(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d)
		must(t, db.Create(&[]Product{{SKU: "a"}, {SKU: "b"}, {SKU: "c"}}))
		must(t, db.Model(&Product{}).Where("1 = 1").Limit(1).Update("price", 9))
		must(t, db.Create(&[]Customer{{Name: "a"}, {Name: "b"}}))
		must(t, db.Limit(1).Where("1 = 1").Delete(&Customer{}))
		oracle.Check(t, db, audit.Repository(), modelTables...)
	})
}

type Legacy struct {
	ID   uint
	Name string
	Note string `audit:"redact"`
}

// Columns that differ from the model's in case are the same columns.
func TestColumnCase(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		if d.Kind() == testdb.Postgres {
			return // names have case there
		}
		db, audit := install(t, d)
		key := "INTEGER PRIMARY KEY"
		if d.Kind() == testdb.MariaDB {
			key += " AUTO_INCREMENT"
		}
		ddl(t, db, "CREATE TABLE legacies (ID "+key+", Name text, Note text)")
		must(t, db.Create(&[]Legacy{{Name: "a", Note: "s3cret"}, {Name: "b", Note: "s3cret"}}))
		func() {
			defer func() {
				if r := recover(); r != nil {
					t.Errorf("panic: %v", r)
				}
			}()
			must(t, db.Model(&Legacy{}).Where("1 = 1").Update("name", gorm.Expr("upper(name)")))
		}()
		for _, e := range trail(t, audit, event.Filter{}) {
			if e.ActionObjectID == "" || strings.Contains(string(e.Result), "s3cret") {
				t.Errorf("%s %q %s", e.Action, e.ActionObjectID, e.Result)
			}
		}
	})
}

type Sealed struct {
	ID     uint
	Body   json.RawMessage
	Doc    string
	Hidden string `audit:"redact"`
}

type SealedKey struct {
	Code string `gorm:"primaryKey;size:40" audit:"-"`
}

// Secrets behind white space, in bytes, in keys and behind a schema name.
func TestSecretsInOddPlaces(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d)
		if err := db.AutoMigrate(&Sealed{}, &SealedKey{}); err != nil {
			t.Fatal(err)
		}
		must(t, db.Create(&Sealed{Hidden: "s3cret"}))
		must(t, db.Model(&Sealed{ID: 1}).Update("doc", "\n {\"password\":\"s3cret\"}"))
		must(t, db.Model(&Sealed{ID: 1}).Update("body", json.RawMessage(`{"password":"s3cret"}`)))
		must(t, db.Create(&SealedKey{"s3cret"}))
		schema := "main"
		switch d.Kind() {
		case testdb.Postgres:
			schema = "public"
		case testdb.MariaDB:
			must(t, db.Raw("SELECT DATABASE()").Scan(&schema))
		}
		must(t, db.Table(schema+".sealeds").Where("id = 1").Update("hidden", "s3cret2"))
		for _, e := range trail(t, audit, event.Filter{}) {
			if all := e.ActionObjectID + string(e.Result); strings.Contains(all, "s3cret") || strings.Contains(all, "czNjcmV0") || strings.Contains(all, "eyJwYXNzd29yZCI6InMzY3JldC") {
				t.Errorf("leaked: %s %q %s", e.ActionObject, e.ActionObjectID, e.Result)
			}
		}
	})
}

func TestLargeUpdateOnMariaDB(t *testing.T) {
	t.Parallel()
	db, _ := install(t, testdb.New(t, testdb.MariaDB))
	ddl(t, db, "INSERT INTO documents (id, body) SELECT seq, '' FROM seq_1_to_66000")
	tx := db.Model(&Document{}).Where("1 = 1").Update("body", "x")
	if tx.Error != nil || tx.RowsAffected != 66000 {
		t.Errorf("%v, %d rows", tx.Error, tx.RowsAffected)
	}
}

func withoutReturning(t *testing.T, d *testdb.Database) *gorm.DB {
	t.Helper()
	prepare(t, d)
	return openWithoutReturning(t, d, &gorm.Config{})
}

type Ledger struct {
	ID    uint
	Email *string `gorm:"size:50;uniqueIndex"`
	N     int
}

func TestUpsertWhoseRowsCannotBeFoundAgain(t *testing.T) {
	t.Parallel()
	db := withoutReturning(t, testdb.New(t, testdb.MariaDB))
	if err := db.AutoMigrate(&Ledger{}); err != nil {
		t.Fatal(err)
	}
	db, audit := use(t, db)
	a := "a"
	must(t, db.Create(&Ledger{Email: &a}))
	up := clause.OnConflict{DoUpdates: clause.AssignmentColumns([]string{"n"})}
	if err := db.Clauses(up).Create(&[]Ledger{{Email: &a, N: 1}, {N: 2}}).Error; err == nil {
		t.Error("the upsert was not refused")
	}
	must(t, db.Clauses(up).Create(&Ledger{Email: &a, N: 3}))
	must(t, db.Clauses(up).Create(&Ledger{N: 4}))
	oracle.Check(t, db, audit.Repository(), oracle.Table{Object: "Ledger", Name: "ledgers", Keys: []string{"id"}})
}

func TestAutoIncrementIncrement(t *testing.T) {
	t.Parallel()
	db := withoutReturning(t, testdb.New(t, testdb.MariaDB))
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	pool.SetMaxOpenConns(1)
	db, _ = use(t, db)
	ddl(t, db, "SET SESSION auto_increment_increment = 7")
	if err := db.Create(&[]Customer{{Name: "a"}, {Name: "b"}}).Error; err != nil {
		t.Error(err)
	}
}

func TestUpsertMovesTheKey(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d)
		if err := db.AutoMigrate(&Ledger{}); err != nil {
			t.Fatal(err)
		}
		a := "a"
		must(t, db.Create(&Ledger{ID: 1, Email: &a}))
		must(t, db.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "email"}}, DoUpdates: clause.AssignmentColumns([]string{"id", "n"})}).Create(&Ledger{ID: 77, Email: &a, N: 1}))
		oracle.Check(t, db, audit.Repository(), oracle.Table{Object: "Ledger", Name: "ledgers", Keys: []string{"id"}})
	})
}

func TestKeyAssignedAsAnotherType(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d)
		must(t, db.Create(&Product{SKU: "a"}))
		t.Log(db.Model(&Product{}).Where("sku = ?", "a").Update("sku", 5).Error)
		oracle.Check(t, db, audit.Repository(), modelTables...)
	})
}

func TestCreateThroughAnAlias(t *testing.T) {
	t.Parallel()
	db, _ := install(t, testdb.New(t, testdb.Postgres))
	if err := db.Table("documents AS d").Create(&Document{ID: "1"}).Error; err != nil {
		t.Error(err)
	}
}

type Setting struct {
	Key   string `gorm:"size:50;uniqueIndex"`
	Value string
}

// A table may have a unique index and no primary key.
func TestUpsertByUniqueIndexWithoutPrimaryKey(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, _ := install(t, d)
		if err := db.AutoMigrate(&Setting{}); err != nil {
			t.Fatal(err)
		}
		up := clause.OnConflict{Columns: []clause.Column{{Name: "key"}}, DoUpdates: clause.AssignmentColumns([]string{"value"})}
		if err := db.Clauses(up).Create(&Setting{"a", "1"}).Error; err != nil {
			t.Error(err)
		}
	})
}

func TestTableCreatedLater(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db, audit := install(t, d)
		if db.Table("laters").Create(map[string]any{"id": 1, "n": 1}).Error == nil {
			t.Fatal("there is no such table")
		}
		ddl(t, d.Open(t), "CREATE TABLE laters (id integer primary key, n integer)")
		if err := db.Table("laters").Create(map[string]any{"id": 1, "n": 1}).Error; err != nil {
			t.Error(err)
		}
		for _, e := range trail(t, audit, event.Filter{}) {
			if e.ActionObjectID != "1" {
				t.Errorf("%s %q", e.Action, e.ActionObjectID)
			}
		}
	})
}

func TestResultOutlivesTheTransaction(t *testing.T) {
	t.Parallel()
	db, _ := install(t, testdb.New(t, testdb.SQLitePure))
	r := gorm.WithResult()
	if err := gorm.G[Stock](db, r).Create(context.Background(), &Stock{SKU: "a"}); err != nil {
		t.Fatal(err)
	}
	if id, err := r.Result.LastInsertId(); err != nil || id != 1 {
		t.Errorf("LastInsertId = %d, %v; plain GORM says 1", id, err)
	}
}

// Keys of types that drivers give as bytes are the same keys before and after.
func TestKeysOfEveryTypeOnMariaDB(t *testing.T) {
	t.Parallel()
	db, audit := install(t, testdb.New(t, testdb.MariaDB))
	for name, key := range map[string]string{
		"binary(16)": "'0123456789abcdef'", "varbinary(16)": "x'30ff31'", "date": "'2024-02-29'", "datetime(6)": "'2024-02-29 10:00:00.5'",
		"decimal(20,2)": "12345678.50", "bigint unsigned": "18446744073709551615", "varchar(20)": "'a,b'", "double": "0.5",
		"bit(8)": "b'101'", "bit(64)": "b'1000000000000000000000000000000000000000000000000000000000000001'",
	} {
		table := "keys_" + strings.NewReplacer("(", "", ")", "", ",", "", " ", "").Replace(name)
		ddl(t, db, "CREATE TABLE "+table+" (id "+name+" PRIMARY KEY, n int)", "INSERT INTO "+table+" VALUES ("+key+", 1)")
		if tx := db.Table(table).Where("n = 1").Updates(map[string]any{"n": 2}); tx.Error != nil || tx.RowsAffected != 1 {
			t.Errorf("%s: %v, %d rows", name, tx.Error, tx.RowsAffected)
		}
		if events := trail(t, audit, event.Filter{ActionObject: table}); len(events) != 1 || events[0].Action != event.ActionChanged {
			t.Errorf("%s: %+v", name, events)
		}
	}
}

type Switch struct {
	Pins []byte `gorm:"primaryKey;type:bit(12)"`
	Port []byte `gorm:"primaryKey;type:bit(3)"`
	N    int
}

// An app finds a bit key by its number and not by its bytes, which the database
// compares as text. Capture changes neither.
func TestBitKeys(t *testing.T) {
	t.Parallel()
	open := map[string]func(*testing.T, *testdb.Database) *gorm.DB{
		"returning":         func(t *testing.T, d *testdb.Database) *gorm.DB { return prepare(t, d) },
		"without returning": withoutReturning,
	}
	for name, open := range open {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var seen [2][]string
			for i := range seen {
				db := open(t, testdb.New(t, testdb.MariaDB))
				if err := db.AutoMigrate(&Switch{}); err != nil {
					t.Fatal(err)
				}
				var audit *eventaudit.Auditor
				if i == 1 {
					db, audit = use(t, db)
				}
				saw := func(what string, tx *gorm.DB) {
					seen[i] = append(seen[i], fmt.Sprint(what, " ", tx.RowsAffected, " ", tx.Error))
				}
				on := []byte{0, 5}
				saw("create", db.Create(&[]Switch{{on, []byte{1}, 1}, {on, []byte{2}, 2}, {[]byte{4, 0}, []byte{2}, 3}}))
				saw("update by bytes", db.Model(&Switch{Pins: on, Port: []byte{1}}).Update("n", 10))
				saw("update by number", db.Model(&Switch{}).Where("pins = ? AND port = ?", 5, 1).Update("n", 11))
				saw("update the key", db.Model(&Switch{}).Where("n = 3").Update("pins", gorm.Expr("b'11'")))
				saw("save", db.Save(&Switch{on, []byte{1}, 12}))
				saw("upsert", db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&[]Switch{{on, []byte{2}, 20}, {on, []byte{3}, 30}}))
				saw("delete by bytes", db.Delete(&Switch{on, []byte{2}, 0}))
				saw("delete by number", db.Where("port = 2").Delete(&Switch{}))
				if audit != nil {
					oracle.Check(t, db, audit.Repository(), oracle.Table{Object: "Switch", Name: "switches", Keys: []string{"pins", "port"}})
				}
			}
			if diff := cmp.Diff(seen[0], seen[1]); diff != "" {
				t.Errorf("without and with the plugin: %s", diff)
			}
		})
	}
}

// MariaDB refuses to compare text that is no number with one, but only when an
// UPDATE does so, and only at a row.
func TestUpdateThatComparesTextWithANumber(t *testing.T) {
	t.Parallel()
	for _, audited := range []bool{false, true} {
		db := prepare(t, testdb.New(t, testdb.MariaDB))
		if audited {
			db, _ = use(t, db)
		}
		must(t, db.Create(&Product{SKU: "a"}))
		if err := db.Model(&Product{}).Where("sku = ?", 5).Update("price", 1).Error; err == nil {
			t.Errorf("audited %v: no error", audited)
		}
	}
}

// An UPDATE may join what cannot be locked, and meet a row twice.
func TestUpdateFromASubquery(t *testing.T) {
	t.Parallel()
	for _, kind := range testdb.Kinds() {
		if kind == testdb.MariaDB {
			continue // GORM leaves FROM out there
		}
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			db, audit := install(t, testdb.New(t, kind))
			must(t, db.Create(&[]Product{{SKU: "a"}, {SKU: "b"}}))
			must(t, db.Create(&[]Stock{{"a", 1, 3}, {"a", 2, 4}}))
			from := func(sql string) clause.From { return clause.From{Tables: []clause.Table{{Name: sql, Raw: true}}} }
			must(t, db.Model(&Product{}).Clauses(from("(SELECT sku AS s, sum(amount) AS n FROM stocks GROUP BY sku) AS d")).
				Where("products.sku = d.s").Update("price", gorm.Expr("d.n")))
			must(t, db.Model(&Product{}).Clauses(from("(SELECT 'b' AS which UNION ALL SELECT 'b') AS d")).
				Where("products.sku = d.which").Update("price", 50))
			oracle.Check(t, db, audit.Repository(), modelTables...)
			if n := len(trail(t, audit, event.Filter{Action: event.ActionChanged})); n != 2 {
				t.Errorf("%d changes, want 2", n)
			}
		})
	}
}
