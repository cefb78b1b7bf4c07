package hooks

import (
	"slices"
	"strings"

	"github.com/eventaudit/eventaudit/internal/connpool"
)

// Where the rows are looked at before the statement runs, its condition is
// evaluated twice. One that may not say the same again is left to the look: the
// statement itself is held to the keys of the rows that were found, and to
// nothing else.

// steadyWords are those in front of a parenthesis that do not make a condition
// say something else the second time: keywords, and functions of their
// arguments alone. Those of the time are not among them, since SQLite has a
// text for the present.
var steadyWords = []string{
	"AND", "OR", "NOT", "XOR", "IN", "IS", "LIKE", "BETWEEN", "WHERE", "CASE", "WHEN", "THEN", "ELSE", "ANY", "ALL", "SOME", "VALUES", "ROW", "MATCH", "AGAINST", "ESCAPE", "REGEXP", "COLLATE",
	"ABS", "CAST", "CEIL", "CHAR_LENGTH", "COALESCE", "CONCAT", "FLOOR", "HEX", "IF", "IFNULL", "IIF", "INSTR", "JSON_CONTAINS", "JSON_EXTRACT", "JSON_UNQUOTE", "JSON_VALUE",
	"LEFT", "LENGTH", "LOWER", "LTRIM", "MAX", "MIN", "MOD", "NULLIF", "REPLACE", "RIGHT", "ROUND", "RTRIM", "SUBSTR", "SUBSTRING", "TRIM", "UPPER",
}

// steady reports whether a condition says the same twice, as far as its text
// tells: it has no subquery, no variable and no other function.
func steady(in syntax, condition string) bool {
	s := scanner{syntax: in, rest: condition}
	for before := (token{}); ; {
		t := s.next()
		switch {
		case t.kind == endToken:
			return true
		case t.is("SELECT", "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "LOCALTIME", "LOCALTIMESTAMP", "UTC_DATE", "UTC_TIME", "UTC_TIMESTAMP"),
			in == mysqlSyntax && t.symbol('@'),
			t.symbol('(') && (before.kind == quotedToken || before.kind == wordToken && !before.is(steadyWords...)):
			return false
		}
		before = t
	}
}

// byChance reports whether a condition asks for something else each time.
func byChance(in syntax, condition string) bool {
	s := scanner{syntax: in, rest: condition}
	for before := (token{}); ; {
		t := s.next()
		switch {
		case t.kind == endToken:
			return false
		case t.symbol('(') && before.is("RANDOM", "RAND", "RANDOMBLOB", "UUID", "GEN_RANDOM_UUID", "NEXTVAL", "CLOCK_TIMESTAMP"):
			return true
		}
		before = t
	}
}

// severalTables reports whether an UPDATE or DELETE names more than one table
// before its SET or WHERE.
func severalTables(in syntax, query string) bool {
	s := scanner{syntax: in, rest: query}
	for {
		switch t := s.next(); {
		case t.kind == endToken, t.is("SET", "WHERE"):
			return false
		case t.is("JOIN", "STRAIGHT_JOIN", "USING"), t.symbol(','):
			return true
		}
	}
}

// lockingSubqueries has the subqueries of a locking read lock what they read, as
// those of an UPDATE or DELETE do. MySQL answers them from a snapshot otherwise,
// which may be an old one. The rows of the table itself are locked as those
// that are going to change.
func lockingSubqueries(text, table string) string {
	type group struct{ query, own, leave bool }
	var groups []group
	var out strings.Builder
	s, done := scanner{syntax: mysqlSyntax, rest: text}, 0
	for before := (token{}); ; {
		t := s.next()
		last := len(groups) - 1
		switch {
		case t.kind == endToken:
			out.WriteString(text[done:])
			return out.String()
		case t.symbol('('):
			groups = append(groups, group{})
		case last < 0:
		case t.symbol(')'):
			at := len(text) - len(s.rest) - len(t.text)
			if g := groups[last]; g.query && !g.leave {
				out.WriteString(text[done:at] + map[bool]string{true: " FOR UPDATE", false: " LOCK IN SHARE MODE"}[g.own])
				done = at
			}
			groups = groups[:last]
		case before.symbol('(') && t.is("SELECT", "WITH"):
			groups[last].query = true
		case t.is("UNION", "INTERSECT", "EXCEPT", "FOR", "LOCK", "PROCEDURE"):
			groups[last].leave = true
		case t.is("FROM", "JOIN"):
			ahead := s
			_, name := ahead.name()
			groups[last].own = groups[last].own || strings.EqualFold(name, table)
		}
		before = t
	}
}

// locksSubqueries reports whether an UPDATE locks what its subqueries read. At
// READ COMMITTED it does not, as far as the session says.
func (s *statement) locksSubqueries() (locks bool, err error) {
	locks = true
	err = query(s.own, connpool.Unwrap(s.ConnPool), func(v []any) {
		locks = locks && !strings.HasPrefix(text(v[1]), "READ-")
	}, "SHOW VARIABLES WHERE Variable_name IN ('tx_isolation', 'transaction_isolation')")
	return locks, err
}

// hold holds an update on SQLite to the rows that were looked at. The keys of
// many are put into a temporary table, which done drops.
func (s *statement) hold(locked *locked) (done func(), err error) {
	done = func() {}
	before, err := s.imagesOf(s.table, locked.rows.cut(0, locked.width))
	if err != nil || slices.ContainsFunc(before.rows, image.nameless) {
		return done, err
	}
	q := s.fresh()
	q.Build("UPDATE", "SET")
	q.WriteString(" WHERE ")
	switch n := locked.rows.count(); {
	case n == 0:
		s.writeWhere(q) // it may have an error to find
		q.WriteString("1 = 0")
	case n > maxKeys || len(s.args)+int(n)*len(s.table.keys) > maxParameters:
		if done, err = s.keysInTable(locked); err != nil {
			return func() {}, err
		}
		q.WriteString(s.inKeysTable())
	default:
		writeKeys(q, s.table, s.tableName(), s.table.keys, before.rawKeys())
	}
	if s.wantsRows {
		q.WriteByte(' ')
		q.Build("RETURNING")
	}
	s.query, s.args, s.held = q.SQL.String(), q.Vars, true
	return done, s.db.Error
}
