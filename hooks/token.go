package hooks

import "strings"

// syntax is a dialect of SQL text, under GORM's name for the database.
type syntax string

const (
	postgresSyntax syntax = "postgres"
	sqliteSyntax   syntax = "sqlite"
	mysqlSyntax    syntax = "mysql"
)

// tokenKind is what a token is. The zero value is the end of the text.
type tokenKind byte

const (
	endToken tokenKind = iota
	wordToken
	// quotedToken is an identifier in quotes.
	quotedToken
	// stringToken is a string in any form.
	stringToken
	// numberToken begins with a digit; in MySQL it may be a name.
	numberToken
	// symbolToken is any other byte.
	symbolToken
)

// token is a piece of SQL text, as it is written.
type token struct {
	kind tokenKind
	text string
}

// is reports whether the token is one of the keywords.
func (t token) is(keywords ...string) bool {
	if t.kind != wordToken {
		return false
	}
	for _, keyword := range keywords {
		if strings.EqualFold(t.text, keyword) {
			return true
		}
	}
	return false
}

// symbol reports whether the token is this byte.
func (t token) symbol(b byte) bool { return t.kind == symbolToken && t.text[0] == b }

// scanner cuts SQL text into tokens. It is a value: a copy looks ahead.
type scanner struct {
	syntax syntax
	rest   string
	// executable says that the text is within a comment that MySQL runs.
	executable bool
}

// next returns the next token. Text that ends within quotes or a comment ends
// there; the database will say so.
func (s *scanner) next() token {
	s.skipBlank()
	if s.rest == "" {
		return token{}
	}
	backslash := s.syntax == mysqlSyntax
	switch b := s.rest[0]; {
	case b == '\'':
		return s.cut(stringToken, quotedLength(s.rest, b, backslash))
	case b == '"':
		return s.cut(quotedToken, quotedLength(s.rest, b, backslash))
	case b == '`' && s.syntax != postgresSyntax:
		return s.cut(quotedToken, quotedLength(s.rest, b, false))
	case b == '[' && s.syntax == sqliteSyntax:
		return s.cut(quotedToken, through(s.rest, 1, "]"))
	case b == '$' && s.syntax == postgresSyntax:
		return s.dollar()
	case isDigit(b):
		return s.cut(numberToken, 1+run(s.rest[1:], func(b byte) bool { return isWord(b) || b == '.' }))
	case isWord(b):
		return s.word()
	default:
		return s.cut(symbolToken, 1)
	}
}

// cut takes a token of this length off the text.
func (s *scanner) cut(kind tokenKind, length int) token {
	t := token{kind, s.rest[:length]}
	s.rest = s.rest[length:]
	return t
}

// word reads a word, or the string that PostgreSQL's prefix E begins.
func (s *scanner) word() token {
	length := run(s.rest, isWord)
	if s.syntax == postgresSyntax && strings.EqualFold(s.rest[:length], "E") && strings.HasPrefix(s.rest[length:], "'") {
		return s.cut(stringToken, length+quotedLength(s.rest[length:], '\'', true))
	}
	return s.cut(wordToken, length)
}

// dollar reads what a dollar sign begins in PostgreSQL: a string between two
// equal tags, or a parameter.
func (s *scanner) dollar() token {
	tag := 1
	if len(s.rest) > 1 && !isDigit(s.rest[1]) {
		tag += run(s.rest[1:], func(b byte) bool { return isWord(b) && b != '$' })
	}
	if tag == len(s.rest) || s.rest[tag] != '$' {
		return s.cut(symbolToken, 1)
	}
	tag++
	return s.cut(stringToken, through(s.rest, tag, s.rest[:tag]))
}

// skipBlank skips white space and comments. In MySQL the text in /*! */ is not
// a comment, only its delimiters are.
func (s *scanner) skipBlank() {
	for s.rest != "" {
		length := run(s.rest, isSpace)
		if length == 0 {
			length = s.comment()
		}
		if length == 0 {
			return
		}
		s.rest = s.rest[length:]
	}
}

