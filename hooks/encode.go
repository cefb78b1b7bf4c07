package hooks

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The encoders append a column's value as JSON. Numbers keep every digit,
// bytes become {"base64": "..."}, which no other value looks like, and times
// are RFC 3339, in UTC where the database holds an instant.

// encodeSQLite gets the stored value; the declared type says what it stands
// for. A time is turned into RFC 3339 only where that loses nothing.
func encodeSQLite(into []byte, value any, typeName string) []byte {
	switch value := value.(type) {
	case int64:
		if strings.HasPrefix(typeName, "BOOL") && (value == 0 || value == 1) {
			return strconv.AppendBool(into, value == 1)
		}
	case string:
		if !strings.HasPrefix(typeName, "DATETIME") && !strings.HasPrefix(typeName, "TIMESTAMP") {
			break
		}
		if inUTC(value) {
			const date = len("2006-01-02")
			into = append(append(append(into, '"'), value[:date]...), 'T')
			return append(append(into, value[date+1:len(value)-len("+00:00")]...), `Z"`...)
		}
		for _, layout := range sqliteTimes {
			if t, err := time.Parse(layout, value); err == nil && t.Format(layout) == value {
				return appendTime(into, t.UTC(), time.RFC3339Nano)
			}
		}
	}
	return encodeAny(into, value, typeName)
}

// sqliteTimes are the forms in which the drivers store a time.Time.
var sqliteTimes = []string{
	"2006-01-02 15:04:05.999999999-07:00",
	"2006-01-02T15:04:05.999999999-07:00",
}

// encodeMySQL gets []byte for most types and tells them apart by name.
func encodeMySQL(into []byte, value any, typeName string) []byte {
	switch value := value.(type) {
	case []byte:
		switch typeName {
		case "DECIMAL", "UNSIGNED BIGINT":
			return appendNumber(into, string(value))
		case "DATETIME", "TIMESTAMP":
			return appendString(into, mysqlTime(string(value)))
		case "BLOB", "TINYBLOB", "MEDIUMBLOB", "LONGBLOB", "BINARY", "VARBINARY", "BIT", "GEOMETRY":
			return appendBytes(into, value)
		default:
			return appendString(into, string(value))
		}
	case time.Time: // the server's wall clock, whatever zone the driver put to it
		switch {
		case value.IsZero() && typeName == "DATE":
			return append(into, `"0000-00-00"`...)
		case value.IsZero():
			return append(into, `"0000-00-00T00:00:00"`...)
		case typeName == "DATE":
			return appendTime(into, value, time.DateOnly)
		default:
			return appendTime(into, value, wallClock)
		}
	}
	return encodeAny(into, value, typeName)
}

// mysqlTime brings the text of a time to the form that wallClock gives it.
func mysqlTime(text string) string {
	text = strings.Replace(text, " ", "T", 1)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}

// wallClock is RFC 3339 without a zone, for columns that hold none.
const wallClock = "2006-01-02T15:04:05.999999999"

func encodeAny(into []byte, value any, _ string) []byte {
	switch value := value.(type) {
	case nil:
		return append(into, "null"...)
	case bool:
		return strconv.AppendBool(into, value)
	case int64:
		return strconv.AppendInt(into, value, 10)
	case uint64:
		return strconv.AppendUint(into, value, 10)
	case float64:
		return appendFloat(into, value, 64)
	case float32:
		return appendFloat(into, float64(value), 32)
	case string:
		return appendString(into, value)
	case []byte:
		return appendBytes(into, value)
	case time.Time:
		return appendTime(into, value.UTC(), time.RFC3339Nano)
	default:
		return appendString(into, text(value))
	}
}

func appendTime(into []byte, t time.Time, layout string) []byte {
	into = append(into, '"')
	into = t.AppendFormat(into, layout)
	return append(into, '"')
}

// appendFloat writes NaN and the infinities, which JSON lacks, as strings.
func appendFloat(into []byte, value float64, bits int) []byte {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return strconv.AppendQuote(into, strconv.FormatFloat(value, 'g', -1, bits))
	}
	return strconv.AppendFloat(into, value, 'g', -1, bits)
}

// appendNumber writes a decimal digit for digit; "NaN" and the like become
// strings.
func appendNumber(into []byte, digits string) []byte {
	if json.Valid([]byte(digits)) {
		return append(into, digits...)
	}
	return appendString(into, digits)
}

func appendBytes(into, value []byte) []byte {
	into = append(into, `{"base64":"`...)
	into = base64.StdEncoding.AppendEncode(into, value)
	return append(into, `"}`...)
}

// appendString writes text as a JSON string, and what is not UTF-8 as bytes.
func appendString(into []byte, value string) []byte {
	const hex = "0123456789abcdef"
	if !utf8.ValidString(value) {
		return appendBytes(into, []byte(value))
	}
	into = append(into, '"')
	for i := range len(value) {
		switch b := value[i]; {
		case b == '"' || b == '\\':
			into = append(into, '\\', b)
		case b >= 0x20:
			into = append(into, b)
		case b == '\n':
			into = append(into, '\\', 'n')
		case b == '\t':
			into = append(into, '\\', 't')
		default:
			into = append(into, '\\', 'u', '0', '0', hex[b>>4], hex[b&15])
		}
	}
	return append(into, '"')
}
