package hooks_test

import (
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/hooks"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

type paper struct {
	ID   uint
	Body string
}

// A trigger that another process made changes rows after PostgreSQL returned
// them. Nothing tells of it but the catalog.
func TestTheCatalogIsAskedAgain(t *testing.T) {
	t.Parallel()
	for recheck, want := range map[time.Duration]string{
		time.Hour: `{"old":{"body":"a"},"new":{"body":"b"}}`,
		1:         `{"old":{"body":"a"},"new":{"body":"b!"}}`,
	} {
		t.Run(recheck.String(), func(t *testing.T) {
			t.Parallel()
			d := testdb.New(t, testdb.Postgres)
			db, other := d.Open(t), d.Open(t)
			if err := db.AutoMigrate(&paper{}); err != nil {
				t.Fatal(err)
			}
			var events recorded
			if err := hooks.Register(db, &events, &hooks.Options{Recheck: recheck}); err != nil {
				t.Fatal(err)
			}
			row := paper{Body: "a"}
			done(t, db.Create(&row))
			done(t, other.Exec(`CREATE FUNCTION later() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
				UPDATE papers SET body = body || '!' WHERE id = NEW.id AND body NOT LIKE '%!'; RETURN NULL; END $$`))
			done(t, other.Exec("CREATE TRIGGER later AFTER UPDATE ON papers FOR EACH ROW EXECUTE FUNCTION later()"))
			done(t, db.Model(&row).Update("body", "b"))
			if last := string(events[len(events)-1].Result); last != want {
				t.Errorf("recorded %s, want %s", last, want)
			}
		})
	}
}

// When the catalog cannot be asked, the statement fails, and the next one asks.
func TestTheCatalogCannotBeAsked(t *testing.T) {
	t.Parallel()
	d := testdb.New(t, testdb.Postgres)
	db := d.Open(t)
	if err := db.AutoMigrate(&paper{}); err != nil {
		t.Fatal(err)
	}
	var events recorded
	if err := hooks.Register(db, &events, &hooks.Options{Recheck: 1}); err != nil {
		t.Fatal(err)
	}
	done(t, db.Create(&paper{Body: "a"}))
	err := db.Transaction(func(tx *gorm.DB) error {
		done(t, tx.Exec("SET LOCAL search_path TO ''")) // where the table is not
		return tx.Create(&paper{Body: "b"}).Error
	})
	if err == nil || !strings.Contains(err.Error(), "papers") {
		t.Errorf("err = %v, want one about the table", err)
	}
	done(t, db.Create(&paper{Body: "c"}))
	if len(events) != 2 {
		t.Errorf("%d events, want 2", len(events))
	}
}

// Where rows never have the columns that the catalog names, as beside an
// invisible one, it is not asked for each of them.
func TestRowsThatAreOddForGood(t *testing.T) {
	t.Parallel()
	costs := func(change string) (statements int) {
		db := testdb.New(t, testdb.MariaDB).Open(t)
		pool, err := db.DB()
		if err != nil {
			t.Fatal(err)
		}
		pool.SetMaxOpenConns(1) // the count is that of a connection
		if err := db.AutoMigrate(&paper{}); err != nil {
			t.Fatal(err)
		}
		done(t, db.Exec(change))
		var events recorded
		if err := hooks.Register(db, &events, nil); err != nil {
			t.Fatal(err)
		}
		asked := func() (n int) {
			var name string
			if err := pool.QueryRow("SHOW SESSION STATUS LIKE 'Questions'").Scan(&name, &n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		done(t, db.Create(&paper{Body: "a"}))
		before := asked()
		done(t, db.Create(&paper{Body: "b"}))
		if len(events) != 2 {
			t.Errorf("%d events, want 2", len(events))
		}
		return asked() - before
	}
	plain, odd := costs("ALTER TABLE papers ADD seen int DEFAULT 1"), costs("ALTER TABLE papers ADD unseen int INVISIBLE DEFAULT 1")
	if odd != plain {
		t.Errorf("a create takes %d statements beside an invisible column, %d beside another", odd, plain)
	}
}

func done(t *testing.T, tx *gorm.DB) {
	t.Helper()
	if tx.Error != nil {
		t.Fatal(tx.Error)
	}
}
