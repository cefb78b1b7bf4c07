package cloudwatchtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// pattern is a filter pattern for JSON. The zero value matches everything.
type pattern struct{ condition condition }

// condition is an expression of a pattern.
type condition func(document any) bool

// document is the JSON of a message, once a pattern has asked for it.
type document struct {
	read, isJSON bool
	value        any
}

// matches reports whether the message is JSON for which the pattern holds.
func (p pattern) matches(r record) bool {
	if p.condition == nil {
		return true
	}
	if d := r.parsed; !d.read {
		decoder := json.NewDecoder(bytes.NewReader(r.message))
		decoder.UseNumber()
		d.read, d.isJSON = true, decoder.Decode(&d.value) == nil
	}
	return r.parsed.isJSON && p.condition(r.parsed.value)
}

// parsePattern reads a pattern: { … } with comparisons by = != < <= > >=, IS
// NULL, IS TRUE, IS FALSE, NOT EXISTS, joined by && and ||, which binds less,
// and parentheses.
func parsePattern(text string) (pattern, error) {
	if strings.TrimSpace(text) == "" {
		return pattern{}, nil
	}
	p := patternParser{rest: text}
	if !p.take("{") {
		return pattern{}, errors.New("only patterns for JSON, in braces, are known")
	}
	c := p.or()
	if !p.take("}") || strings.TrimSpace(p.rest) != "" {
		p.fail("it ends too early or too late")
	}
	return pattern{c}, p.err
}

type patternParser struct {
	rest  string
	depth int
	err   error
}

func (p *patternParser) fail(why string) {
	if p.err == nil {
		p.err = fmt.Errorf("%s, at %q", why, p.rest)
	}
	p.rest = ""
}

// take takes the word if it comes next, after spaces.
func (p *patternParser) take(word string) bool {
	p.rest = strings.TrimLeft(p.rest, " \t\r\n")
	rest, ok := strings.CutPrefix(p.rest, word)
	if ok {
		p.rest = rest
	}
	return ok
}

func (p *patternParser) or() condition {
	c := p.and()
	for p.take("||") {
		left, right := c, p.and()
		c = func(d any) bool { return left(d) || right(d) }
	}
	return c
}

func (p *patternParser) and() condition {
	c := p.single()
	for p.take("&&") {
		left, right := c, p.single()
		c = func(d any) bool { return left(d) && right(d) }
	}
	return c
}

// maxDepth is how deep parentheses may be nested.
const maxDepth = 100

func (p *patternParser) single() condition {
	if p.take("(") {
		if p.depth++; p.depth > maxDepth {
			p.fail("it is nested too deep")
		}
		c := p.or()
		p.depth--
		if !p.take(")") {
			p.fail("a parenthesis is missing")
		}
		return c
	}
	path := p.selector()
	for word, is := range map[string]func(value any, exists bool) bool{
		"IS NULL":    func(value any, exists bool) bool { return exists && value == nil },
		"IS TRUE":    func(value any, _ bool) bool { return value == true },
		"IS FALSE":   func(value any, _ bool) bool { return value == false },
		"NOT EXISTS": func(_ any, exists bool) bool { return !exists },
	} {
		if p.take(word) {
			return func(d any) bool { return is(lookUp(d, path)) }
		}
	}
	return p.comparison(path)
}

// selector reads $.name, $.a.b, $.a[0] or $.['a.b'].
func (p *patternParser) selector() (path []any) {
	if !p.take("$") {
		p.fail("a selector is missing")
	}
	for p.err == nil {
		switch {
		case strings.HasPrefix(p.rest, ".['"):
			name, rest, ok := strings.Cut(p.rest[3:], "']")
			if !ok {
				p.fail("a name does not end")
			}
			path, p.rest = append(path, name), rest
		case strings.HasPrefix(p.rest, "."):
			name := p.rest[1:]
			name = name[:len(name)-len(strings.TrimLeft(name, nameCharacters))]
			if name == "" {
				p.fail("a name is missing")
				return path
			}
			path, p.rest = append(path, name), p.rest[1+len(name):]
		case strings.HasPrefix(p.rest, "["):
			digits, rest, ok := strings.Cut(p.rest[1:], "]")
			index, err := strconv.Atoi(digits)
			if !ok || err != nil {
				p.fail("an index is wrong")
			}
			path, p.rest = append(path, index), rest
		default:
			if len(path) == 0 {
				p.fail("a selector is empty")
			}
			return path
		}
	}
	return path
}

const nameCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

func (p *patternParser) comparison(path []any) condition {
	for _, operator := range []string{"!=", "<=", ">=", "=", "<", ">"} {
		if !p.take(operator) {
			continue
		}
		compare := comparing(operator, p.value())
		return func(d any) bool {
			value, exists := lookUp(d, path)
			return exists && compare(value)
		}
	}
	p.fail("an operator is missing")
	return func(any) bool { return false }
}

// operand is what a value is compared with.
type operand struct {
	text   string
	number float64
	// isNumber says that it stood there without quotes and is one.
	isNumber bool
	// wild says where the asterisks are between the parts of text.
	parts []string
}

func (p *patternParser) value() operand {
	if p.take(`"`) {
		return p.quoted()
	}
	word := p.rest[:len(p.rest)-len(strings.TrimLeft(p.rest, nameCharacters+".*+:/@"))]
	if word == "" {
		p.fail("a value is missing")
	}
	p.rest = p.rest[len(word):]
	number, err := strconv.ParseFloat(word, 64)
	return operand{text: word, number: number, isNumber: err == nil, parts: strings.Split(word, "*")}
}

// quoted reads on behind the first quote. An asterisk is a wildcard here too.
func (p *patternParser) quoted() operand {
	var text strings.Builder
	for i := 0; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == '"':
			p.rest = p.rest[i+1:]
			return operand{text: text.String(), parts: strings.Split(text.String(), "*")}
		case c == '\\' && i+1 < len(p.rest):
			i++
			text.WriteByte(p.rest[i])
		default:
			text.WriteByte(c)
		}
	}
	p.fail("a quote is missing")
	return operand{}
}
