package hooks

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/internal/connpool"
)

// The decoders turn a cell back into the value that the driver returned, or
// that it takes: the inverse of the encoders.

// Value returns a cell as GORM writes it to the column.
func (t *Table) Value(column string, cell json.RawMessage) any {
	if string(cell) == "null" {
		return nil
	}
	s := t.statement
	switch s.dialect.syntax {
	case postgresSyntax:
		if isJSON(t.types[column]) && string(cell) == jsonNull { // which a document cannot say
			return gorm.Expr("'null'::" + t.types[column])
		}
		document := string(t.appendDocument(nil, map[string]json.RawMessage{column: cell}))
		return gorm.Expr("(json_populate_record("+t.rowType()+", ?::json))."+s.table.quote(column), document)
	case sqliteSyntax:
		value, err := decodeSQLite(cell, t.types[column])
		if err == nil {
			return value
		}
	case mysqlSyntax:
		if raw, ok := bytesCell(cell); ok {
			return s.table.comparable(column, raw)
		}
		if isTime(t.types[column]) {
			return strings.Replace(plainText(cell), "T", " ", 1)
		}
	}
	return plainText(cell)
}

// decoder returns the function for the values of this database.
func (t *Table) decoder(ctx context.Context) (func(cell json.RawMessage, typeName string) (any, error), error) {
	if t.statement.dialect.syntax == sqliteSyntax {
		return decodeSQLite, nil
	}
	// Whether and in which zone times are parsed is a setting of the driver's.
	sample, err := fetch(ctx, connpool.Unwrap(t.statement.ConnPool), "SELECT CAST('2000-01-02 03:04:05' AS DATETIME)", nil, reading{keep: true})
	if err != nil {
		return nil, err
	}
	at, parses := sample.values[0][0].(time.Time)
	return func(cell json.RawMessage, typeName string) (any, error) {
		return decodeMySQL(cell, typeName, parses, at.Location())
	}, nil
}

func decodeSQLite(cell json.RawMessage, typeName string) (any, error) {
	if raw, ok := bytesCell(cell); ok {
		return raw, nil
	}
	switch text := string(cell); {
	case text == "null":
		return nil, nil
	case text == "true", text == "false":
		return text == "true", nil
	case text[0] == '"':
		if isTime(typeName) {
			if at, err := time.Parse(time.RFC3339Nano, plainText(cell)); err == nil {
				return at, nil
			}
		}
		return plainText(cell), nil
	default:
		return number(text)
	}
}

func decodeMySQL(cell json.RawMessage, typeName string, parses bool, zone *time.Location) (any, error) {
	if raw, ok := bytesCell(cell); ok {
		return raw, nil
	}
	switch text := string(cell); {
	case text == "null":
		return nil, nil
	case text[0] != '"' && typeName != "DECIMAL" && typeName != "UNSIGNED BIGINT":
		return number(text)
	case parses && isTime(typeName):
		return wallTime(plainText(cell), zone)
	case isTime(typeName):
		return []byte(strings.Replace(plainText(cell), "T", " ", 1)), nil
	default:
		return []byte(plainText(cell)), nil
	}
}

// wallTime reads the server's wall clock.
func wallTime(text string, zone *time.Location) (time.Time, error) {
	if strings.HasPrefix(text, "0000-00-00") {
		return time.Time{}, nil
	}
	if at, err := time.ParseInLocation(time.DateOnly, text, zone); err == nil {
		return at, nil
	}
	return time.ParseInLocation(wallClock, text, zone)
}

func isTime(typeName string) bool {
	return strings.HasPrefix(typeName, "DATE") || strings.HasPrefix(typeName, "TIMESTAMP")
}

func number(text string) (any, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, nil
	}
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		return n, nil
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, fmt.Errorf("%q is no number", text)
	}
	return n, nil
}

// plainText returns the text of a string, and everything else as it is written.
func plainText(cell json.RawMessage) string {
	if text, ok := unquote(cell); ok {
		return text
	}
	if len(cell) > 0 && (cell[0] == '-' || '0' <= cell[0] && cell[0] <= '9') {
		return string(cell)
	}
	var text string
	if json.Unmarshal(cell, &text) == nil {
		return text
	}
	return string(cell)
}

// unquote returns the text of a string in which nothing is escaped but quotes,
// backslashes and line breaks.
func unquote(cell []byte) (text string, ok bool) {
	if len(cell) < 2 || cell[0] != '"' || !utf8.Valid(cell) {
		return "", false
	}
	cell = cell[1 : len(cell)-1]
	plain := bytes.IndexByte(cell, '\\')
	if plain < 0 {
		return string(cell), true
	}
	var into strings.Builder
	into.Grow(len(cell))
	for ; plain >= 0; plain = bytes.IndexByte(cell, '\\') {
		if plain+1 == len(cell) {
			return "", false
		}
		into.Write(cell[:plain])
		switch escaped := cell[plain+1]; escaped {
		case '"', '\\', '/':
			into.WriteByte(escaped)
		case 'n':
			into.WriteByte('\n')
		default:
			return "", false
		}
		cell = cell[plain+2:]
	}
	into.Write(cell)
	return into.String(), true
}

func bytesCell(cell json.RawMessage) ([]byte, bool) {
	if !bytes.HasPrefix(cell, []byte(`{"base64":"`)) {
		return nil, false
	}
	var object struct{ Base64 []byte }
	if json.Unmarshal(cell, &object) != nil {
		return nil, false
	}
	return object.Base64, true
}

// documentCell undoes presentDocument.
func documentCell(cell json.RawMessage, typeName string) json.RawMessage {
	switch typeName {
	case "json", "jsonb":
		if text := plainText(cell); json.Valid([]byte(text)) {
			return json.RawMessage(text)
		}
	case "bytea":
		if raw, ok := bytesCell(cell); ok {
			return appendString(nil, `\x`+hex.EncodeToString(raw))
		}
	}
	return cell
}
