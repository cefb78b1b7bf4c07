package cloudwatchtest

import (
	"errors"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// put is a call of PutLogEvents.
type put struct {
	group, stream string
	events        []putEvent
}

type putEvent struct {
	time    int64
	message []byte
}

// parsePut reads the JSON of PutLogEvents. It is written by hand because a
// benchmark of a writer is not to measure the server. Messages are unescaped
// where they stand, in the body.
func parsePut(body []byte) (in put, err error) {
	p := parser{rest: body}
	p.object(func(key string) {
		switch key {
		case "logGroupName":
			in.group = string(p.text())
		case "logStreamName":
			in.stream = string(p.text())
		case "logEvents":
			in.events = p.events()
		default:
			p.fail()
		}
	})
	p.space()
	if len(p.rest) > 0 {
		p.fail()
	}
	return in, p.err
}

func (p *parser) events() (events []putEvent) {
	p.list(']', func() {
		var e putEvent
		p.object(func(key string) {
			switch key {
			case "timestamp":
				e.time = p.number()
			case "message":
				e.message = p.text()
			default:
				p.fail()
			}
		})
		events = append(events, e)
	})
	return events
}

// parser reads JSON from the front. After an error it reads nothing more.
type parser struct {
	rest []byte
	err  error
}

var errSyntax = errors.New("the request is not what PutLogEvents takes")

func (p *parser) fail() { p.err, p.rest = errSyntax, nil }

func (p *parser) space() {
	for len(p.rest) > 0 && p.rest[0] <= ' ' {
		p.rest = p.rest[1:]
	}
}

// next takes one character, which follows spaces.
func (p *parser) next() byte {
	if p.space(); len(p.rest) == 0 {
		p.fail()
		return 0
	}
	c := p.rest[0]
	p.rest = p.rest[1:]
	return c
}

// object reads an object. The function reads the value of each key.
func (p *parser) object(value func(key string)) {
	if p.next() != '{' {
		p.fail()
	}
	p.members('}', func() {
		key := string(p.text())
		if p.next() != ':' {
			p.fail()
		}
		value(key)
	})
}

func (p *parser) list(end byte, item func()) {
	if p.next() != '[' {
		p.fail()
	}
	p.members(end, item)
}

func (p *parser) members(end byte, read func()) {
	if p.space(); len(p.rest) > 0 && p.rest[0] == end {
		p.rest = p.rest[1:]
		return
	}
	for p.err == nil {
		read()
		switch p.next() {
		case ',':
		case end:
			return
		default:
			p.fail()
		}
	}
}

func (p *parser) number() int64 {
	p.space()
	n := 0
	for n < len(p.rest) && (p.rest[n] == '-' || p.rest[n] >= '0' && p.rest[n] <= '9') {
		n++
	}
	value, err := strconv.ParseInt(string(p.rest[:n]), 10, 64)
	if err != nil {
		p.fail()
		return 0
	}
	p.rest = p.rest[n:]
	return value
}

// text reads a string. What it returns is part of the body.
func (p *parser) text() []byte {
	if p.next() != '"' {
		p.fail()
		return nil
	}
	body, to := p.rest, 0
	for from := 0; from < len(body); {
		switch c := body[from]; c {
		case '"':
			p.rest = body[from+1:]
			return body[:to:to]
		case '\\':
			n, written := unescape(body[from:], body[to:])
			if n == 0 {
				p.fail()
				return nil
			}
			from, to = from+n, to+written
		default:
			body[to] = c
			from, to = from+1, to+1
		}
	}
	p.fail()
	return nil
}

var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// unescape writes the character of the escape at the front, which takes no
// more room than that. It returns how much it read, 0 for a wrong one.
func unescape(from, to []byte) (read, written int) {
	if len(from) < 2 {
		return 0, 0
	}
	if from[1] != 'u' {
		if to[0] = escapes[from[1]]; to[0] == 0 {
			return 0, 0
		}
		return 2, 1
	}
	r, ok := hexRune(from)
	if !ok {
		return 0, 0
	}
	read = 6
	if utf16.IsSurrogate(r) {
		low, ok := hexRune(from[read:])
		if r = utf16.DecodeRune(r, low); ok && r != utf8.RuneError {
			read = 12
		}
	}
	return read, utf8.EncodeRune(to[:read:read], r)
}

// hexRune reads \uXXXX.
func hexRune(from []byte) (rune, bool) {
	if len(from) < 6 || from[0] != '\\' || from[1] != 'u' {
		return 0, false
	}
	value, err := strconv.ParseUint(string(from[2:6]), 16, 16)
	return rune(value), err == nil
}
