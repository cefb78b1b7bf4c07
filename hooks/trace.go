package hooks

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gorm.io/gorm"
)

// MySQL and MariaDB do not tell which rows an upsert updated. To look for them
// with locks would lock the gaps where there are none, and upserts of new keys
// would wait for each other. So the upsert itself is made to tell: an
// assignment of a key column to itself, which changes nothing, notes the
// identity of each row that is updated in a variable of the connection, and
// where keys are assigned another one notes what it is then.

const (
	traceVariable  = "@event_audit_met"
	traceSeparator = ";"
	traceArrow     = ">"
	duplicateKey   = "ON DUPLICATE KEY UPDATE "
)

// step is one update of an upsert: the identity of a row before and after it.
type step struct{ old, new string }

// identity is an expression for the identity of a row: the values of its key
// as text that they can be found by, in hexadecimal digits.
func (t *table) identity() string {
	parts := make([]string, len(t.keys))
	for i, key := range t.keys {
		text := "CONVERT(" + t.quote(key) + " USING utf8mb4)"
		switch {
		case t.among(t.facts.bits, key):
			text = "CONVERT(" + t.quote(key) + "+0 USING utf8mb4)"
		case t.among(t.facts.bytes, key):
			text = t.quote(key)
		}
		parts[i] = "IFNULL(HEX(" + text + "),'')"
	}
	return "CONCAT_WS('.'," + strings.Join(parts, ",") + ")"
}

// keyOfIdentity returns the values of the key columns.
func (t *table) keyOfIdentity(identity string) ([]any, error) {
	parts := strings.Split(identity, ".")
	if len(parts) != len(t.keys) {
		return nil, fmt.Errorf("hooks: %q is not the identity of a row of %s", identity, t.quoted())
	}
	key := make([]any, len(parts))
	for i, part := range parts {
		raw, err := hex.DecodeString(part)
		if err != nil {
			return nil, fmt.Errorf("hooks: %q is not the identity of a row of %s: %w", identity, t.quoted(), err)
		}
		switch {
		case t.among(t.facts.bits, t.keys[i]):
			if key[i], err = strconv.ParseUint(string(raw), 10, 64); err != nil {
				return nil, err
			}
		case t.among(t.facts.bytes, t.keys[i]):
			key[i] = raw
		default:
			key[i] = string(raw)
		}
	}
	return key, nil
}

// traced returns the text of the upsert with the notes in it. It is false when
// they cannot be put in, because another plugin wrote the SQL or because the
// database computes the key column.
func (s *statement) traced(moves bool) (query string, ok bool) {
	clauses := []string{"ON CONFLICT"}
	if s.wantsRows {
		clauses = append(clauses, "RETURNING")
	}
	assignments, tail := s.fresh(), s.fresh()
	assignments.Build(clauses[0])
	tail.Build(clauses...)
	written, all := assignments.SQL.String(), tail.SQL.String()
	carrier := s.table.keys[0]
	if !strings.HasPrefix(written, duplicateKey) || len(written) == len(duplicateKey) || !strings.HasSuffix(s.query, all) ||
		s.table.among(s.table.facts.defaulted, carrier) {
		return "", false
	}
	note := func(mark string) string {
		column := s.table.quote(carrier)
		return column + "=IF(LENGTH(" + traceVariable + ":=CONCAT(" + traceVariable + "," + s.table.identity() + ",'" + mark + "'))," + column + "," + column + ")"
	}
	before, after := note(traceSeparator)+",", ""
	if moves {
		before, after = note(traceArrow)+",", ","+note(traceSeparator)
	}
	head := s.query[:len(s.query)-len(all)]
	return head + duplicateKey + before + written[len(duplicateKey):] + after + all[len(written):], true
}

// errSimultaneous says that an upsert cannot tell what its keys become.
var errSimultaneous = errors.New("hooks: an upsert that assigns the key cannot be captured under the SQL mode SIMULTANEOUS_ASSIGNMENT; take the mode or the assignment away")

// startTrace makes the variable empty.
func (s *statement) startTrace(conn gorm.ConnPool, moves bool) error {
	var empty, mode string
	if err := scanRow(s.own, conn, "SELECT "+traceVariable+" := '', @@sql_mode", &empty, &mode); err != nil {
		return err
	}
	if moves && slices.Contains(strings.Split(mode, ","), "SIMULTANEOUS_ASSIGNMENT") {
		return errSimultaneous
	}
	return nil
}

// endTrace reads what was noted, and leaves nothing of it on the connection.
func (s *statement) endTrace(conn gorm.ConnPool) ([]step, error) {
	var noted, none sql.NullString
	if err := scanRow(s.own, conn, "SELECT "+traceVariable+", "+traceVariable+" := NULL", &noted, &none); err != nil {
		return nil, err
	}
	if !noted.Valid {
		return nil, errors.New("hooks: the rows that the upsert met are too many for max_allowed_packet; write fewer at once")
	}
	var steps []step
	for one := range strings.SplitSeq(strings.TrimSuffix(noted.String, traceSeparator), traceSeparator) {
		if one == "" {
			break
		}
		old, now, moved := strings.Cut(one, traceArrow)
		if !moved {
			now = old
		}
		steps = append(steps, step{old, now})
	}
	return steps, nil
}

func scanRow(ctx context.Context, conn gorm.ConnPool, query string, targets ...any) (err error) {
	rows, err := conn.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer func() { err = ending(rows, err) }()
	if !rows.Next() {
		return sql.ErrNoRows
	}
	return rows.Scan(targets...)
}
