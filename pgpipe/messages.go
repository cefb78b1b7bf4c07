package pgpipe

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// The types of the messages that the filter knows, as the chapter "Message
// Formats" of PostgreSQL's documentation has them.
const (
	// Of the client.
	msgBind     = 'B'
	msgClose    = 'C'
	msgDescribe = 'D'
	msgExecute  = 'E'
	msgParse    = 'P'
	msgQuery    = 'Q'
	msgSync     = 'S'

	// Of the server.
	msgBindComplete     = '2'
	msgCommandComplete  = 'C'
	msgCopyBoth         = 'W'
	msgCopyIn           = 'G'
	msgEmptyQuery       = 'I'
	msgError            = 'E'
	msgNoData           = 'n'
	msgNotice           = 'N'
	msgNotification     = 'A'
	msgParameterStatus  = 'S'
	msgParseComplete    = '1'
	msgReady            = 'Z'
	msgRowDescription   = 'T'
	msgParameterOfQuery = 't'
)

// The states of a transaction, as ReadyForQuery tells them.
const (
	idle          = 'I'
	inTransaction = 'T'
	aborted       = 'E'
)

// headerSize is the type of a message and its length, which counts itself.
const headerSize = 5

// message is one message with its header.
type message []byte

func (m message) kind() byte   { return m[0] }
func (m message) body() []byte { return m[headerSize:] }

// size returns how long the message is that begins with the header.
func size(header []byte) int { return 1 + int(binary.BigEndian.Uint32(header[1:])) }

// next returns the first message, and what follows it. It returns false when
// the bytes do not begin with a whole message.
func next(b []byte) (message, []byte, bool) {
	if len(b) < headerSize {
		return nil, nil, false
	}
	n := size(b)
	if n < headerSize || n > len(b) {
		return nil, nil, false
	}
	return message(b[:n]), b[n:], true
}

// appendMessage appends a message with that body.
func appendMessage(to []byte, kind byte, body ...string) []byte {
	n := 4
	for _, part := range body {
		n += len(part)
	}
	to = append(to, kind)
	to = binary.BigEndian.AppendUint32(to, uint32(n))
	for _, part := range body {
		to = append(to, part...)
	}
	return to
}

// appendStatement appends what runs a statement without parameters through the
// extended protocol, which takes no turn of its own: it ends without a Sync.
func appendStatement(to []byte, sql string) []byte {
	to = appendMessage(to, msgParse, "\x00", sql, "\x00\x00\x00")
	to = appendMessage(to, msgBind, "\x00\x00\x00\x00\x00\x00\x00\x00")
	return appendMessage(to, msgExecute, "\x00\x00\x00\x00\x00")
}

func appendQuery(to []byte, sql string) []byte { return appendMessage(to, msgQuery, sql, "\x00") }
func appendSync(to []byte) []byte              { return appendMessage(to, msgSync) }

// appendDone appends the replies to a statement that is done.
func appendDone(to []byte, tag string, status byte) []byte {
	to = appendMessage(to, msgCommandComplete, tag, "\x00")
	return appendMessage(to, msgReady, string(rune(status)))
}

// text returns the string that the bytes begin with, and what follows it.
func text(b []byte) (string, []byte) {
	at := bytes.IndexByte(b, 0)
	if at < 0 {
		return string(b), nil
	}
	return string(b[:at]), b[at+1:]
}

// parsed returns the name and the SQL of a Parse.
func parsed(m message) (name, sql string) {
	name, rest := text(m.body())
	sql, _ = text(rest)
	return name, sql
}

// closed returns the name of the statement that a Close is about, if it is about
// one.
func closed(m message) string {
	if b := m.body(); len(b) > 0 && b[0] == 'S' {
		name, _ := text(b[1:])
		return name
	}
	return ""
}

// bound returns the name of the statement that a Bind is about.
func bound(m message) string {
	_, rest := text(m.body()) // the portal
	name, _ := text(rest)
	return name
}

// beginWords are the words of the statements by which pgx begins a
// transaction.
var beginWords = map[string]bool{
	"begin": true, "isolation": true, "level": true, "serializable": true, "repeatable": true, "read": true,
	"committed": true, "uncommitted": true, "only": true, "write": true, "not": true, "deferrable": true,
}

// begins reports whether the SQL is a BEGIN as pgx writes it.
func begins(sql string) bool {
	if !strings.HasPrefix(sql, "begin") {
		return false
	}
	for word := range strings.FieldsSeq(sql) {
		if !beginWords[word] {
			return false
		}
	}
	return true
}

// fieldWhere is the field of an error that says in what context it came up.
const fieldWhere = 'W'

// why is what the errors of deferred statements say in that field.
const why = "a statement deferred by pgpipe, before the one that reports this"

// explained returns the error of a deferred statement with a word on that, for
// it is reported by a statement that comes later.
func explained(m message) message {
	out := append(message{}, m[:headerSize]...)
	told := false
	for rest := m.body(); len(rest) > 1; {
		code := rest[0]
		value, after := text(rest[1:])
		out = append(append(out, code), value...)
		if code == fieldWhere {
			out, told = append(out, "\n"+why...), true
		}
		out, rest = append(out, 0), after
	}
	if !told {
		out = append(append(append(out, fieldWhere), why...), 0)
	}
	out = append(out, 0)
	binary.BigEndian.PutUint32(out[1:], uint32(len(out)-1))
	return out
}
