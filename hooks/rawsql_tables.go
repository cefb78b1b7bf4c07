package hooks

import "strings"

// The functions in this file stand right behind a verb and read the tables
// that the statement changes; none, where the verb turns out to be something
// else, such as a function of the same name.

// inserted reads the table of INSERT, REPLACE and MERGE.
func (s *scanner) inserted() []string {
	if s.syntax == sqliteSyntax && s.accept("OR") {
		s.next()
	}
	if s.syntax == mysqlSyntax {
		s.skipModifiers()
	}
	if !s.accept("INTO") && s.syntax != mysqlSyntax {
		return nil
	}
	return s.one()
}

// updated reads the tables of UPDATE.
func (s *scanner) updated() []string {
	switch s.syntax {
	case mysqlSyntax:
		s.skipModifiers()
		return s.updatedByJoin()
	case sqliteSyntax:
		if s.accept("OR") {
			s.next()
		}
	}
	return s.one()
}

// deleted reads the tables of DELETE.
func (s *scanner) deleted() []string {
	if s.syntax == mysqlSyntax {
		s.skipModifiers()
		return s.deletedByJoin()
	}
	if !s.accept("FROM") {
		return nil
	}
	return s.one()
}

// truncated reads the tables of TRUNCATE.
func (s *scanner) truncated() []string {
	s.accept("TABLE")
	return s.list()
}

// copied reads the table of COPY ... FROM; COPY ... TO reads rows.
func (s *scanner) copied() []string {
	table := s.one()
	if s.acceptSymbol('(') {
		s.skipGroup()
	}
	if !s.accept("FROM") {
		return nil
	}
	return table
}

// loaded reads the table of LOAD DATA and LOAD XML.
func (s *scanner) loaded() []string {
	for {
		switch t := s.next(); {
		case t.kind == endToken, t.symbol(';'):
			return nil
		case t.is("INTO") && s.accept("TABLE"):
			return s.one()
		}
	}
}

// analyzes reports whether EXPLAIN runs the statement that it explains.
func (s *scanner) analyzes() bool {
	for {
		switch t := s.next(); {
		case t.is("ANALYZE", "ANALYSE"):
			return true
		case t.kind == endToken, t.symbol(';'),
			t.is("INSERT", "REPLACE", "MERGE", "UPDATE", "DELETE", "SELECT", "VALUES", "WITH"):
			return false
		}
	}
}

// one reads one table.
func (s *scanner) one() []string {
	if s.syntax == postgresSyntax && s.accept("ONLY") {
		s.acceptSymbol('(')
	}
	if _, name := s.name(); name != "" {
		return []string{name}
	}
	return nil
}

// list reads tables with commas between them.
func (s *scanner) list() []string {
	var tables []string
	for {
		tables = append(tables, s.one()...)
		s.acceptSymbol('*') // PostgreSQL: and those that inherit from it
		if !s.acceptSymbol(',') {
			return tables
		}
	}
}

func (s *scanner) skipModifiers() {
	for s.accept("LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED", "QUICK", "IGNORE") {
	}
}

// updatedByJoin reads the tables of MySQL's UPDATE. Of several tables those
// change whose columns are assigned to.
func (s *scanner) updatedByJoin() []string {
	joined := s.references("SET")
	if len(joined) == 1 || !s.accept("SET") {
		return joined.all()
	}
	var tables []string
	for {
		owner, _ := s.name()
		if owner == "" { // it may be a column of any of them
			return joined.all()
		}
		tables = append(tables, joined.named(owner))
		if !s.skipAssignment() {
			return tables
		}
	}
}

// skipAssignment skips to the next assignment and reports whether there is
// one.
func (s *scanner) skipAssignment() bool {
	for {
		switch t := s.next(); {
		case t.symbol(','):
			return true
		case t.symbol('('):
			s.skipGroup()
		case t.kind == endToken, t.symbol(';'), t.is("WHERE", "ORDER", "LIMIT"):
			return false
		}
	}
}

// deletedByJoin reads the tables of MySQL's DELETE, which may name them by
// aliases that come later.
func (s *scanner) deletedByJoin() []string {
	from := s.accept("FROM")
	targets := s.list()
	if from && !s.accept("USING") || !from && !s.accept("FROM") {
		if from {
			return targets
		}
		return nil
	}
	joined := s.references("WHERE", "ORDER", "LIMIT")
	for i, target := range targets {
		targets[i] = joined.named(target)
	}
	return targets
}

// references are the tables of a join.
type references []struct{ name, alias string }

// named returns the table that the statement knows by this name.
func (r references) named(name string) string {
	for _, table := range r {
		if strings.EqualFold(table.alias, name) {
			return table.name
		}
	}
	return name
}

func (r references) all() []string {
	var names []string
	for _, table := range r {
		names = append(names, table.name)
	}
	return names
}

// references reads the tables of a MySQL join, up to one of the keywords.
func (s *scanner) references(until ...string) references {
	var found references
	expected := true
	for {
		ahead := *s
		switch t := ahead.next(); {
		case t.kind == endToken, t.symbol(';'), t.is(until...):
			return found
		case t.symbol(','), t.is("JOIN", "STRAIGHT_JOIN"):
			expected = true
		case t.symbol('('):
			// A join in parentheses; anything else in them names no table.
			if inner := ahead; !expected || inner.next().is("SELECT", "WITH", "VALUES") {
				ahead.skipGroup()
				expected = false
			}
		case expected:
			expected = false
			ahead = *s
			if _, name := ahead.name(); name != "" {
				found = append(found, struct{ name, alias string }{name, ahead.alias()})
			} else {
				ahead.next()
			}
		}
		*s = ahead
	}
}

// alias reads the alias behind a table, empty where there is none.
func (s *scanner) alias() string {
	ahead := *s
	explicit := ahead.accept("AS")
	if next := ahead; !explicit && next.next().is("JOIN", "INNER", "LEFT", "RIGHT", "CROSS", "NATURAL", "STRAIGHT_JOIN",
		"ON", "USING", "USE", "FORCE", "IGNORE", "PARTITION", "SET", "WHERE", "ORDER", "LIMIT", "FOR") {
		return ""
	}
	name := ahead.identifier()
	if name != "" {
		*s = ahead
	}
	return name
}
