package hooks

import "strings"

// script is what parseSQL finds in a text of one or more statements.
type script struct {
	writes []write
	// opaque is the verb of a statement that runs code which is not in the
	// text: a procedure, a block, a prepared statement.
	opaque string
	// schema says that it may change the catalog.
	schema bool
	// transaction says that it begins or ends transactions by itself.
	transaction bool
	// ends says that it may end the transaction that it runs in.
	ends bool
	// counted says that the whole text is one write whose count of rows is
	// the count that the database returns.
	counted bool
}

// write is a statement that changes rows.
type write struct {
	verb   string
	tables []string
}

// parseSQL finds the statements in the text that change rows, at any depth of
// its WITH clauses, as far as verb and tables. It is no judge of whether the
// text is correct: of text that is not, it finds something or nothing.
func parseSQL(in syntax, text string) script {
	p := parser{scanner: scanner{syntax: in, rest: text}}
	p.parse()
	return p.script
}

// parser walks over the text. A verb counts only where a statement can begin.
type parser struct {
	scanner
	script
	statements int
	explained  bool
	depth      int
	// pending has a bit for each depth of parentheses: a statement began
	// there, and its verb is still to come. Depths without a bit have none.
	pending uint64
}

func (p *parser) expect()        { p.pending |= 1 << p.depth }
func (p *parser) settle()        { p.pending &^= 1 << p.depth }
func (p *parser) expected() bool { return p.pending>>p.depth&1 != 0 }

func (p *parser) parse() {
	fresh := true
	for before := (token{}); ; {
		t := p.next()
		if fresh && p.depth == 0 && t.kind != endToken && !t.symbol(';') {
			p.statements++
		}
		switch {
		case t.kind == endToken:
			p.counted = p.counted && p.statements == 1 && len(p.writes) == 1 && !p.explained
			return
		case t.symbol(';'):
			p.depth, p.pending, fresh = 0, 0, true
		case t.symbol('('):
			p.depth++
			p.settle()
			// Only PostgreSQL has statements in parentheses that write.
			fresh = p.syntax == postgresSyntax && before.is("AS", "MATERIALIZED", "COPY")
		case t.symbol(')'):
			p.depth, fresh = max(p.depth-1, 0), false
		case fresh || p.expected() && !before.is("WITH", "RECURSIVE") && !before.symbol(','):
			p.verb(t, fresh)
			fresh = false
		}
		before = t
	}
}

// verb looks at a token that stands where a verb may be.
func (p *parser) verb(t token, fresh bool) {
	switch {
	case t.is("WITH"):
		p.expect()
	case t.is("SELECT", "VALUES", "TABLE"):
		p.settle()
	case t.is("INSERT", "REPLACE", "MERGE", "UPDATE", "DELETE"):
		p.settle()
		p.counted = p.depth == 0
		p.add(t, p.changed(t))
	case fresh && p.depth == 0:
		p.ends = p.ends || p.mayEnd(t)
		p.rare(t)
	}
}

// mayEnd reports whether a statement that begins so may end the transaction.
// In MySQL most that change no rows do; which ones depends on its version.
func (p *parser) mayEnd(t token) bool {
	ahead := p.scanner
	switch {
	case t.is("ROLLBACK"):
		ahead.accept("WORK", "TRANSACTION")
		return !ahead.accept("TO")
	case p.syntax == mysqlSyntax:
		return !t.is("SAVEPOINT", "RELEASE", "SHOW", "EXPLAIN", "DESCRIBE", "DESC", "USE")
	default:
		return t.is("COMMIT", "END", "ABORT")
	}
}

// changed looks ahead for the tables of a write.
func (p *parser) changed(verb token) []string {
	ahead := p.scanner
	switch {
	case verb.is("UPDATE"):
		return ahead.updated()
	case verb.is("DELETE"):
		return ahead.deleted()
	case verb.is("REPLACE") && p.syntax == postgresSyntax:
		return nil
	default:
		return ahead.inserted()
	}
}

func (p *parser) add(verb token, tables []string) {
	if len(tables) > 0 {
		p.writes = append(p.writes, write{strings.ToUpper(verb.text), tables})
	}
}

// rare looks at the verbs that only begin whole statements.
func (p *parser) rare(t token) {
	ahead := p.scanner
	mysql, postgres := p.syntax == mysqlSyntax, p.syntax == postgresSyntax
	switch {
	case t.is("TRUNCATE"):
		p.add(t, ahead.truncated())
	case t.is("COPY") && postgres:
		p.counted = true
		p.add(t, ahead.copied())
	case t.is("LOAD") && mysql:
		p.counted = true
		p.add(t, ahead.loaded())
	case t.is("CREATE", "ALTER"):
		p.schema = true
		p.skipDefinition()
	case t.is("DROP", "RENAME", "ATTACH", "DETACH"):
		p.schema = true
	case t.is("EXPLAIN", "DESCRIBE", "DESC"):
		if !ahead.analyzes() {
			p.skipStatement()
			return
		}
		p.explained = true
		p.expect()
	case t.is("ANALYZE") && mysql: // MariaDB's EXPLAIN ANALYZE
		p.explained = true
		p.expect()
	case t.is("SET") && mysql && p.accept("STATEMENT"): // ... FOR statement
		p.expect()
	case t.is("CALL"), t.is("DO") && postgres, t.is("EXECUTE"), t.is("BEGIN") && p.accept("NOT"):
		p.opaque = strings.ToUpper(t.text)
	case t.is("BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "XA"):
		p.transaction = true
	}
}

// skipStatement skips to the semicolon.
func (p *parser) skipStatement() {
	for {
		ahead := p.scanner
		switch t := ahead.next(); {
		case t.kind == endToken, t.symbol(';'):
			return
		case t.symbol('('):
			ahead.skipGroup()
		}
		p.scanner = ahead
	}
}

// skipDefinition skips to the semicolon behind the definition of a table, or
// of a rule, trigger or routine, whose body may have semicolons of its own.
func (p *parser) skipDefinition() {
	var decided, routine bool
	for blocks := 0; ; {
		ahead := p.scanner
		switch t := ahead.next(); {
		case t.kind == endToken, t.symbol(';') && blocks == 0:
			return
		case t.symbol('('):
			blocks++
			decided = true
		case t.symbol(')'):
			blocks = max(blocks-1, 0)
		case !decided && t.is("TRIGGER", "PROCEDURE", "FUNCTION", "EVENT", "PACKAGE"):
			decided, routine = true, true
		case !decided && t.is("TABLE", "VIEW", "INDEX", "RULE"):
			decided = true
		case routine && t.is("BEGIN", "CASE"):
			blocks++
		case routine && t.is("END"):
			// "END IF" and the like end what no block began.
			if !ahead.accept("IF", "LOOP", "WHILE", "REPEAT", "FOR") {
				ahead.accept("CASE")
				blocks = max(blocks-1, 0)
			}
		}
		p.scanner = ahead
	}
}
