package hooks

import (
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// joined returns the tables that an UPDATE ... FROM joins; empty when there
// are none.
func (s *statement) joined() (tables []clause.Table) {
	from, _ := s.db.Statement.Clauses["FROM"].Expression.(clause.From)
	for _, join := range from.Joins {
		tables = append(tables, join.Table)
	}
	return append(tables, from.Tables...)
}

// writeJoined writes them behind the table of the statement.
func (s *statement) writeJoined(to *gorm.Statement) {
	if len(s.joined()) > 0 {
		to.WriteByte(',')
		s.db.Statement.Clauses["FROM"].Expression.Build(to)
	}
}

// writeWhere writes the statement's own condition, for others to follow.
func (s *statement) writeWhere(to *gorm.Statement) {
	if where, ok := s.db.Statement.Clauses["WHERE"].Expression.(clause.Where); ok && len(where.Exprs) > 0 {
		to.WriteByte('(')
		where.Build(to)
		to.WriteString(") AND ")
	}
}

// updateJoined captures PostgreSQL's UPDATE ... FROM ... RETURNING. What it
// returns may be columns of the joined tables, which a CTE with the rows before
// would mix up with its own; so the rows were locked before, and the UPDATE is
// held to their keys. So is one whose clauses have hints around them.
func (s *statement) updateJoined(locked *locked) (outcome, error) {
	if n := locked.rows.count(); n > maxRestriction {
		return outcome{}, fmt.Errorf("hooks: an UPDATE ... FROM ... RETURNING of %d rows cannot be held to them; update at most %d at once, or leave RETURNING out", n, maxRestriction)
	}
	before, err := s.imagesOf(s.table, locked.rows.cut(0, locked.width))
	if err != nil {
		return outcome{}, err
	}
	q := s.fresh()
	q.Build("UPDATE", "SET", "FROM")
	q.WriteString(" WHERE ")
	s.writeWhere(q)
	if len(before.rows) == 0 {
		q.WriteString("1 = 0")
	} else {
		writeKeys(q, s.table, s.tableName(), s.table.keys, before.rawKeys())
	}
	q.WriteByte(' ')
	if s.wantsRows {
		q.Build("RETURNING")
		q.WriteByte(',')
	} else {
		q.WriteString("RETURNING ")
	}
	q.WriteString(s.origin() + "," + s.dialect.row(s.table, s.tableName()) + s.place())
	own, rows, err := s.runQuery(s.ConnPool, q.SQL.String(), q.Vars)
	if err != nil {
		return outcome{}, err
	}
	after, err := s.imagesOf(s.table, rows)
	if err != nil {
		return outcome{}, err
	}
	done := outcome{own: own, affected: rows.count()}
	if done.images, done.changes, err = s.pairUpdated(locked, locked.rows, after); err != nil {
		return outcome{}, err
	}
	return s.withTriggers(done)
}
