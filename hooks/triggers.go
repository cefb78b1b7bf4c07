package hooks

import (
	"slices"
	"strings"
)

// trigger is a trigger of the database, as far as it matters to capture.
type trigger struct {
	// table is the one it belongs to, body the text that it runs.
	table, body string
}

// moveKeys reports whether triggers may give rows of the table other keys: one
// of them assigns to a key column, or inserts into the table while another
// removes from it. It judges by the text and rather says yes.
func (t *table) moveKeys(in syntax, triggers []trigger) bool {
	own := func(x trigger) bool { return strings.EqualFold(x.table, t.name) }
	if !slices.ContainsFunc(triggers, own) {
		return false
	}
	var inserts, removes bool
	for _, x := range triggers {
		s := scanner{syntax: in, rest: x.body}
		for before := (token{}); ; {
			verb := s.next()
			ahead := s
			switch {
			case verb.kind == endToken:
			case in == mysqlSyntax:
				if own(x) && t.movesNew(before, verb, &ahead) {
					return true
				}
			case verb.is("INSERT"):
				over := ahead.accept("OR") && ahead.accept("REPLACE")
				ahead = s
				into := t.isOne(ahead.inserted())
				inserts, removes = inserts || into, removes || into && over
			case verb.is("REPLACE"):
				into := t.isOne(ahead.inserted())
				inserts, removes = inserts || into, removes || into
			case verb.is("DELETE"):
				removes = removes || t.isOne(ahead.deleted())
			case verb.is("UPDATE") && before.is("DO"):
				removes = removes || t.assignsKey(&ahead)
			case verb.is("UPDATE"):
				if t.isOne(ahead.updated()) && t.assignsKey(&ahead) {
					return true
				}
			}
			if verb.kind == endToken {
				break
			}
			before = verb
		}
	}
	return inserts && removes
}

// isOne reports whether the table is among the names, whatever their case.
func (t *table) isOne(names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, t.name) })
}

// assignsKey reads what is set behind UPDATE. A key within parentheses may be
// one of several columns that are assigned together.
func (t *table) assignsKey(s *scanner) bool {
	for before := (token{}); ; {
		ahead := *s
		at := ahead.next()
		if at.kind == endToken || at.symbol(';') || at.is("WHERE", "FROM", "RETURNING") {
			return false
		}
		if key := s.identifier(); !before.symbol('.') && t.isKey(key) {
			if next := ahead.next(); next.symbol('=') || next.symbol(',') || next.symbol(')') {
				return true
			}
		} else {
			*s = ahead
		}
		before = at
	}
}

// movesNew reports whether a MySQL trigger assigns to NEW.key here. There a
// trigger cannot write to its own table in another way.
func (t *table) movesNew(before, at token, ahead *scanner) bool {
	if !at.is("NEW") || !ahead.acceptSymbol('.') || !t.isKey(ahead.identifier()) {
		return false
	}
	assigned := ahead.acceptSymbol(':') || ahead.acceptSymbol('=')
	return before.is("INTO") || assigned && (before.is("SET") || before.symbol(','))
}

// onDelete reports whether the text of an SQLite trigger is of one that runs
// when rows are deleted.
func (x trigger) onDelete() bool {
	s := scanner{syntax: sqliteSyntax, rest: x.body}
	for {
		switch event := s.next(); {
		case event.is("DELETE"):
			return true
		case event.kind == endToken, event.is("INSERT", "UPDATE", "BEGIN"):
			return false
		}
	}
}

func (t *table) isKey(name string) bool {
	return slices.ContainsFunc(t.keys, func(key string) bool { return strings.EqualFold(key, name) })
}
