package pgpipe

import "strings"

// maxHeld is how many bytes of statements are held back at most.
const maxHeld = 256 << 10

// Write takes what pgx sends. It is whole messages, but for the rows of a COPY
// and before the server is ready.
func (f *filter) Write(p []byte) (int, error) {
	f.mu.Lock()
	wire, err := f.pass(p)
	f.mu.Unlock() // during a COPY another goroutine reads
	if err != nil || len(wire) == 0 {
		return len(p), err
	}
	// When any of it may have arrived, pgx has to know: it would try again.
	if n, err := f.w.Write(wire); err != nil {
		return min(n, len(p)), err
	}
	return len(p), nil
}

// pass returns what is to be written when pgx sends this, which may be nothing.
func (f *filter) pass(p []byte) (wire []byte, err error) {
	if err := f.awaitBegin(); err != nil {
		return nil, err
	}
	if !f.started || f.copying {
		return p, nil
	}
	s := f.look(p)
	f.rollback = s.undoes
	switch {
	case s.query:
		return f.query(p, s.sql)
	case s.deferred && f.status == inTransaction && f.skip == 0 && len(f.held)+len(p) <= maxHeld:
		f.hold(p, s)
		return nil, nil
	case f.begin == "" && (f.deferred == 0 || s.ahead && (!s.parses || !f.bare)):
		return p, nil
	case s.closes, s.undoes:
		return f.after(p)
	case s.oneTurn:
		return f.with(p), nil
	}
	return p, f.sendApart()
}

// sent is what pgx sends at once.
type sent struct {
	// query says that it is one Query and nothing else, with this SQL.
	query bool
	sql   string
	// oneTurn says that there is one Sync, at the end.
	oneTurn bool
	// closes says that it closes a statement and does nothing else. Pgx does not
	// read to the end of the turn when that fails.
	closes bool
	// undoes says that a ROLLBACK or a ROLLBACK TO is among it, which is to
	// succeed whatever was before.
	undoes bool
	// deferred and ahead say that it runs a statement with that mark and does
	// nothing else, parses and describes what it does on the way; bare that the
	// statement has no name.
	deferred, ahead, parses, describes, bare bool
}

// look reads the messages, and remembers the statements that they prepare.
func (f *filter) look(p []byte) (s sent) {
	var room [8]byte
	kinds, syncs := room[:0], 0
	for rest := p; len(rest) > 0; {
		m, after, ok := next(rest)
		if !ok {
			return sent{}
		}
		switch rest = after; m.kind() {
		case msgQuery:
			s.query = len(kinds) == 0 && len(rest) == 0
			s.sql, _ = text(m.body())
			s.undoes = undoes(s.sql)
		case msgParse:
			name, sql := parsed(m)
			f.learn(name, sql)
			s.undoes = s.undoes || f.known[name] == undoing
		case msgClose:
			delete(f.known, closed(m))
		case msgBind:
			name := bound(m)
			kind := f.known[name]
			s.deferred, s.ahead, s.bare = kind == deferrable, kind == ahead, name == ""
			s.undoes = s.undoes || kind == undoing
		case msgSync:
			syncs++
		}
		kinds = append(kinds, m.kind())
	}
	s.oneTurn = syncs == 1 && kinds[len(kinds)-1] == msgSync
	switch string(kinds) {
	case "CS":
		s.closes, s.deferred = true, false
	case "BES":
	case "BDES":
		s.describes = true
	case "PBES":
		s.parses = true
	case "PBDES":
		s.parses, s.describes = true, true
	default:
		s.deferred, s.ahead = false, false
	}
	return s
}

// trait is what the filter has to know of a prepared statement.
type trait byte

const (
	deferrable trait = iota + 1
	ahead
	undoing
)

// learn remembers the statement of that name, if there is something to know.
func (f *filter) learn(name, sql string) {
	switch {
	case strings.HasPrefix(sql, Deferred):
		f.known[name] = deferrable
	case strings.HasPrefix(sql, Ahead):
		f.known[name] = ahead
	case undoes(sql):
		f.known[name] = undoing
	default:
		delete(f.known, name)
	}
}

