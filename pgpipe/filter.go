package pgpipe

import (
	"bytes"
	"fmt"
	"io"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// filter stands between pgx and the connection: pgx reads from it and writes to
// it. It holds messages back and makes up their replies, and sends them in one
// write with what comes next.
//
// While it holds a BEGIN, pgx takes the connection for one in a transaction and
// the server knows of none. From that follow the rules that the code keeps to:
//
//   - Nothing that pgx sends may take effect outside of the transaction. What is
//     sent together with a BEGIN has one Sync, at its very end, so that the
//     server itself skips it when the BEGIN fails. For everything else the BEGIN
//     is sent and awaited first.
//   - Nothing more is sent before the answer to a BEGIN has come.
//   - A connection whose BEGIN failed takes no further message.
//
// The mutex guards the fields below it. It is never held while the connection
// is read; only during a COPY do two goroutines come here at once.
type filter struct {
	r io.Reader
	w io.Writer
	// chunk is what the connection is read into; one reader at a time has it.
	chunk []byte

	mu sync.Mutex
	// started says that the server is ready for queries: what comes before is
	// the login.
	started bool
	// copying says that the client copies rows in.
	copying bool
	// broken is why the connection takes no further message.
	broken error
	// status is the state of the transaction that pgx knows.
	status byte
	// known are the prepared statements that are not like others, by name.
	known map[string]trait

	// begin is the BEGIN that is held back, empty if there is none.
	begin string
	// held are the deferred statements, as the server takes them, and deferred
	// is how many they are. Bare says that one of them runs the statement without
	// a name that was parsed before.
	held     []byte
	deferred int
	bare     bool
	// wire is room for what is written at once.
	wire []byte

	// out is what pgx is to read next, from this position on.
	out []byte
	at  int
	// partial is the beginning of a message whose end has not come yet.
	partial []byte
	// rest is how much is still to come of a message that goes through as it
	// comes, to pgx unless it is skipped.
	rest     int
	skipping bool

	reply
}

// reply is what the filter knows of the answers that are on their way.
type reply struct {
	// skip is how many statements of ours are answered before those of pgx.
	skip int
	// begun says that the first of them is a BEGIN.
	begun bool
	// apart says that they are a turn of their own, whose end is not for pgx.
	apart bool
	// failure is the error that a turn of ours ended in, until pgx is told.
	failure message
	// commit says that pgx waits for a COMMIT that was sent in our way.
	commit bool
	// undoing says that a ROLLBACK of ours is under way.
	undoing bool
	// rollback says that pgx waits for a ROLLBACK, or a ROLLBACK TO.
	rollback bool
}

func newFilter(w io.Writer) *filter {
	return &filter{w: w, chunk: make([]byte, 8<<10), known: map[string]trait{}}
}

// Read gives pgx what it is to read: replies that were made up, then what
// comes from the server.
func (f *filter) Read(p []byte) (int, error) {
	for {
		f.mu.Lock()
		n := copy(p, f.out[f.at:])
		if f.at += n; f.at == len(f.out) {
			f.out, f.at = f.out[:0], 0
		}
		f.mu.Unlock()
		if n > 0 || len(p) == 0 {
			return n, nil
		}
		if err := f.receive(); err != nil {
			return 0, err
		}
	}
}

// receive reads from the server once.
func (f *filter) receive() error {
	n, err := f.r.Read(f.chunk)
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.received(n, err)
}

// received takes what was read. An error counts when nothing else came.
func (f *filter) received(n int, err error) error {
	if failed := f.take(f.chunk[:n]); failed != nil || n > 0 {
		return failed
	}
	if err != nil && f.failure != nil { // the server said goodbye
		f.out, f.failure = append(f.out, f.failure...), nil
		return nil
	}
	return err
}

// take takes what the server sent apart.
func (f *filter) take(b []byte) error {
	for len(b) > 0 {
		if f.rest > 0 {
			n := min(f.rest, len(b))
			if !f.skipping {
				f.out = append(f.out, b[:n]...)
			}
			b, f.rest = b[n:], f.rest-n
			continue
		}
		if n := headerSize - len(f.partial); n > 0 {
			n = min(n, len(b))
			f.partial, b = append(f.partial, b[:n]...), b[n:]
			if len(f.partial) < headerSize {
				return nil
			}
		}
		n := size(f.partial)
		if n < headerSize || f.partial[0] == msgReady && n == headerSize {
			return fmt.Errorf("pgpipe: the server sent a message of length %d", n-1)
		}
		if !whole(f.partial[0]) {
			f.skipping = (f.skip > 0 || f.commit) && ours(f.partial[0])
			if !f.skipping {
				f.out = append(f.out, f.partial...)
			}
			f.rest, f.partial = n-headerSize, f.partial[:0]
			continue
		}
		k := min(n-len(f.partial), len(b))
		f.partial, b = append(f.partial, b[:k]...), b[k:]
		if len(f.partial) < n {
			return nil
		}
		m := message(f.partial)
		f.partial = f.partial[:0]
		if err := f.answer(m); err != nil {
			return err
		}
	}
	return nil
}

// whole reports whether messages of the kind are looked into.
func whole(kind byte) bool {
	switch kind {
	case msgReady, msgError, msgCommandComplete, msgEmptyQuery, msgCopyIn, msgCopyBoth:
		return true
	}
	return false
}

// ours reports whether a message of the kind answers a statement of ours while
// such answers are awaited. Others may come at any time.
func ours(kind byte) bool {
	switch kind {
	case msgNotice, msgNotification, msgParameterStatus:
		return false
	}
	return true
}

// answer takes a whole message of the server, which it must not keep.
func (f *filter) answer(m message) error {
	if !f.started {
		if m.kind() == msgReady {
			f.started, f.status = true, m.body()[0]
		}
		f.out = append(f.out, m...)
		return nil
	}
	switch m.kind() {
	case msgCommandComplete, msgEmptyQuery:
		f.completed(m)
	case msgError:
		f.failed(m)
	case msgReady:
		return f.ready(m)
	default:
		f.copying = true
		f.out = append(f.out, m...)
	}
	return nil
}

// completed takes the end of a statement.
func (f *filter) completed(m message) {
	switch {
	case f.skip > 0:
		f.skip--
		f.begun = false
	case f.undoing:
	case f.failure != nil && !f.rollback && bytes.HasPrefix(m.body(), []byte("ROLLBACK")):
		// A COMMIT that rolls back says so in its tag alone, which a caller who
		// was told that the statement before went well need not look at.
		f.out = append(f.out, f.failure...)
	default:
		f.out = append(f.out, m...)
	}
}

// failed takes an error. The server skips what follows, up to the next Sync.
func (f *filter) failed(m message) {
	switch {
	case f.undoing:
	case f.apart && f.skip > 0 && f.begun:
		f.failure = append(message{}, m...)
	case f.apart && f.skip > 0:
		f.failure = explained(m)
	case f.begun:
		if !f.commit { // else pgx takes the transaction for over, as it is
			f.broken = fmt.Errorf("pgpipe: the transaction did not begin: %w", errorOf(m))
		}
		f.out = append(f.out, m...)
	case f.skip > 0:
		f.out = append(f.out, explained(m)...)
	case f.failure != nil:
		f.out, f.failure = append(f.out, f.failure...), nil // in place of "current transaction is aborted"
	default:
		f.out = append(f.out, m...)
	}
	f.skip, f.begun = 0, false
}

// ready takes the end of a turn.
func (f *filter) ready(m message) error {
	status := m.body()[0]
	switch {
	case f.apart:
		f.apart = false
		return nil
	case f.commit && status == aborted:
		// Pgx closes a connection whose COMMIT failed and left a transaction.
		f.commit, f.undoing = false, true
		_, err := f.w.Write(appendQuery(nil, "rollback"))
		return err
	}
	untold := f.failure
	f.reply, f.copying, f.status = reply{}, false, status
	if status == aborted {
		f.failure = untold
		f.forget() // only a ROLLBACK, or one to a savepoint before them, can follow
	}
	f.out = append(f.out, m...)
	return nil
}

// errorOf returns what the server said as pgx would.
func errorOf(m message) error {
	var said pgproto3.ErrorResponse
	if err := said.Decode(m.body()); err != nil {
		return err
	}
	return pgconn.ErrorResponseToPgError(&said)
}
