package hooks

import "testing"

// Whether a trigger moves keys is read from its text, in doubt with a yes.
func TestMoveKeys(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in    syntax
		table string
		body  string
		want  bool
	}{
		{sqliteSyntax, "things", "CREATE TRIGGER x AFTER UPDATE ON things BEGIN UPDATE things SET at = 1 WHERE id = NEW.id; END", false},
		{sqliteSyntax, "things", "CREATE TRIGGER x AFTER UPDATE OF id ON things BEGIN UPDATE things SET n = NEW.id WHERE id = NEW.id; END", false},
		{sqliteSyntax, "things", "CREATE TRIGGER x AFTER UPDATE ON things BEGIN UPDATE others SET id = 1; END", false},
		{sqliteSyntax, "things", "CREATE TRIGGER x AFTER UPDATE ON things BEGIN UPDATE Things SET n = 2, \"ID\" = id + 1; END", true},
		{sqliteSyntax, "things", "CREATE TRIGGER x AFTER UPDATE ON things BEGIN UPDATE OR REPLACE main.things SET (n, id) = (1, 2); END", true},
		{sqliteSyntax, "others", "CREATE TRIGGER x AFTER UPDATE ON others BEGIN UPDATE things SET id = 2; END", false},
		{sqliteSyntax, "things", "CREATE TRIGGER x AFTER UPDATE ON things BEGIN INSERT INTO things VALUES (1); END", false},
		{sqliteSyntax, "things", "CREATE TRIGGER x AFTER UPDATE ON things BEGIN DELETE FROM things WHERE id = 1; INSERT INTO things VALUES (1); END", true},
		{sqliteSyntax, "things", "CREATE TRIGGER x AFTER UPDATE ON things BEGIN REPLACE INTO things VALUES (1); END", true},
		{sqliteSyntax, "things", "CREATE TRIGGER x AFTER UPDATE ON things BEGIN INSERT OR REPLACE INTO things VALUES (1); END", true},
		{sqliteSyntax, "things", "CREATE TRIGGER x AFTER UPDATE ON things BEGIN INSERT INTO things VALUES (1) ON CONFLICT DO UPDATE SET id = 7; END", true},
		{mysqlSyntax, "things", "SET NEW.id = 5", true},
		{mysqlSyntax, "things", "BEGIN SET NEW.n = 1, NEW.`Id` := 5; END", true},
		{mysqlSyntax, "things", "BEGIN SELECT max(n) INTO NEW.id FROM others; END", true},
		{mysqlSyntax, "things", "IF NEW.id = 5 THEN INSERT INTO log VALUES (1, NEW.id); END IF", false},
	} {
		known := &table{name: "things", keys: []string{"id"}}
		if got := known.moveKeys(c.in, []trigger{{c.table, c.body}}); got != c.want {
			t.Errorf("%v, want %v: %s", got, c.want, c.body)
		}
	}
}
