package eventaudit_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"pgregory.net/rapid"

	"github.com/eventaudit/eventaudit/hooks"
	"github.com/eventaudit/eventaudit/internal/oracle"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/repository/sqlrepo"
)

// Upserts of few values into a small table meet other rows and their own ones
// in every way, and the trail tells what they came to.
func TestRandomUpserts(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, d *testdb.Database, open func() *gorm.DB) {
		db, audit := use(t, open())
		var done, failed, refused int
		rapid.Check(t, func(rt *rapid.T) {
			must(t, db.Exec("DROP TABLE IF EXISTS seats"))
			must(t, db.Exec("DELETE FROM "+sqlrepo.Table))
			lines := drawTable(rt, db.Name())
			for _, text := range lines {
				must(t, db.Exec(text))
			}
			for range rapid.IntRange(1, 6).Draw(rt, "statements") {
				line, err := drawWrite(rt, db.Table("seats"), strings.Contains(lines[0], "id varchar"))
				lines = append(lines, fmt.Sprintf("%s: %v", line, err))
				switch {
				case err == nil:
					done++
				case strings.HasPrefix(err.Error(), "hooks:"), errors.Is(err, hooks.ErrCapture):
					refused++
				default:
					failed++
				}
			}
			oracle.Check(explained{rt, lines}, db, audit.Repository(), seats)
		})
		t.Logf("%d done, %d failed, %d refused", done, failed, refused)
	})
}

// explained says with every error what was done before it.
type explained struct {
	*rapid.T
	lines []string
}

func (t explained) Errorf(format string, args ...any) {
	t.T.Helper()
	t.T.Errorf("%s\n%s", strings.Join(t.lines, "\n"), fmt.Sprintf(format, args...))
}

// seatTriggers are triggers that change or delete the row that was written, or
// give it another key.
var seatTriggers = map[string][]string{
	"sqlite": {
		"CREATE TRIGGER x AFTER UPDATE ON seats BEGIN UPDATE seats SET n = NEW.n + 1 WHERE id = NEW.id; END",
		"CREATE TRIGGER x AFTER INSERT ON seats BEGIN UPDATE seats SET n = NEW.n + 1 WHERE id = NEW.id; END",
		"CREATE TRIGGER x AFTER UPDATE ON seats WHEN NEW.n = 3 BEGIN DELETE FROM seats WHERE id = NEW.id; END",
		"CREATE TRIGGER x AFTER INSERT ON seats WHEN NEW.n = 3 BEGIN UPDATE seats SET id = NEW.id + 2 WHERE id = NEW.id; END",
		"CREATE TRIGGER x AFTER UPDATE ON seats WHEN NEW.n = 3 BEGIN UPDATE seats SET id = NEW.id + 2, n = 0 WHERE id = NEW.id; END",
	},
	"mysql": {
		"CREATE TRIGGER x BEFORE UPDATE ON seats FOR EACH ROW SET NEW.n = NEW.n + 1",
		"CREATE TRIGGER x BEFORE INSERT ON seats FOR EACH ROW SET NEW.n = NEW.n + 1",
		"CREATE TRIGGER x BEFORE UPDATE ON seats FOR EACH ROW SET NEW.id = NEW.id + (NEW.n = 3)",
	},
	"postgres": {
		"CREATE TRIGGER x BEFORE UPDATE ON seats FOR EACH ROW EXECUTE FUNCTION seats_count()",
		"CREATE TRIGGER x BEFORE INSERT ON seats FOR EACH ROW EXECUTE FUNCTION seats_count()",
		"CREATE TRIGGER x AFTER UPDATE ON seats FOR EACH ROW EXECUTE FUNCTION seats_delete()",
	},
}

// drawTable returns how the table of seats is made.
func drawTable(t *rapid.T, dialect string) []string {
	unique := func(name string) string {
		if rapid.Bool().Draw(t, name+" is unique") {
			return " UNIQUE"
		}
		return ""
	}
	key := rapid.SampledFrom([]string{"integer", "varchar(20)"}).Draw(t, "key")
	texts := []string{fmt.Sprintf("CREATE TABLE seats (id %s PRIMARY KEY, name varchar(20)%s, seat integer%s, n integer)", key, unique("name"), unique("seat"))}
	if dialect == "postgres" {
		texts = append(texts,
			"CREATE OR REPLACE FUNCTION seats_count() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.n := NEW.n + 1; RETURN NEW; END $$",
			"CREATE OR REPLACE FUNCTION seats_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM seats WHERE id = NEW.id AND n = 3; RETURN NULL; END $$")
	}
	if trigger := rapid.SampledFrom(append(seatTriggers[dialect], "")).Draw(t, "trigger"); trigger != "" {
		texts = append(texts, trigger)
	}
	return texts
}

// drawWrite writes to the table of seats, mostly by an upsert, and returns how.
func drawWrite(t *rapid.T, db *gorm.DB, texts bool) (string, error) {
	number := func(name string, most int) int { return rapid.IntRange(0, most).Draw(t, name) }
	var rows []map[string]any
	for range 1 + number("rows", 4) {
		var id any = number("id", 5)
		if texts {
			id = fmt.Sprint(id)
		}
		rows = append(rows, seat(id, string(rune('a'+number("name", 3))), number("seat", 3), number("n", 4)))
	}
	switch number("kind", 10) {
	case 0:
		where := number("seat", 3)
		return fmt.Sprintf("delete seat %d", where), db.Where("seat = ?", where).Delete(&map[string]any{}).Error
	case 1:
		where, by := number("n", 4), number("by", 3)
		return fmt.Sprintf("add %d to keys with n < %d", by, where), db.Where("n < ?", where).Update("id", gorm.Expr("id + ?", by)).Error
	case 2:
		where, from := number("n", 4), number("from", 5)
		return fmt.Sprintf("subtract keys with n < %d from %d", where, from), db.Where("n < ?", where).Update("id", gorm.Expr("? - id", from)).Error
	case 3:
		if db.Name() == "sqlite" {
			return fmt.Sprint("replace by ", rows), db.Clauses(clause.Insert{Modifier: "OR REPLACE"}).Create(copies(rows)).Error
		}
	}
	up := clause.OnConflict{}
	if target := rapid.SampledFrom([]string{"", "id", "name", "seat"}).Draw(t, "target"); target != "" {
		up.Columns = conflicts(target)
	}
	if number("condition", 5) == 0 {
		up.Where = clause.Where{Exprs: []clause.Expression{gorm.Expr("seats.n < ?", number("below", 4))}}
	}
	switch number("action", 7) {
	case 0:
		up.DoNothing = true
	case 1:
		up.DoUpdates = assign("id", gorm.Expr("seats.id + 1"))
	default:
		var columns []string
		for _, name := range []string{"id", "name", "seat", "n"} {
			if rapid.Bool().Draw(t, "sets "+name) {
				columns = append(columns, name)
			}
		}
		if len(columns) == 0 {
			columns = []string{"n"}
		}
		up.DoUpdates = brought(columns...)
	}
	return fmt.Sprintf("upsert %+v %v", up, rows), db.Clauses(up).Create(copies(rows)).Error
}