// hold keeps a statement back, and makes up its replies.
func (f *filter) hold(p []byte, s sent) {
	for rest := p; len(rest) > 0; {
		m, after, _ := next(rest)
		if rest = after; m.kind() != msgDescribe && m.kind() != msgSync {
			f.held = append(f.held, m...)
		}
	}
	f.deferred++
	f.bare = f.bare || s.bare && !s.parses
	if s.parses {
		f.out = appendMessage(f.out, msgParseComplete)
	}
	f.out = appendMessage(f.out, msgBindComplete)
	if s.describes {
		f.out = appendMessage(f.out, msgNoData)
	}
	f.out = appendDone(f.out, "INSERT 0 0", inTransaction)
}

// query takes a Query, which is a turn by itself.
func (f *filter) query(p []byte, sql string) (wire []byte, err error) {
	switch {
	case f.status == idle && begins(sql):
		f.begin, f.status = sql, inTransaction
		f.out = appendDone(f.out, "BEGIN", inTransaction)
		return nil, nil
	case sql == "rollback" && f.begin != "":
		f.end("ROLLBACK")
		return nil, nil
	case sql == "commit" && f.begin != "" && f.deferred == 0:
		f.end("COMMIT")
		return nil, nil
	case sql == "commit" && f.deferred > 0:
		wire = f.prefix()
		f.commit = true
		return f.use(appendSync(appendStatement(wire, sql))), nil
	case sql == "rollback":
		f.forget()
	}
	return f.after(p)
}

// after returns what is held back, as a turn of its own, and what pgx sends. A
// BEGIN is sent and awaited before.
func (f *filter) after(p []byte) (wire []byte, err error) {
	if f.begin != "" {
		if err := f.beginApart(); err != nil {
			return nil, err
		}
	}
	if f.deferred == 0 {
		return p, nil
	}
	wire = appendSync(f.prefix())
	f.apart = true
	return f.use(append(wire, p...)), nil
}

// undoes reports whether the SQL is a ROLLBACK or a ROLLBACK TO. Comments may
// stand before it, as programs write them for their traces.
func undoes(sql string) bool {
	sql = strings.TrimSpace(sql)
	for strings.HasPrefix(sql, "/*") {
		_, after, _ := strings.Cut(sql, "*/")
		sql = strings.TrimSpace(after)
	}
	word := sql[:min(len(sql), len("rollback"))]
	return strings.EqualFold(word, "rollback") || len(word) >= len("abort") && strings.EqualFold(word[:len("abort")], "abort")
}

// end answers for a transaction of which the server knows nothing.
func (f *filter) end(tag string) {
	f.forget()
	f.begin, f.status = "", idle
	f.out = appendDone(f.out, tag, idle)
}

// forget drops the deferred statements.
func (f *filter) forget() { f.held, f.deferred, f.bare = f.held[:0], 0, false }

// prefix returns what is held back, and expects the answers to it.
func (f *filter) prefix() []byte {
	if cap(f.wire) > maxHeld {
		f.wire = nil
	}
	wire := f.wire[:0]
	f.skip = f.deferred
	if f.begin != "" {
		wire = appendStatement(wire, f.begin)
		f.begin, f.begun = "", true
		f.skip++
	}
	wire = append(wire, f.held...)
	f.forget()
	return wire
}

// with returns what is held back and what pgx sends.
func (f *filter) with(p []byte) []byte { return f.use(append(f.prefix(), p...)) }

// use keeps the room for what is written next.
func (f *filter) use(wire []byte) []byte {
	f.wire = wire
	return wire
}

// sendApart sends what is held back and awaits the answer.
func (f *filter) sendApart() error {
	if f.begin != "" {
		if err := f.beginApart(); err != nil {
			return err
		}
	}
	if f.deferred == 0 {
		return nil
	}
	return f.turn(appendSync(f.prefix()))
}

// beginApart sends the BEGIN and awaits the answer.
func (f *filter) beginApart() error {
	wire := appendQuery(nil, f.begin)
	f.begin, f.begun, f.skip = "", true, 1
	return f.turn(wire)
}

// turn sends a turn of ours and awaits its end. An error is that of the server,
// and the last word on this connection.
func (f *filter) turn(wire []byte) error {
	f.apart = true
	_, err := f.w.Write(wire)
	for err == nil && f.apart {
		err = f.received(f.r.Read(f.chunk))
	}
	if f.failure != nil {
		err = errorOf(f.failure)
	}
	f.broken = err
	return err
}

// awaitBegin waits until the server has begun the transaction.
func (f *filter) awaitBegin() error {
	for f.begun {
		if err := f.received(f.r.Read(f.chunk)); err != nil {
			return err
		}
	}
	return f.broken
}
