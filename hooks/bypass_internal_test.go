package hooks

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// summary is what a script says, in one line: the writes, then what else was
// found.
func (s script) summary() string {
	var parts []string
	for _, w := range s.writes {
		parts = append(parts, w.verb+" "+strings.Join(w.tables, ","))
	}
	for _, flag := range []struct {
		word string
		is   bool
	}{{"schema", s.schema}, {"transaction", s.transaction}, {"counted", s.counted}} {
		if flag.is {
			parts = append(parts, flag.word)
		}
	}
	if s.opaque != "" {
		parts = append(parts, "opaque "+s.opaque)
	}
	return strings.Join(parts, "; ")
}

func TestParseSQL(t *testing.T) {
	t.Parallel()
	every := []syntax{postgresSyntax, sqliteSyntax, mysqlSyntax}
	pg, lite, my := []syntax{postgresSyntax}, []syntax{sqliteSyntax}, []syntax{mysqlSyntax}
	for _, c := range []struct {
		in   []syntax
		text string
		want string
	}{
		// One statement.
		{every, "INSERT INTO users (name) VALUES (?)", "INSERT users; counted"},
		{every, "insert into users select * from old", "INSERT users; counted"},
		{every, "UPDATE users SET name = 'x'", "UPDATE users; counted"},
		{every, "update\n\tusers\nset name = 1", "UPDATE users; counted"},
		{every, "DELETE FROM users WHERE id = 1", "DELETE users; counted"},
		{every, "DELETE FROM users AS u WHERE u.id = 1", "DELETE users; counted"},
		{every, "  /* why */ -- who\n UPDATE /* it */ users SET n = 1;", "UPDATE users; counted"},
		{every, "UPDATE users SET n = 1;;", "UPDATE users; counted"},
		{every, `UPDATE "users" SET n = 1`, "UPDATE users; counted"},
		{every, `UPDATE "app"."users" SET n = 1`, "UPDATE users; counted"},
		{every, "UPDATE app . users SET n = 1", "UPDATE users; counted"},
		{every, `UPDATE "a "" b" SET n = 1`, `UPDATE a " b; counted`},
		{every, "INSERT INTO a (x) VALUES (1) ON CONFLICT (x) DO UPDATE SET x = 2", "INSERT a; counted"},
		{pg, "UPDATE Users SET n = 1", "UPDATE users; counted"},
		{pg, `UPDATE "Users" SET n = 1`, "UPDATE Users; counted"},
		{pg, "UPDATE ONLY users SET n = 1", "UPDATE users; counted"},
		{pg, "UPDATE ONLY (users) SET n = 1", "UPDATE users; counted"},
		{pg, "UPDATE users u SET n = o.n FROM others o WHERE o.id = u.id", "UPDATE users; counted"},
		{pg, "DELETE FROM ONLY users USING others WHERE true", "DELETE users; counted"},
		{pg, "MERGE INTO stock AS s USING news n ON s.id = n.id WHEN MATCHED THEN UPDATE SET x = 1", "MERGE stock; counted"},
		{pg, "COPY users (a, b) FROM '/tmp/x'", "COPY users; counted"},
		{pg, "COPY users TO '/tmp/x'", ""},
		{pg, "COPY (SELECT 1) TO STDOUT", ""},
		{pg, "COPY (DELETE FROM users RETURNING *) TO STDOUT", "DELETE users"},
		{lite, "UPDATE Users SET n = 1", "UPDATE Users; counted"},
		{lite, "UPDATE OR IGNORE users SET n = 1", "UPDATE users; counted"},
		{lite, "INSERT OR REPLACE INTO users VALUES (1)", "INSERT users; counted"},
		{lite, "REPLACE INTO users VALUES (1)", "REPLACE users; counted"},
		{lite, "UPDATE [my users] SET n = 1", "UPDATE my users; counted"},
		{lite, "UPDATE `users` SET n = 1", "UPDATE users; counted"},
		{lite, "UPDATE 'users' SET n = 1", "UPDATE users; counted"},
		{my, "INSERT LOW_PRIORITY IGNORE INTO users VALUES (1)", "INSERT users; counted"},
		{my, "INSERT users VALUES (1)", "INSERT users; counted"},
		{my, "REPLACE DELAYED `users` VALUES (1)", "REPLACE users; counted"},
		{my, "UPDATE LOW_PRIORITY IGNORE users SET n = 1", "UPDATE users; counted"},
		{my, "UPDATE 2024_logs SET n = 1", "UPDATE 2024_logs; counted"},
		{my, "DELETE QUICK FROM users LIMIT 3", "DELETE users; counted"},
		{my, "LOAD DATA LOCAL INFILE 'x INTO TABLE a' IGNORE INTO TABLE users", "LOAD users; counted"},

		// Several tables.
		{my, "UPDATE users u JOIN groups g ON g.id = u.gid SET u.n = g.n", "UPDATE users; counted"},
		{my, "UPDATE users AS u, groups SET groups.n = f(1, 2), u.n = 2 WHERE 1", "UPDATE groups,users; counted"},
		{my, "UPDATE users, groups SET n = 1", "UPDATE users,groups; counted"},
		{my, "UPDATE users u LEFT JOIN (SELECT id FROM x, y) AS d USING (id) SET u.n = 1", "UPDATE users; counted"},
		{my, "UPDATE (a JOIN b ON f(a.x, b.x)) SET b.n = 1", "UPDATE b; counted"},
		{my, "DELETE users, g.* FROM users JOIN groups g ON 1 WHERE 1", "DELETE users,groups; counted"},
		{my, "DELETE FROM u USING users AS u INNER JOIN groups ON 1", "DELETE users; counted"},
		{every, "TRUNCATE TABLE users", "TRUNCATE users"},
		{pg, "TRUNCATE users *, ONLY app.groups RESTART IDENTITY CASCADE", "TRUNCATE users,groups"},

		// Common table expressions.
		{every, "WITH a AS (SELECT 1) UPDATE users SET n = 1", "UPDATE users; counted"},
		{every, "WITH RECURSIVE a (x, y) AS (SELECT 1), b AS (SELECT 2) DELETE FROM users", "DELETE users; counted"},
		{every, "WITH a AS (SELECT 1) SELECT * FROM a", ""},
		{every, "WITH a AS (SELECT 1) INSERT INTO users SELECT * FROM a", "INSERT users; counted"},
		{pg, "WITH gone AS (DELETE FROM users RETURNING *) SELECT count(*) FROM gone", "DELETE users"},
		{pg, "WITH a AS NOT MATERIALIZED (UPDATE x SET n = 1 RETURNING *), b AS (INSERT INTO y SELECT * FROM a) SELECT 1", "UPDATE x; INSERT y"},
		{pg, "WITH a AS (WITH b AS (DELETE FROM users RETURNING *) SELECT * FROM b) SELECT 1", "DELETE users"},
		{pg, "WITH gone AS (DELETE FROM a RETURNING *) INSERT INTO b SELECT * FROM gone", "DELETE a; INSERT b"},
		{pg, "WITH update AS (SELECT 1), delete AS (SELECT 2) SELECT * FROM update, delete", ""},

		// Reads that look like writes.
		{every, "SELECT * FROM users FOR UPDATE", ""},
		{every, "SELECT 'UPDATE users SET n = 1'", ""},
		{every, "SELECT 'it''s; DELETE FROM users'", ""},
		{every, "SELECT 1 -- ; DELETE FROM users", ""},
		{every, "SELECT /* ; DELETE FROM users; */ 1", ""},
		{every, `SELECT "; DELETE FROM users"`, ""},
		{every, "SELECT * INTO backup FROM users", ""},
		{every, "SELECT replace(a, b, c), (insert) FROM t", ""},
		{every, "SELECT truncate(x, 2) FROM t WHERE update = 1", ""},
		{every, "EXPLAIN UPDATE users SET n = 1", ""},
		{every, "EXPLAIN UPDATE users SET n = 1; DELETE FROM users", "DELETE users"},
		{every, "", ""},
		{every, " ; ; ", ""},
		{pg, "SELECT $$; DELETE FROM users$$, $a$; $$ DELETE FROM users $a$", ""},
		{pg, "SELECT $1; DELETE FROM users", "DELETE users"},
		{pg, "SELECT 'a\\'; DELETE FROM users", "DELETE users"},
		{pg, "SELECT E'a\\'; DELETE FROM users'", ""},
		{pg, "SELECT /* a /* b */ ; DELETE FROM users */ 1", ""},
		{pg, "SELECT 5 # 3; DELETE FROM users", "DELETE users"},
		{pg, "SELECT a[1]; DELETE FROM users", "DELETE users"},
		{pg, "EXPLAIN (ANALYZE, VERBOSE) UPDATE users SET n = 1", "UPDATE users"},
		{pg, "EXPLAIN ANALYZE WITH a AS (DELETE FROM x RETURNING *) SELECT 1", "DELETE x"},
		{lite, "SELECT [; DELETE FROM users]", ""},
		{my, "SELECT 'a\\'; DELETE FROM users'", ""},
		{my, "SELECT 5 # ; DELETE FROM users", ""},
		{my, "SELECT 5--1; DELETE FROM users", "DELETE users"},
		{my, "/*!50000 DELETE FROM users */", "DELETE users; counted"},
		{my, "SELECT 2*/*c; DELETE FROM users */3", ""},
		{my, "ANALYZE FORMAT=JSON UPDATE users SET n = 1", "UPDATE users"},
		{my, "SET STATEMENT max_statement_time=1 FOR DELETE FROM users", "DELETE users; counted"},
		{my, "SET STATEMENT a=1, b=2 FOR SELECT 1", ""},

		// Several statements.
		{every, "SELECT 1; UPDATE a SET n = 1; DELETE FROM b", "UPDATE a; DELETE b"},
		{every, "BEGIN; UPDATE a SET n = 1; COMMIT", "UPDATE a; transaction"},

		// Definitions.
		{every, "CREATE TABLE a (n int); INSERT INTO a VALUES (1)", "INSERT a; schema"},
		{every, "/* x */ ALTER TABLE a ADD n int", "schema"},
		{every, "DROP TABLE a", "schema"},
		{lite, "CREATE TRIGGER x AFTER INSERT ON a BEGIN UPDATE b SET n = CASE WHEN 1 THEN 2 END; DELETE FROM c; END; DELETE FROM d", "DELETE d; schema"},
		{my, "CREATE PROCEDURE p() BEGIN IF x THEN UPDATE a SET n = 1; END IF; CASE x WHEN 1 THEN DELETE FROM b; END CASE; DELETE FROM c; END", "schema"},
		{pg, "CREATE FUNCTION f() RETURNS void AS $$ BEGIN; DELETE FROM a; END $$ LANGUAGE plpgsql", "schema"},
		{pg, "CREATE TABLE event (begin int); DELETE FROM a", "DELETE a; schema"},
		{pg, "CREATE RULE r AS ON INSERT TO a DO ALSO (UPDATE b SET n = 1; DELETE FROM c)", "schema"},

		// What nobody can see into.
		{every, "CALL p(1)", "opaque CALL"},
		{pg, "DO $$ BEGIN DELETE FROM a; END $$", "opaque DO"},
		{my, "DO SLEEP(1)", ""},
		{my, "BEGIN NOT ATOMIC DELETE FROM a; END", "transaction; opaque BEGIN"},

		// Text that is no SQL.
		{every, "UPDATE", ""},
		{every, "INSERT INTO", ""},
		{every, "DELETE users", ""},
		{lite, "UPDATE 'users", "UPDATE users; counted"},
		{pg, "UPDATE 'users'", ""},
		{every, ")))) UPDATE users", ""},
		{pg, "$tag$ UPDATE users", ""},
	} {
		for _, in := range c.in {
			t.Run(fmt.Sprintf("%s/%s", in, c.text), func(t *testing.T) {
				t.Parallel()
				if diff := cmp.Diff(c.want, parseSQL(in, c.text).summary()); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

// A text that is nothing but one string, one quoted name or one comment is
// never a write, and the parser comes to an end with any text.
func FuzzParseSQL(f *testing.F) {
	for _, text := range []string{
		"UPDATE users SET n = 1", "a'; DELETE FROM users; --", "*/ DELETE FROM users /*", "$$;$$ DELETE FROM a",
		"\\'; DELETE FROM users", "WITH a AS (DELETE FROM b) SELECT 1", "CREATE TRIGGER a BEGIN ; END", "((((", "\x00[\xff",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, in := range []syntax{postgresSyntax, sqliteSyntax, mysqlSyntax} {
			parseSQL(in, text)
			for name, whole := range wholes(in, text) {
				if parsed := parseSQL(in, whole); len(parsed.writes) > 0 || parsed.opaque != "" {
					t.Errorf("%s: %s %q is taken for %+v", in, name, whole, parsed)
				}
			}
		}
	})
}

// wholes returns the text as one string, one quoted name and one comment.
func wholes(in syntax, text string) map[string]string {
	escaped := text
	if in == mysqlSyntax {
		escaped = strings.ReplaceAll(text, `\`, `\\`)
	}
	bare := strings.NewReplacer("*", "", "/", "", "!", "").Replace(text)
	return map[string]string{
		"string":       "'" + strings.ReplaceAll(escaped, "'", "''") + "'",
		"name":         `"` + strings.ReplaceAll(escaped, `"`, `""`) + `"`,
		"comment":      "/*" + bare + "*/",
		"line comment": "-- " + strings.ReplaceAll(text, "\n", ""),
	}
}

// Raw reads pay for a look at their text, and for no memory.
func TestParsingReadsAllocatesNothing(t *testing.T) {
	const text = "SELECT u.*, count(*) FROM users u WHERE u.name IN ('a', 'b') AND (u.n > 3 OR u.n IS NULL) FOR UPDATE"
	if n := testing.AllocsPerRun(100, func() { parseSQL(postgresSyntax, text) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// The memory of warnings is bounded.
func TestWarningsAreForgotten(t *testing.T) {
	t.Parallel()
	var w warnings
	for n := range 3 * maxWarnings {
		this := warning{source: fmt.Sprint(n)}
		if !w.first(this) || w.first(this) {
			t.Fatalf("warning %d is not given exactly once", n)
		}
	}
	if len(w.given) > maxWarnings {
		t.Errorf("%d warnings are kept", len(w.given))
	}
}
