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

// uniqueIndex is an index whose columns identify at most one row.
type uniqueIndex struct {
	name    string
	columns []string
	// primary marks the primary key; whole says that every row is in the
	// index and no column of it can be null.
	primary, whole bool
}

// uniqueIndexes collects indexes from rows of one column each, in order.
type uniqueIndexes []uniqueIndex

func (u *uniqueIndexes) add(name, column string, primary, whole bool) {
	last := len(*u) - 1
	if last < 0 || (*u)[last].name != name {
		*u = append(*u, uniqueIndex{name: name, primary: primary, whole: true})
		last++
	}
	index := &(*u)[last]
	index.columns = append(index.columns, column)
	index.whole = index.whole && whole
}

func postgresFacts(ctx context.Context, conn gorm.ConnPool, t *table) (facts, error) {
	found := facts{types: map[string]string{}}
	err := query(ctx, conn, func(v []any) {
		found.composed = text(v[0]) != "r"
		found.columns = append(found.columns, text(v[1]))
		found.types[text(v[1])] = text(v[2])
	}, `SELECT c.relkind::text, a.attname::text, coalesce(base.typname, t.typname)::text
		FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
		JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
		LEFT JOIN pg_catalog.pg_type base ON base.oid = nullif(t.typbasetype, 0)
		WHERE c.oid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`, t.quoted())
	if err != nil {
		return facts{}, err
	}
	err = query(ctx, conn, func(v []any) {
		found.uniques.add(text(v[0]), text(v[1]), v[2] == true, v[3] == true)
	}, `SELECT i.indexrelid::text, a.attname::text, i.indisprimary, a.attnotnull AND i.indpred IS NULL
		FROM pg_catalog.pg_index i
		CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
		JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
		WHERE i.indrelid = to_regclass($1) AND i.indisunique AND i.indexprs IS NULL AND k.place <= i.indnkeyatts
		ORDER BY i.indisprimary DESC, i.indexrelid, k.place`, t.quoted())
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
	var err error
	if found.version, err = sqliteVersion(ctx, conn, t); err != nil {
		return facts{}, err
	}
	places, notNull := map[int64]string{}, map[string]bool{}
	err = query(ctx, conn, func(v []any) { // cid, name, type, notnull, default, pk, hidden
		if v[6] == int64(1) { // a hidden column of a virtual table
			return
		}
		name := text(v[1])
		found.columns = append(found.columns, name)
		found.types[name] = strings.ToUpper(text(v[2]))
		notNull[name] = v[3] == int64(1)
		if place, _ := v[5].(int64); place > 0 {
			places[place] = name
		}
	}, pragma(t, "table_xinfo", t.name))
	if err != nil {
		return facts{}, err
	}
	for i := range int64(len(places)) {
		found.uniques.add("primary key", places[i+1], true, true)
	}
	type index struct {
		name  string
		whole bool
	}
	var indexes []index
	err = query(ctx, conn, func(v []any) { // seq, name, unique, origin, partial
		if v[2] == int64(1) && text(v[3]) != "pk" {
			indexes = append(indexes, index{text(v[1]), v[4] == int64(0)})
		}
	}, pragma(t, "index_list", t.name))
	if err != nil {
		return facts{}, err
	}
	for _, index := range indexes {
		err := query(ctx, conn, func(v []any) { // seqno, cid, name
			found.uniques.add(index.name, text(v[2]), false, index.whole && notNull[text(v[2])])
		}, pragma(t, "index_info", index.name))
		if err != nil {
			return facts{}, err
		}
	}
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

// pragma asks SQLite about something in the schema of the table.
func pragma(t *table, name, of string) string {
	call := name
	if of != "" {
		call += "(" + t.quote(of) + ")"
	}
	if t.schema == "" {
		return "PRAGMA " + call
	}
	return "PRAGMA " + t.quote(t.schema) + "." + call
}

// sqliteVersion returns a number that changes whenever anybody changes the
// schema.
func sqliteVersion(ctx context.Context, conn gorm.ConnPool, t *table) (version int64, err error) {
	err = query(ctx, conn, func(v []any) { version, _ = v[0].(int64) }, pragma(t, "schema_version", ""))
	return version, err
}

// mysqlFacts uses SHOW, which knows temporary tables too and complains of a
// missing table as the statement itself would.
func mysqlFacts(ctx context.Context, conn gorm.ConnPool, t *table) (facts, error) {
	var found facts
	notNull := map[string]bool{}
	err := query(ctx, conn, func(v []any) { // Field, Type, Null, Key, Default, Extra
		found.columns = append(found.columns, text(v[0]))
		if strings.Contains(text(v[5]), "auto_increment") {
			found.autoIncrement = text(v[0])
		}
		notNull[text(v[0])] = text(v[2]) == "NO"
	}, "SHOW COLUMNS FROM "+t.quoted())
	if err != nil {
		return facts{}, err
	}
	err = query(ctx, conn, func(v []any) { // Table, Non_unique, Key_name, Seq_in_index, Column_name, ...
		if text(v[1]) == "0" {
			found.uniques.add(text(v[2]), text(v[4]), text(v[2]) == "PRIMARY", notNull[text(v[4])])
		}
	}, "SHOW INDEX FROM "+t.quoted())
	return found, err
}
