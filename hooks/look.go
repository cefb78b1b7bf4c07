package hooks

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm/clause"
)

// look is how rows are read by their values.
type look struct {
	// lock is what the SELECT ends in; empty does not lock.
	lock string
	// identity is an expression for something else to know the rows by; empty
	// where their keys will do.
	identity string
	// stays says that an upsert changes no row's identity.
	stays bool
}

// maxKeys is how many rows one look-up by key names; the most parameters a
// statement may have is 32,766 on SQLite and 65,535 elsewhere.
const maxKeys = 500

// byKey reads the rows with the keys, locked, in chunks. A key is the values
// of the key columns.
func (s *statement) byKey(columns []string, keys [][]any) (*images, error) {
	found, err := s.rowsBy(look{lock: s.dialect.lock}, columns, keys)
	if err == nil {
		err = s.apart(pointers(found.rows))
	}
	return found, err
}

// apart refuses rows that have the same key. What the catalog once said is then
// no longer so, the table is another one by now, or its key is checked at the
// end of the transaction only. On PostgreSQL, where such a statement has changed
// rows that it does not match, the transaction cannot commit either.
func (s *statement) apart(rows []*image) error {
	if len(rows) < 2 || s.dialect.writeLock || s.table.facts.inherited {
		return nil
	}
	seen := make(map[string]bool, len(rows))
	for _, row := range rows {
		if !seen[row.key] {
			seen[row.key] = row.key != ""
			continue
		}
		s.tables.forget()
		return s.spoiled(fmt.Errorf("hooks: table %s has two rows with one key (%s), which the catalog had ruled out; roll back and try again",
			s.table.quoted(), strings.Join(s.table.keys, ", ")))
	}
	return nil
}

// spoiled is for a statement that may have changed rows that it does not match.
func (s *statement) spoiled(err error) error {
	if s.dialect.documents {
		_, spoiled := s.ConnPool.ExecContext(s.ctx, "ROLLBACK TO SAVEPOINT eventaudit_two_rows_with_one_key") // there is none
		err = errors.Join(err, spoiled)
	}
	return err
}

// rowsBy reads the rows with these values in the columns, in chunks.
func (s *statement) rowsBy(how look, columns []string, keys [][]any) (*images, error) {
	all := &buffer{}
	list := how.list(s.dialect.row(s.table, s.table.quoted()))
	from, end := s.only()+s.table.quoted()+s.byPrimary(columns), ""
	if how.lock != "" {
		end = s.inOrder(columns) + how.lock
	}
	for some := range slices.Chunk(keys, maxKeys) {
		q := s.fresh()
		q.WriteString("SELECT " + list + " FROM " + from + " WHERE ")
		writeKeys(q, s.table, "", columns, some)
		q.WriteString(end)
		part, err := s.selectRows(q)
		if err != nil {
			return nil, err
		}
		all.columns = part.columns
		all.values = append(all.values, part.values...)
	}
	set, err := s.imagesBy(how, all)
	if err == nil && len(keys) > maxKeys {
		set.once()
	}
	return set, err
}

// once drops rows that were found more than once, by chunks that name them
// again.
func (set *images) once() {
	seen := make(map[string]bool, len(set.rows))
	set.rows = slices.DeleteFunc(set.rows, func(row image) bool {
		name := cmp.Or(row.key, row.identity)
		again := seen[name]
		seen[name] = name != ""
		return again
	})
}

// only keeps an INSERT on PostgreSQL from looking at the tables that inherit
// from its own, whose rows are never in its way.
func (s *statement) only() string {
	if s.inserts && s.dialect.documents && !s.table.facts.composed {
		return "ONLY "
	}
	return ""
}

// list adds the identity to what is read of a row.
func (how look) list(row string) string {
	if how.identity == "" {
		return row
	}
	return row + "," + how.identity
}

// imagesBy returns the images of rows that were read by such a list.
func (s *statement) imagesBy(how look, b *buffer) (*images, error) {
	if how.identity == "" || len(b.columns) == 0 {
		return s.imagesOf(s.table, b)
	}
	last := len(b.columns) - 1
	set, err := s.imagesOf(s.table, b.cut(0, last))
	if err != nil {
		return nil, err
	}
	for i, values := range b.values {
		set.rows[i].identity = text(values[last])
	}
	return set, nil
}

// rowsByExpressions reads the rows that agree with those of the INSERT in
// expressions, which the database evaluates for both.
func (s *statement) rowsByExpressions(how look, target []string) (*images, error) {
	values, all := s.values(), &buffer{}
	terms := strings.Join(s.terms(target), ",")
	for some := range slices.Chunk(values.Values, max(1, min(maxKeys, maxParameters/len(s.table.facts.columns)))) {
		q := s.fresh()
		q.WriteString("SELECT " + how.list(s.dialect.row(s.table, s.table.quoted())) + " FROM " + s.only() + s.table.quoted() +
			" WHERE (" + terms + ") IN (SELECT " + terms + " FROM (SELECT " + s.columnList() + " FROM " + s.table.quoted() + " WHERE 1 = 0")
		for _, row := range some {
			q.WriteString(" UNION ALL SELECT ")
			for i, column := range s.table.facts.columns {
				if i > 0 {
					q.WriteByte(',')
				}
				place := slices.IndexFunc(values.Columns, func(c clause.Column) bool { return s.table.same(c.Name, column) })
				if place < 0 || isDefault(row[place]) {
					q.WriteString("NULL")
				} else {
					q.AddVar(q, row[place])
				}
			}
		}
		q.WriteString(") AS " + s.table.quote("__values") + ")" + how.lock)
		part, err := s.selectRows(q)
		if err != nil {
			return nil, err
		}
		all.columns = part.columns
		all.values = append(all.values, part.values...)
	}
	set, err := s.imagesBy(how, all)
	if err == nil {
		set.once()
	}
	return set, err
}

// terms returns what the target is made of as SQL.
func (s *statement) terms(target []string) []string {
	terms := make([]string, len(target))
	for i, name := range target {
		terms[i] = "(" + name + ")"
		if column, ok := s.table.column(name); ok {
			terms[i] = s.table.quote(column)
		}
	}
	return terms
}

// maxParameters is how many parameters a statement may have on every database.
const maxParameters = 30000

func (s *statement) columnList() string {
	quoted := make([]string, len(s.table.facts.columns))
	for i, column := range s.table.facts.columns {
		quoted[i] = s.table.quote(column)
	}
	return strings.Join(quoted, ",")
}
