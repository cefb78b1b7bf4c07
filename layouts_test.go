package eventaudit_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

// pass is a row of a table without a primary key.
type pass struct {
	Code, Other *string
	N           int
}

// An upsert may tell the rows of a table apart by columns that nothing else
// tells them apart by; neither is taken for the other.
func TestUpsertsIntoTablesWithoutKeyBetweenOtherWrites(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		if d.Kind() == testdb.MariaDB {
			return // where tables need a key
		}
		db, audit := install(t, d)
		ddl(t, db, "CREATE TABLE passes (code varchar(20) UNIQUE, other varchar(20) UNIQUE, n integer)")
		text := func(s string) *string { return &s }
		upsert := func(column string, rows []pass) {
			must(t, db.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: column}}, DoUpdates: clause.AssignmentColumns([]string{"n"})}).Create(&rows))
		}
		must(t, db.Create(&[]pass{{text("a"), text("x"), 1}, {text("b"), text("y"), 2}}))
		upsert("code", []pass{{text("b"), text("z"), 3}, {text("a"), text("w"), 4}})
		upsert("other", []pass{{text("c"), text("y"), 5}, {text("d"), text("x"), 6}})
		must(t, db.Create(&pass{text("q"), text("q"), 9}))
		var got []string
		for _, e := range trail(t, audit, event.Filter{})[2:] {
			got = append(got, e.Action+" "+e.ActionObjectID+" "+string(e.Result))
		}
		want := []string{
			`changed b {"old":{"n":2},"new":{"n":3}}`, `changed a {"old":{"n":1},"new":{"n":4}}`,
			`changed y {"old":{"n":3},"new":{"n":5}}`, `changed x {"old":{"n":4},"new":{"n":6}}`,
			`created  {"new":{"code":"q","other":"q","n":9}}`,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

// Hints around the clauses of an UPDATE ... FROM leave it what it was.
func TestUpdateFromWithHints(t *testing.T) {
	t.Parallel()
	d := testdb.New(t, testdb.Postgres)
	db, audit := install(t, d)
	ddl(t, db, "CREATE TABLE tariffs (sku text, price integer)", "INSERT INTO tariffs VALUES ('zzz', 99), ('a', 10), ('b', 20)")
	for _, hinted := range []string{"WHERE", "FROM"} {
		must(t, db.Where("1 = 1").Delete(&Product{}))
		must(t, db.Create(&[]Product{{SKU: "a"}, {SKU: "b"}}))
		tx := db.Model(&Product{}).Clauses(clause.From{Tables: []clause.Table{{Name: "tariffs"}}}).Where("products.sku = tariffs.sku")
		c := tx.Statement.Clauses[hinted]
		c.BeforeExpression = clause.Expr{SQL: "/* hint */"}
		tx.Statement.Clauses[hinted] = c
		must(t, tx.Update("price", gorm.Expr("tariffs.price")))
		var got []string
		for _, e := range trail(t, audit, event.Filter{Action: event.ActionChanged}) {
			got = append(got, e.ActionObjectID+" "+string(e.Result))
		}
		want := strings.Repeat(`a {"old":{"price":0},"new":{"price":10}},b {"old":{"price":0},"new":{"price":20}},`, map[string]int{"WHERE": 1, "FROM": 2}[hinted])
		if diff := cmp.Diff(want, strings.Join(got, ",")+","); diff != "" {
			t.Errorf("%s: %s", hinted, diff)
		}
	}
}
