package pgpipe

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

// stream is a conversation's beginning: what a server sends for two statements.
func stream() []byte {
	b := appendMessage(nil, msgParseComplete)
	b = appendMessage(b, msgBindComplete)
	b = appendMessage(b, msgParameterStatus, "TimeZone\x00UTC\x00")
	b = appendDone(b, "INSERT 0 1", inTransaction)
	b = appendMessage(b, msgError, "SERROR\x00C23505\x00Mduplicate\x00\x00")
	return appendMessage(b, msgReady, "E")
}

// listening is a filter behind its login, which cannot be read from.
func listening() *filter {
	f := newFilter(io.Discard)
	f.r, f.started, f.status = strings.NewReader(""), true, idle
	return f
}

// Whatever a server sends, and in whatever pieces it comes, pgx reads the same;
// all of it, as long as nothing is held back.
func FuzzServer(f *testing.F) {
	f.Add(stream(), uint8(1), false)
	f.Add(stream(), uint8(3), true)
	f.Add(appendMessage(nil, msgReady), uint8(2), false)
	f.Add([]byte{msgError, 0, 0, 0, 0}, uint8(2), false)
	f.Fuzz(func(t *testing.T, sent []byte, piece uint8, skips bool) {
		read := func(piece int) ([]byte, error) {
			filter := listening()
			if skips {
				filter.skip = 1
			}
			for rest := sent; len(rest) > 0; {
				n := min(piece, len(rest))
				if err := filter.take(rest[:n]); err != nil {
					return filter.out, err
				}
				rest = rest[n:]
			}
			return append(filter.out, filter.partial...), nil
		}
		whole, err := read(len(sent) + 1)
		parts, failed := read(int(piece) + 1)
		if (err == nil) != (failed == nil) || err == nil && !bytes.Equal(whole, parts) {
			t.Errorf("%q: %q, %v at once and %q, %v in pieces", sent, whole, err, parts, failed)
		}
		if err == nil && !skips && !bytes.Equal(whole, sent) {
			t.Errorf("%q became %q", sent, whole)
		}
	})
}

// Whatever pgx sends reaches the server as it is, behind what was held back,
// unless it is held back itself and has been answered.
func FuzzClient(f *testing.F) {
	statement := appendSync(appendStatement(nil, Deferred+"INSERT"))
	f.Add(statement, false, true)
	f.Add(statement, true, false)
	f.Add(appendSync(appendStatement(nil, Ahead+"INSERT")), false, true)
	f.Add(appendQuery(nil, "begin"), false, false)
	f.Add(appendQuery(nil, "commit"), true, true)
	f.Add(appendQuery(nil, "/* a */ ROLLBACK TO a"), true, true)
	f.Add(appendSync(appendMessage(nil, msgClose, "Sname\x00")), false, true)
	f.Add([]byte{msgParse, 0, 0, 0, 4, msgSync, 0, 0, 0, 4}, true, true)
	f.Fuzz(func(t *testing.T, sent []byte, begins, defers bool) {
		if len(sent) == 0 {
			return
		}
		filter := listening()
		if begins {
			filter.begin, filter.status = "begin", inTransaction
		}
		if defers {
			filter.status = inTransaction
			filter.hold(statement, filter.look(statement))
			filter.out = nil
		}
		wire, err := filter.pass(sent)
		switch {
		case err != nil: // there is no server to answer what was sent before
			if !begins && !defers {
				t.Errorf("%q: %v", sent, err)
			}
		case len(wire) == 0:
			if last := appendMessage(nil, msgReady, string(rune(filter.status))); !bytes.HasSuffix(filter.out, last) {
				t.Errorf("%q was held back, and answered by %q", sent, filter.out)
			}
		case !bytes.HasSuffix(wire, sent) && !filter.commit:
			t.Errorf("%q became %q", sent, wire)
		}
	})
}
