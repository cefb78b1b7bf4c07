package oracle

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"maps"
	"math/big"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
)

// cellText is an SQL expression that renders a cell as JSON by the means of
// the database.
func cellText(db *gorm.DB, column, typeName string) string {
	switch db.Name() {
	case "postgres":
		if typeName == "BYTEA" {
			return "CASE WHEN " + column + " IS NOT NULL THEN json_build_object('hex', encode(" + column + ", 'hex'))::text END"
		}
		return "to_json(" + column + ")::text"
	case "sqlite":
		if strings.HasPrefix(typeName, "BOOL") {
			return "CASE " + column + " WHEN 0 THEN 'false' WHEN 1 THEN 'true' ELSE json_quote(+" + column + ") END"
		}
		return "CASE typeof(" + column + ") WHEN 'null' THEN NULL WHEN 'blob' THEN json_object('hex', hex(" + column + "))" +
			" WHEN 'real' THEN printf('%!.17g', " + column + ") ELSE json_quote(+" + column + ") END"
	default:
		switch {
		case strings.Contains(typeName, "BLOB") || strings.Contains(typeName, "BINARY"):
			return "IF(" + column + " IS NULL, NULL, JSON_OBJECT('hex', HEX(" + column + ")))"
		case typeName == "BIT": // HEX of the number would leave out leading zeros
			return "IF(" + column + " IS NULL, NULL, JSON_OBJECT('hex', HEX(CAST(" + column + " AS BINARY))))"
		case strings.Contains(typeName, "INT") || strings.Contains(typeName, "DECIMAL") || typeName == "DOUBLE":
			return "CAST(" + column + " AS CHAR)"
		default:
			return "JSON_QUOTE(CAST(" + column + " AS CHAR))"
		}
	}
}

// Cell parses what cellText rendered.
func Cell(text string) any {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return "not JSON: " + text
	}
	return value
}

// Equal compares two cells by what they mean: numbers by value, times by
// instant, bytes whichever way they are written.
func Equal(a, b any) bool {
	switch x := a.(type) {
	case json.Number:
		y, ok := b.(json.Number)
		return ok && sameNumber(x, y)
	case string:
		y, ok := b.(string)
		return ok && (x == y || sameTime(x, y))
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok {
			return false
		}
		xb, xok := binary(x)
		yb, yok := binary(y)
		if xok && yok {
			return bytes.Equal(xb, yb)
		}
		return maps.EqualFunc(x, y, Equal)
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for i := range x {
			if !Equal(x[i], y[i]) {
				return false
			}
		}
		return true
	default:
		return a == b
	}
}

func sameNumber(a, b json.Number) bool {
	x, ok := new(big.Rat).SetString(a.String())
	y, too := new(big.Rat).SetString(b.String())
	if !ok || !too {
		return false
	}
	if x.Cmp(y) == 0 {
		return true
	}
	// A binary float has several decimal spellings.
	fx, _ := x.Float64()
	fy, _ := y.Float64()
	return fx == fy && strings.ContainsAny(a.String()+b.String(), ".eE")
}

// meaning is the same text for cells that are equal.
func meaning(value any) string {
	switch value := value.(type) {
	case json.Number:
		if number, ok := new(big.Rat).SetString(value.String()); ok {
			return number.RatString()
		}
	case string:
		if at, ok := parseTime(value); ok {
			return at.UTC().String()
		}
	case map[string]any:
		if raw, ok := binary(value); ok {
			return hex.EncodeToString(raw) + " in hex"
		}
	}
	return string(event.JSON(value))
}

func sameTime(a, b string) bool {
	x, ok := parseTime(a)
	y, too := parseTime(b)
	return ok && too && x.Equal(y)
}

func parseTime(text string) (time.Time, bool) {
	if rest, zero := strings.CutPrefix(text, "0000-00-00"); zero && strings.Trim(rest, "T 0:.") == "" {
		return time.Time{}, true // what MySQL calls the zero date
	}
	for _, layout := range []string{
		time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999",
		"2006-01-02 15:04:05.999999999-07:00", "2006-01-02T15:04:05.999999999-07:00",
	} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

func binary(object map[string]any) ([]byte, bool) {
	if len(object) != 1 {
		return nil, false
	}
	if text, ok := object["hex"].(string); ok {
		raw, err := hex.DecodeString(text)
		return raw, err == nil
	}
	if text, ok := object["base64"].(string); ok {
		raw, err := base64.StdEncoding.DecodeString(text)
		return raw, err == nil
	}
	return nil, false
}
