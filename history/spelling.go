package history

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/hooks"
)

// cell returns a value of a column as the cell of the row that would have it: the
// database may spell a text in another way, as 1.5 in a decimal(20,4) is 1.5000,
// and a UUID is in lower case.
func (r *records) cell(table *hooks.Table, column string, value any) (json.RawMessage, error) {
	cell, err := table.Cell(column, value)
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	plain, err := driver.DefaultParameterConverter.ConvertValue(value)
	text, isText := plain.(string)
	if err != nil || !isText {
		return cell, nil //nolint:nilerr // a large number, which Cell takes
	}
	switch stored, err := r.spelled(column, text); stored := stored.(type) {
	case nil:
		return cell, err
	case json.RawMessage:
		return stored, err
	default:
		if cell, err = table.Cell(column, stored); err != nil {
			return nil, fmt.Errorf("history: %w", err)
		}
		return cell, nil
	}
}

// spelled returns the text as the column gives it back, on PostgreSQL as JSON. It
// is nil where the text stays what it is, and where the column cannot hold it:
// 1.55 is not in a decimal(20,1).
func (r *records) spelled(column, text string) (any, error) {
	db := r.db.Session(&gorm.Session{NewDB: true})
	kind, err := r.typeOf(db, column)
	if err != nil {
		return nil, err
	}
	if db.Name() == "mysql" && strings.HasPrefix(kind, "char") {
		return strings.TrimRight(text, " "), nil
	}
	to := castOf(db.Name(), kind)
	if to == "" {
		return nil, nil
	}
	question := "SELECT is_, is_ = ? FROM (SELECT CAST(? AS " + to + ") AS is_) AS cast_"
	if db.Name() == "postgres" {
		question = "SELECT to_json(is_)::text, is_ = ? FROM (SELECT CAST(CAST(? AS text) AS " + to + ") AS is_) AS cast_"
	}
	stored, err := answer(db, question, text, text)
	if err != nil {
		return nil, fmt.Errorf("history: key %q as a %s: %w", text, kind, err)
	}
	if document, ok := stored.(string); ok && db.Name() == "postgres" {
		return json.RawMessage(document), nil
	}
	return stored, nil
}

// typeOf returns the type of a column as its table declares it.
func (r *records) typeOf(db *gorm.DB, column string) (string, error) {
	columns, err := db.Migrator().ColumnTypes(r.model)
	if err != nil {
		return "", fmt.Errorf("history: %w", err)
	}
	for _, c := range columns {
		if c.Name() == column {
			kind, _ := c.ColumnType()
			return kind, nil
		}
	}
	return "", nil
}

// answer returns the first column of the one row, nil unless the second is true.
func answer(db *gorm.DB, question string, args ...any) (value any, err error) {
	rows, err := db.Raw(question, args...).Rows()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var holds sql.NullBool
	if rows.Next() {
		err = rows.Scan(&value, &holds)
	}
	if err = errors.Join(err, rows.Err()); !holds.Bool {
		return nil, err
	}
	return value, err
}

// castOf returns what a text is cast to so that it is as a column of the type has
// it, empty where every text stays what it is.
func castOf(dialect, kind string) string {
	switch {
	case kind == "":
		return ""
	case dialect == "postgres":
		if kind == "bytea" || strings.HasPrefix(kind, "timestamp") { // events have another form of them
			return ""
		}
		return kind
	case dialect == "sqlite":
		return sqliteCast(strings.ToLower(kind))
	}
	return mysqlCast(strings.ToLower(kind))
}

// sqliteCast goes by the rules of SQLite for the affinity of a column.
func sqliteCast(kind string) string {
	if strings.Contains(kind, "int") {
		return "NUMERIC"
	}
	for _, text := range []string{"char", "clob", "text", "blob"} {
		if strings.Contains(kind, text) {
			return ""
		}
	}
	return "NUMERIC"
}

// mysqlCast knows the types that there is a cast to.
func mysqlCast(kind string) string {
	name, _, _ := strings.Cut(kind, " ")
	base, _, _ := strings.Cut(name, "(")
	switch base {
	case "decimal", "uuid", "inet4", "inet6":
		return name
	case "tinyint", "smallint", "mediumint", "int", "bigint":
		if strings.Contains(kind, "unsigned") {
			return "UNSIGNED"
		}
		return "SIGNED"
	}
	return ""
}
