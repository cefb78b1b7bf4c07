package hooks

import (
	"strings"

	"github.com/eventaudit/eventaudit/internal/connpool"
)

// maxRestriction is how many keys a statement is held to by naming them; more
// are put into a temporary table. A statement takes 65,535 parameters.
const maxRestriction = 5000

const keysTable = "event_audit_keys"

// keysInTable puts keys into a temporary table of this connection, which does
// not end the transaction, and returns how to drop it.
func (s *statement) keysInTable(keys [][]any) (drop func(), err error) {
	conn := connpool.Unwrap(s.ConnPool)
	if _, err := conn.ExecContext(s.own, "CREATE TEMPORARY TABLE "+keysTable+" (PRIMARY KEY ("+s.keyList("")+")) AS SELECT "+s.keyList("")+
		" FROM "+s.table.quoted()+" WHERE 1 = 0"); err != nil {
		return nil, err
	}
	drop = func() {
		if _, err := conn.ExecContext(s.own, "DROP TEMPORARY TABLE "+keysTable); err != nil {
			s.Logger.WarnContext(s.own, "temporary table of keys was not dropped", "error", err)
		}
	}
	row := ",(" + strings.Repeat(",?", len(s.table.keys))[1:] + ")"
	for len(keys) > 0 {
		n := min(len(keys), maxKeys)
		args := make([]any, 0, n*len(s.table.keys))
		for _, key := range keys[:n] {
			args = append(args, key...)
		}
		if _, err := conn.ExecContext(s.own, "INSERT INTO "+keysTable+" VALUES "+strings.Repeat(row, n)[1:], args...); err != nil {
			drop()
			return nil, err
		}
		keys = keys[n:]
	}
	return drop, nil
}

// keyList lists the key columns, qualified by the name unless it is empty.
func (s *statement) keyList(name string) string {
	list := make([]string, len(s.table.keys))
	for i, key := range s.table.keys {
		list[i] = s.table.quote(key)
		if name != "" {
			list[i] = name + "." + list[i]
		}
	}
	return strings.Join(list, ",")
}
