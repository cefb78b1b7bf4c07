package eventaudit_test

import (
	"errors"
	"testing"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/migrate"
)

type gauge struct {
	ID int
	N  int
}

// A statement that looks for the events of those before it finds them, over
// pgpipe too.
func TestStatementsThatReadTheTrail(t *testing.T) {
	t.Parallel()
	const count = "(Select count(*) FROM event_audit_event)"
	seen := func(table string) func(tx *gorm.DB) *gorm.DB {
		return func(tx *gorm.DB) *gorm.DB {
			return tx.Table(table).Create(map[string]any{"id": 1, "n": gorm.Expr("seen()")})
		}
	}
	cases := map[string]struct {
		run  func(tx *gorm.DB) *gorm.DB
		read string
	}{
		"an update": {func(tx *gorm.DB) *gorm.DB { return tx.Model(&gauge{ID: 1}).Update("n", gorm.Expr(count)) }, "gauges"},
		"an insert": {func(tx *gorm.DB) *gorm.DB {
			return tx.Table("others").Create(map[string]any{"id": 1, "n": gorm.Expr(count)})
		}, "others"},
		"a condition":              {func(tx *gorm.DB) *gorm.DB { return tx.Model(&gauge{ID: 1}).Where("n < "+count).Update("n", 2) }, "gauges"},
		"a trigger":                {func(tx *gorm.DB) *gorm.DB { return tx.Table("watched").Create(map[string]any{"id": 1, "n": 0}) }, "watched"},
		"a rule":                   {seen("ruled"), "ruled"},
		"row security":             {seen("guarded"), "guarded"},
		"inheritance":              {seen("parent"), "parent"},
		"a reference":              {seen("approvals"), "approvals"},
		"a reference back":         {seen("referred"), "referred"},
		"a trigger of a partition": {func(tx *gorm.DB) *gorm.DB { return tx.Table("parts").Create(map[string]any{"id": 1, "n": 0}) }, "parts"},
		"a view":                   {func(tx *gorm.DB) *gorm.DB { return tx.Table("shown").Where("id = ?", 1).Update("n", 5) }, "gauges"},
	}
	for name, c := range cases {
		for way, piped := range map[string]bool{"plain": false, "pgpipe": true} {
			t.Run(name+" "+way, func(t *testing.T) {
				t.Parallel()
				db, _ := countingPostgres(t, piped, func([]byte) bool { return false })
				if err := errors.Join(migrate.Up(db), db.AutoMigrate(&gauge{})); err != nil {
					t.Fatal(err)
				}
				for _, text := range []string{
					"CREATE TABLE others (id int PRIMARY KEY, n int)",
					"CREATE TABLE watched (id int PRIMARY KEY, n int)",
					"CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.n := " + count + "; RETURN NEW; END $$",
					"CREATE TRIGGER look BEFORE INSERT ON watched FOR EACH ROW EXECUTE FUNCTION look()",
					"CREATE FUNCTION seen() RETURNS int LANGUAGE sql AS 'SELECT " + count + "::int'",
					"CREATE TABLE ruled (id int PRIMARY KEY, n int)",
					"CREATE RULE also AS ON DELETE TO ruled DO ALSO NOTHING",
					"CREATE TABLE guarded (id int PRIMARY KEY, n int)",
					"ALTER TABLE guarded ENABLE ROW LEVEL SECURITY",
					"CREATE TABLE parent (id int PRIMARY KEY, n int)",
					"CREATE TABLE child () INHERITS (parent)",
					"CREATE TABLE approvals (id int PRIMARY KEY, n int, event text REFERENCES event_audit_event (id))",
					"CREATE TABLE referred (id int PRIMARY KEY, n int)",
					"ALTER TABLE event_audit_event ADD COLUMN about int REFERENCES referred",
					"CREATE TABLE parts (id int PRIMARY KEY, n int) PARTITION BY RANGE (id)",
					"CREATE TABLE part PARTITION OF parts FOR VALUES FROM (0) TO (9)",
					"CREATE TRIGGER look BEFORE INSERT ON part FOR EACH ROW EXECUTE FUNCTION look()",
					"CREATE VIEW shown AS SELECT id, n FROM gauges",
					"CREATE FUNCTION show() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE gauges SET n = " + count + " WHERE id = OLD.id; RETURN NEW; END $$",
					"CREATE TRIGGER show INSTEAD OF UPDATE ON shown FOR EACH ROW EXECUTE FUNCTION show()",
				} {
					must(t, db.Exec(text))
				}
				use(t, db)
				again := errors.New("again")
				for range 3 { // later its statements are prepared
					err := db.Transaction(func(tx *gorm.DB) error {
						must(t, tx.Create(&gauge{ID: 1}))
						must(t, tx.Model(&gauge{ID: 1}).Update("n", 1))
						must(t, c.run(tx))
						var n int
						must(t, tx.Raw("SELECT n FROM "+c.read).Scan(&n))
						if n != 2 {
							t.Errorf("it found %d events, want 2", n)
						}
						return again
					})
					if !errors.Is(err, again) {
						t.Fatal(err)
					}
				}
			})
		}
	}
}
