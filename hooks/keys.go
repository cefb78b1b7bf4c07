package hooks

import (
	"slices"
	"strings"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/internal/connpool"
)

// maxRestriction is how many keys a statement is held to by naming them; more
// are put into a temporary table. These are all in memory, while a statement
// takes 65,535 parameters.
const maxRestriction = memoryRows

const keysTable = "event_audit_keys"

// keysInTable puts the keys of locked rows into a temporary table of this
// connection, which does not end the transaction, and returns how to drop it.
func (s *statement) keysInTable(locked *locked) (drop func(), err error) {
	conn := connpool.Unwrap(s.ConnPool)
	key, dropping := " (PRIMARY KEY ("+s.keyList("")+"))", "DROP TEMPORARY TABLE "
	if s.dialect.writeLock { // SQLite has neither
		key, dropping = "", "DROP TABLE temp."
	}
	if _, err := conn.ExecContext(s.own, "CREATE TEMPORARY TABLE "+keysTable+key+" AS SELECT "+s.keyList("")+
		" FROM "+s.table.quoted()+" WHERE 1 = 0"); err != nil {
		return nil, err
	}
	drop = func() {
		if _, err := conn.ExecContext(s.own, dropping+keysTable); err != nil {
			s.Logger.WarnContext(s.own, "temporary table of keys was not dropped", "error", err)
		}
	}
	if err := s.insertKeys(conn, locked); err != nil {
		drop()
		return nil, err
	}
	return drop, nil
}

func (s *statement) insertKeys(conn gorm.ConnPool, locked *locked) error {
	row := ",(" + strings.Repeat(",?", len(s.table.keys))[1:] + ")"
	var keys outcome
	insert := func(piece *buffer) (*images, []change, error) {
		set, err := s.imagesOf(s.table, piece.cut(0, locked.width))
		if err != nil {
			return nil, nil, err
		}
		for some := range slices.Chunk(set.rawKeys(), maxKeys) {
			args := make([]any, 0, len(some)*len(s.table.keys))
			for _, key := range some {
				args = append(args, key...)
			}
			if _, err := conn.ExecContext(s.own, "INSERT INTO "+keysTable+" VALUES "+strings.Repeat(row, len(some))[1:], args...); err != nil {
				return nil, nil, err
			}
		}
		return nil, nil, nil
	}
	if err := keys.take(locked.rows, insert); err != nil || keys.rest == nil {
		return err
	}
	return keys.rest(func(*images, []change) error { return nil })
}

// inKeysTable is the condition that the key of a row is in the table.
func (s *statement) inKeysTable() string {
	return "(" + s.keyList(s.tableName()) + ") IN (SELECT " + s.keyList("") + " FROM " + keysTable + ")"
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
