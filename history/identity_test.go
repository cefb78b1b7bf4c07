package history_test

import (
	"testing"

	"github.com/eventaudit/eventaudit/history"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

// Invoice has a number that PostgreSQL chooses, and no one else.
type Invoice struct {
	Number int64 `gorm:"primaryKey;autoIncrement"`
	Total  int64
}

func TestRowsComeBackWithTheirIdentity(t *testing.T) {
	t.Parallel()
	db, _ := install(t, testdb.New(t, testdb.Postgres))
	must(t, db.Exec("CREATE TABLE invoices (number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, total bigint)"))
	invoices := []Invoice{{Total: 10}, {Total: 20}}
	must(t, db.Create(&invoices))
	must(t, db.Delete(&invoices[0]))
	if _, err := history.Undelete[Invoice](because(), db, invoices[0].Number); err != nil {
		t.Fatal(err)
	}
	var back Invoice
	must(t, db.First(&back, invoices[0].Number))
	if back != invoices[0] {
		t.Errorf("%+v came back as %+v", invoices[0], back)
	}
	next := Invoice{Total: 30}
	must(t, db.Create(&next)) // without the words for it
	if next.Number != 3 {
		t.Errorf("the next one is %+v", next)
	}
}
