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
	defer func() { err = ending(rows, err) }()
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
	// partial says that only some rows are in the index; collated that texts
	// may be equal in it that are not the same.
	partial, collated bool
	// nulls says that nulls are equal in it.
	nulls bool
}

// uniqueIndexes collects indexes from rows of one column each, in order.
type uniqueIndexes []uniqueIndex

func (u *uniqueIndexes) add(name, column string, primary, whole bool) *uniqueIndex {
	last := len(*u) - 1
	if last < 0 || (*u)[last].name != name {
		*u = append(*u, uniqueIndex{name: name, primary: primary, whole: true})
		last++
	}
	index := &(*u)[last]
	index.columns = append(index.columns, column)
	index.whole = index.whole && whole
	return index
}

func postgresFacts(ctx context.Context, conn gorm.ConnPool, t *table) (facts, error) {
	found := facts{types: map[string]string{}}
	err := query(ctx, conn, func(v []any) {
		found.composed = text(v[0]) != "r"
		found.columns = append(found.columns, text(v[1]))
		found.types[text(v[1])] = text(v[2])
		if v[3] == true {
			found.made = append(found.made, text(v[1]))
		}
		if v[4] == true {
			found.generated = append(found.generated, text(v[1]))
		}
		found.id, _ = v[5].(int64)
		found.inherited, found.ruled = v[6] == true, v[7] == true
	}, `SELECT c.relkind::text, a.attname::text, t.typname::text,
			a.attidentity <> '' OR a.attgenerated = '' AND coalesce(pg_get_expr(d.adbin, d.adrelid) LIKE '%(%', false),
			a.attgenerated <> '', c.oid::int8, c.relkind = 'r' AND c.relhassubclass, c.relhasrules
		FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
		CROSS JOIN LATERAL (
			WITH RECURSIVE below AS (
				SELECT typname, typbasetype FROM pg_catalog.pg_type WHERE oid = a.atttypid
				UNION ALL SELECT b.typname, b.typbasetype FROM pg_catalog.pg_type b JOIN below ON b.oid = below.typbasetype
			) SELECT typname FROM below WHERE typbasetype = 0
		) AS t
		LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
		WHERE c.oid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`, t.quoted())
	if err != nil {
		return facts{}, err
	}
	err = query(ctx, conn, func(v []any) {
		index := found.uniques.add(text(v[0]), text(v[1]), v[2] == true, v[3] == true)
		index.partial, index.nulls = v[4] == true, v[5] == true
	}, `SELECT i.indexrelid::text, a.attname::text, i.indisprimary, a.attnotnull AND i.indpred IS NULL, i.indpred IS NOT NULL,
			coalesce((to_jsonb(i)->>'indnullsnotdistinct')::boolean, false)
		FROM pg_catalog.pg_index i
		CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
		JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
		WHERE i.indrelid = to_regclass($1) AND i.indisunique AND i.indisvalid AND i.indexprs IS NULL AND k.place <= i.indnkeyatts
		ORDER BY i.indisprimary DESC, i.indexrelid, k.place`, t.quoted())
	if err != nil {
		return facts{}, err
	}
	// pg_trigger.tgtype: 2 is BEFORE, 64 INSTEAD OF, 4, 8 and 16 are the events
	// INSERT, DELETE and UPDATE. Rules, row security, tables that inherit and
	// references to or from our own tables are like triggers that change nothing.
	err = query(ctx, conn, func(v []any) {
		found.fires = true
		found.triggers = found.triggers || v[0] == true
		found.restores = found.restores || v[1] == true
	}, `SELECT tgtype & 66 = 0 AND tgtype & 20 <> 0, tgtype & 66 = 0 AND tgtype & 8 <> 0 FROM pg_catalog.pg_trigger
		WHERE tgrelid = to_regclass($1) AND NOT tgisinternal AND tgenabled <> 'D'
		UNION ALL SELECT false, false FROM pg_catalog.pg_class WHERE oid = to_regclass($1) AND (relhasrules OR relrowsecurity OR relhassubclass)
		UNION ALL SELECT false, false FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid IN (k.conrelid, k.confrelid)
		WHERE k.contype = 'f' AND to_regclass($1) IN (k.conrelid, k.confrelid) AND c.relname LIKE 'event\_audit\_%'`, t.quoted())
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
		if v[4] != nil || v[6] != int64(0) { // or it is a generated column
			found.defaulted = append(found.defaulted, name)
		}
		if v[6] != int64(0) {
			found.generated = append(found.generated, name)
		}
		if place, _ := v[5].(int64); place > 0 {
			places[place] = name
		}
	}, pragma(t, "table_xinfo", t.name))
	if err != nil {
		return facts{}, err
	}
	for i := range int64(len(places)) {
		rowID := len(places) == 1 && found.types[places[1]] == "INTEGER"
		found.uniques.add("primary key", places[i+1], true, rowID || notNull[places[i+1]])
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
		err := query(ctx, conn, func(v []any) { // seqno, cid, name, desc, coll, key
			if v[5] == int64(0) {
				return // the row id that every index ends in
			}
			added := found.uniques.add(index.name, text(v[2]), false, index.whole && notNull[text(v[2])])
			added.partial = !index.whole
			added.collated = added.collated || !strings.EqualFold(text(v[4]), "BINARY")
		}, pragma(t, "index_xinfo", index.name))
		if err != nil {
			return facts{}, err
		}
	}
	for _, master := range []string{"sqlite_master", "sqlite_temp_master"} {
		if t.schema != "" && master == "sqlite_master" {
			master = t.quote(t.schema) + "." + master
		}
		err := query(ctx, conn, func(v []any) {
			x := trigger{text(v[0]), text(v[1])}
			own := strings.EqualFold(x.table, t.name)
			if text(v[2]) == "table" {
				found.replaces = found.replaces || own && clauseReplaces(x.body)
				found.virtual = found.virtual || own && strings.HasPrefix(x.body, "CREATE VIRTUAL TABLE ")
				return
			}
			found.triggers = found.triggers || own
			found.restores = found.restores || own && x.onDelete()
			found.bodies = append(found.bodies, x)
		}, "SELECT tbl_name, sql, type FROM "+master+" WHERE type = 'trigger' OR type = 'table' AND tbl_name = ? COLLATE NOCASE", t.name)
		if err != nil {
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
		switch kind := strings.ToLower(text(v[1])); {
		case strings.HasPrefix(kind, "bit"):
			found.bits = append(found.bits, text(v[0]))
		case strings.Contains(kind, "binary"), strings.Contains(kind, "blob"):
			found.bytes = append(found.bytes, text(v[0]))
		}
		if extra := text(v[5]); strings.Contains(extra, "VIRTUAL") || strings.Contains(extra, "STORED") || strings.Contains(extra, "PERSISTENT") {
			found.generated = append(found.generated, text(v[0]))
		}
		if strings.Contains(text(v[5]), "INVISIBLE") {
			found.invisible = append(found.invisible, text(v[0]))
		}
		if strings.Contains(text(v[5]), "GENERATED") {
			found.defaulted = append(found.defaulted, text(v[0]))
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
	if err != nil {
		return facts{}, err
	}
	from := ""
	if t.schema != "" {
		from = " FROM " + t.quote(t.schema)
	}
	err = query(ctx, conn, func(v []any) { // Trigger, Event, Table, Statement, ...
		found.bodies = append(found.bodies, trigger{text(v[2]), text(v[3])})
	}, "SHOW TRIGGERS"+from+" WHERE `Table` = '"+strings.ReplaceAll(t.name, "'", "''")+"'")
	if err != nil {
		return facts{}, err
	}
	err = query(ctx, conn, func(v []any) { // Table, Create Table
		found.transactional = strings.Contains(text(v[1]), "ENGINE=InnoDB")
	}, "SHOW CREATE TABLE "+t.quoted())
	return found, err
}
