package hooks

import (
	"context"
	"fmt"
	"strings"

	"gorm.io/gorm"
)

// query runs a catalog query and calls each for every row, with as many
// values as there are columns.
func query(ctx context.Context, conn gorm.ConnPool, each func(values []any), text string, args ...any) (err error) {
	rows, err := conn.QueryContext(ctx, text, args...)
	if err != nil {
		return err
	}
	defer func() {
		if closing := rows.Close(); err == nil {
			err = closing
		}
	}()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	values, targets := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		targets[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return err
		}
		each(values)
	}
	return rows.Err()
}

// text returns a catalog value as a string, whichever type the driver chose.
func text(value any) string {
	switch value := value.(type) {
	case nil:
		return ""
	case []byte:
		return string(value)
	default:
		return fmt.Sprint(value)
	}
}

// uniqueIndexes collects the columns of indexes from rows of (index, column).
type uniqueIndexes struct {
	last    string
	columns [][]string
}

func (u *uniqueIndexes) add(index, column string) {
	if index != u.last {
		u.last = index
		u.columns = append(u.columns, nil)
	}
	last := len(u.columns) - 1
	u.columns[last] = append(u.columns[last], column)
}

func postgresFacts(ctx context.Context, conn gorm.ConnPool, t *table) (facts, error) {
	found := facts{types: map[string]string{}}
	var uniques uniqueIndexes
	err := query(ctx, conn, func(v []any) {
		uniques.add(text(v[0]), text(v[1]))
		if v[2] == true {
			found.keys = append(found.keys, text(v[1]))
		}
	}, `SELECT i.indexrelid::text, a.attname::text, i.indisprimary
		FROM pg_catalog.pg_index i
		CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
		JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
		WHERE i.indrelid = to_regclass($1) AND i.indisunique AND i.indexprs IS NULL AND k.place <= i.indnkeyatts
		ORDER BY i.indexrelid, k.place`, t.quoted())
	if err != nil {
		return facts{}, err
	}
	found.uniques = uniques.columns
	err = query(ctx, conn, func(v []any) {
		found.composed = text(v[0]) != "r"
		found.types[text(v[1])] = text(v[2])
	}, `SELECT c.relkind::text, a.attname::text, coalesce(base.typname, t.typname)::text
		FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
		JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
		LEFT JOIN pg_catalog.pg_type base ON base.oid = nullif(t.typbasetype, 0)
		WHERE c.oid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped`, t.quoted())
	if err != nil {
		return facts{}, err
	}
	// pg_trigger.tgtype: 2 is BEFORE, 64 INSTEAD OF, 4, 8 and 16 are the events
	// INSERT, DELETE and UPDATE.
	err = query(ctx, conn, func([]any) { found.triggers = true },
		`SELECT 1 FROM pg_catalog.pg_trigger WHERE tgrelid = to_regclass($1) AND NOT tgisinternal
		AND tgenabled <> 'D' AND tgtype & 66 = 0 AND tgtype & 20 <> 0 LIMIT 1`, t.quoted())
	return found, err
}

func sqliteFacts(ctx context.Context, conn gorm.ConnPool, t *table) (facts, error) {
	found := facts{types: map[string]string{}}
	pragma := func(name, of string) string {
		if t.schema == "" {
			return fmt.Sprintf("PRAGMA %s(%s)", name, t.quote(of))
		}
		return fmt.Sprintf("PRAGMA %s.%s(%s)", t.quote(t.schema), name, t.quote(of))
	}
	places := map[int64]string{}
	err := query(ctx, conn, func(v []any) { // cid, name, type, notnull, default, pk, hidden
		if v[6] == int64(1) { // a hidden column of a virtual table
			return
		}
		found.columns = append(found.columns, text(v[1]))
		found.types[text(v[1])] = strings.ToUpper(text(v[2]))
		if place, _ := v[5].(int64); place > 0 {
			places[place] = text(v[1])
		}
	}, pragma("table_xinfo", t.name))
	if err != nil {
		return facts{}, err
	}
	if len(found.columns) == 0 {
		return facts{}, fmt.Errorf("no such table: %s", t.quoted())
	}
	for i := range int64(len(places)) {
		found.keys = append(found.keys, places[i+1])
	}
	if len(found.keys) > 0 {
		found.uniques = append(found.uniques, found.keys)
	}
	var indexes []string
	err = query(ctx, conn, func(v []any) { // seq, name, unique, origin, partial
		if v[2] == int64(1) {
			indexes = append(indexes, text(v[1]))
		}
	}, pragma("index_list", t.name))
	if err != nil {
		return facts{}, err
	}
	var uniques uniqueIndexes
	for _, index := range indexes {
		if err := query(ctx, conn, func(v []any) { // seqno, cid, name
			uniques.add(index, text(v[2]))
		}, pragma("index_info", index)); err != nil {
			return facts{}, err
		}
	}
	found.uniques = append(found.uniques, uniques.columns...)
	for _, master := range []string{"sqlite_master", "sqlite_temp_master"} {
		if t.schema != "" && master == "sqlite_master" {
			master = t.quote(t.schema) + "." + master
		}
		if err := query(ctx, conn, func([]any) { found.triggers = true },
			"SELECT 1 FROM "+master+" WHERE type = 'trigger' AND tbl_name = ? COLLATE NOCASE LIMIT 1", t.name); err != nil {
			return facts{}, err
		}
	}
	return found, nil
}

func mysqlFacts(ctx context.Context, conn gorm.ConnPool, t *table) (facts, error) {
	var found facts
	var uniques uniqueIndexes
	where, args := "table_schema = DATABASE()", []any{t.name}
	if t.schema != "" {
		where, args = "table_schema = ?", []any{t.schema, t.name}
	}
	err := query(ctx, conn, func(v []any) {
		index, name := text(v[0]), text(v[1])
		uniques.add(index, name)
		if index == "PRIMARY" {
			found.keys = append(found.keys, name)
		}
	}, "SELECT index_name, column_name FROM information_schema.statistics WHERE "+where+
		" AND table_name = ? AND non_unique = 0 ORDER BY index_name, seq_in_index", args...)
	found.uniques = uniques.columns
	return found, err
}
