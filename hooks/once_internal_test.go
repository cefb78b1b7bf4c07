package hooks

import (
	"strings"
	"testing"
)

func TestSteady(t *testing.T) {
	t.Parallel()
	for condition, want := range map[string]bool{
		"": true,
		"WHERE a = ? AND (b IN (?,?) OR NOT (c))":            true,
		"WHERE lower(name) = ? AND COALESCE(n,0) > 1":        true,
		"WHERE name LIKE 'select now()%' AND `random()` = 1": true,
		"WHERE MATCH(`title`) AGAINST (? IN BOOLEAN MODE)":   true,
		"WHERE id = (SELECT id FROM jobs)":                   false,
		"WHERE at < CURRENT_TIMESTAMP":                       false,
		"WHERE at < strftime('%s', ?)":                       false,
		"WHERE random() % 2 = 0":                             false,
		"WHERE `my function`(id)":                            false,
		"WHERE (@n := @n + 1) < 3":                           false,
		"WHERE /* now() */ a = 1 -- rand()":                  true,
	} {
		if got := steady(mysqlSyntax, condition); got != want {
			t.Errorf("steady(%q) = %t", condition, got)
		}
	}
	if !byChance(sqliteSyntax, "WHERE abs(random()) % 2 = 0") || byChance(sqliteSyntax, "WHERE name = 'random()' AND uuid = 1 AND random IN (1)") {
		t.Error("chance is not what it was")
	}
	for query, want := range map[string]bool{
		"UPDATE `t` SET a = (1), b = 2 WHERE c = 3": false, "UPDATE orders , prices SET a = 1": true, "UPDATE a\nJOIN b SET c = 1": true,
		"DELETE FROM `t` WHERE a IN (1,2)": false, "DELETE a FROM a, b WHERE a.id = b.id": true, "DELETE FROM a USING b WHERE 1": true,
	} {
		if got := severalTables(mysqlSyntax, query); got != want {
			t.Errorf("severalTables(%q) = %t", query, got)
		}
	}
}

func TestSubqueriesThatLock(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"SELECT * FROM t WHERE a = 1 FOR UPDATE":                                                           "",
		"SELECT * FROM t WHERE id IN (SELECT id FROM other) FOR UPDATE":                                    "SELECT * FROM t WHERE id IN (SELECT id FROM other LOCK IN SHARE MODE) FOR UPDATE",
		"SELECT * FROM `t` WHERE id = (SELECT id FROM (SELECT id FROM `T` WHERE n IN (1,2) LIMIT 1) AS q)": "SELECT * FROM `t` WHERE id = (SELECT id FROM (SELECT id FROM `T` WHERE n IN (1,2) LIMIT 1 FOR UPDATE) AS q LOCK IN SHARE MODE)",
		"SELECT * FROM t WHERE id IN (SELECT a FROM x UNION SELECT b FROM y)":                              "",
		"SELECT * FROM t WHERE id IN (SELECT a FROM x FOR UPDATE)":                                         "",
		"SELECT * FROM items WHERE EXISTS (SELECT 1 FROM owners WHERE owners.id = t.owner)":                "SELECT * FROM items WHERE EXISTS (SELECT 1 FROM owners WHERE owners.id = t.owner LOCK IN SHARE MODE)",
		"SELECT * FROM t WHERE a = '(SELECT 1)' AND (b = 2)":                                               "",
		"SELECT * FROM t WHERE EXISTS (SELECT 1 FROM x WHERE f(x.a)) AND b = (SELECT max(b) FROM t.t)":     "SELECT * FROM t WHERE EXISTS (SELECT 1 FROM x WHERE f(x.a) LOCK IN SHARE MODE) AND b = (SELECT max(b) FROM t.t FOR UPDATE)",
	} {
		if want == "" {
			want = text
		}
		if got := lockingSubqueries(text, "t"); got != want {
			t.Errorf("%s\nis  %s\nnot %s", text, got, want)
		}
	}
}

// Whatever the text is, nothing of it is lost.
func FuzzLockingSubqueries(f *testing.F) {
	f.Add("SELECT * FROM t WHERE id = (SELECT id FROM (SELECT 1) AS q)", "t")
	f.Add("((((SELECT `", "")
	f.Add(")) /*! (SELECT */ ) 'a", "a")
	f.Fuzz(func(t *testing.T, text, table string) {
		got := lockingSubqueries(text, table)
		for _, lock := range []string{" FOR UPDATE)", " LOCK IN SHARE MODE)"} {
			if strings.Contains(text, lock) {
				return
			}
			got = strings.ReplaceAll(got, lock, ")")
		}
		if got != text {
			t.Errorf("%q became %q", text, got)
		}
	})
}