// comment returns the length of the comment or the delimiter at the start of
// the text, 0 where there is none.
func (s *scanner) comment() int {
	mysql := s.syntax == mysqlSyntax
	switch {
	case mysql && s.rest[0] == '#',
		strings.HasPrefix(s.rest, "--") && (!mysql || len(s.rest) == 2 || isSpace(s.rest[2])):
		return through(s.rest, 0, "\n")
	case mysql && s.executable && strings.HasPrefix(s.rest, "*/"):
		s.executable = false
		return len("*/")
	case !strings.HasPrefix(s.rest, "/*"):
		return 0
	}
	for _, opening := range []string{"/*!", "/*M!"} {
		if mysql && strings.HasPrefix(s.rest, opening) {
			s.executable = true
			return len(opening) + run(s.rest[len(opening):], isDigit)
		}
	}
	if s.syntax == postgresSyntax {
		return nestedLength(s.rest)
	}
	return through(s.rest, len("/*"), "*/")
}

// nestedLength returns the length of a comment that may hold comments.
func nestedLength(text string) int {
	depth, at := 0, 0
	for at < len(text) {
		switch rest := text[at:]; {
		case strings.HasPrefix(rest, "/*"):
			depth++
			at += 2
		case strings.HasPrefix(rest, "*/"):
			depth--
			at += 2
		default:
			at++
		}
		if depth == 0 {
			return at
		}
	}
	return at
}

// quotedLength returns the length of the quoted text at the start. A doubled
// quote stands for itself, and so does whatever follows a backslash where
// that is an escape.
func quotedLength(text string, quote byte, backslash bool) int {
	for at := 1; at < len(text); at++ {
		switch {
		case backslash && text[at] == '\\':
			at++
		case text[at] != quote:
		case at+1 < len(text) && text[at+1] == quote:
			at++
		default:
			return at + 1
		}
	}
	return len(text)
}

// through returns the length of the text up to the end of the closing, which
// is looked for from a place on; all of it where there is none.
func through(text string, from int, closing string) int {
	if at := strings.Index(text[from:], closing); at >= 0 {
		return from + at + len(closing)
	}
	return len(text)
}

// run returns how many bytes at the start of the text are of a kind.
func run(text string, of func(byte) bool) int {
	for i := range len(text) {
		if !of(text[i]) {
			return i
		}
	}
	return len(text)
}

func isSpace(b byte) bool { return b == ' ' || '\t' <= b && b <= '\r' }

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

func isWord(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || isDigit(b) || b == '_' || b == '$' || b >= 0x80
}

// accept takes the next token if it is one of the keywords.
func (s *scanner) accept(keywords ...string) bool {
	ahead := *s
	if !ahead.next().is(keywords...) {
		return false
	}
	*s = ahead
	return true
}

// acceptSymbol takes the next token if it is this byte.
func (s *scanner) acceptSymbol(b byte) bool {
	ahead := *s
	if !ahead.next().symbol(b) {
		return false
	}
	*s = ahead
	return true
}

// name reads a name with what qualifies it, and returns its last part and the
// one before; empty where there is no name. MySQL's "t.*" is the name t.
func (s *scanner) name() (qualifier, name string) {
	for {
		ahead := *s
		part := ahead.identifier()
		if part == "" {
			return "", ""
		}
		*s = ahead
		qualifier, name = name, part
		if !s.acceptSymbol('.') || s.acceptSymbol('*') {
			return qualifier, name
		}
	}
}

// identifier reads one part of a name as the database understands it.
func (s *scanner) identifier() string {
	switch t := s.next(); {
	case t.kind == wordToken && s.syntax == postgresSyntax:
		return strings.ToLower(t.text)
	case t.kind == wordToken, t.kind == numberToken && s.syntax == mysqlSyntax:
		return t.text
	case t.kind == quotedToken, t.kind == stringToken && s.syntax == sqliteSyntax:
		closing := t.text[:1]
		if closing == "[" {
			closing = "]"
		}
		return strings.ReplaceAll(strings.TrimSuffix(t.text[1:], closing), closing+closing, closing)
	default:
		return ""
	}
}

// skipGroup skips to the end of the parenthesis that was just opened, or of
// the statement, if that comes first.
func (s *scanner) skipGroup() {
	for depth := 1; depth > 0; {
		ahead := *s
		switch t := ahead.next(); {
		case t.kind == endToken, t.symbol(';'):
			return
		case t.symbol('('):
			depth++
		case t.symbol(')'):
			depth--
		}
		*s = ahead
	}
}
