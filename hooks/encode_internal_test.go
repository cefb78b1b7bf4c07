package hooks

import (
	"encoding/json"
	"math"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// Whatever a driver returns becomes one valid JSON value.
func TestEveryValueEncodes(t *testing.T) {
	t.Parallel()
	value := rapid.OneOf(
		rapid.Just[any](nil),
		rapid.Map(rapid.Bool(), func(v bool) any { return v }),
		rapid.Map(rapid.Int64(), func(v int64) any { return v }),
		rapid.Map(rapid.Uint64(), func(v uint64) any { return v }),
		rapid.Map(rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{math.NaN(), math.Inf(1), math.Inf(-1)})), func(v float64) any { return v }),
		rapid.Map(rapid.Float32(), func(v float32) any { return v }),
		rapid.Map(rapid.String(), func(v string) any { return v }),
		rapid.Map(rapid.SliceOf(rapid.Byte()), func(v []byte) any { return v }),
		rapid.Map(rapid.SliceOf(rapid.Byte()), func(v []byte) any { return string(v) }),
		rapid.Map(rapid.Int64Range(-60_000_000_000, 250_000_000_000), func(v int64) any { return time.Unix(v, v%1e9) }),
	)
	types := rapid.SampledFrom([]string{
		"", "DATE", "TIMESTAMP", "TIMESTAMPTZ", "DATETIME", "DATETIME(6)", "NUMERIC", "DECIMAL", "FLOAT4", "BYTEA", "JSONB", "BLOB", "BOOLEAN", "UNSIGNED BIGINT", "YEAR", "TEXT",
	})
	rapid.Check(t, func(t *rapid.T) {
		v, name := value.Draw(t, "value"), types.Draw(t, "type")
		for database, encode := range map[string]func([]byte, any, string) []byte{
			"any": encodeAny, "sqlite": encodeSQLite, "mysql": encodeMySQL,
		} {
			cell := encode([]byte("x"), v, name)[1:]
			if !json.Valid(cell) || !utf8.Valid(cell) {
				t.Errorf("%s: %#v of type %q became %q", database, v, name, cell)
			}
		}
	})
}

// Text comes back as it was.
func FuzzAppendString(f *testing.F) {
	f.Add("plain")
	f.Add("a\"b\\c\n\t\x00\x1f\u2028é🙂")
	f.Add("\xff")
	f.Fuzz(func(t *testing.T, text string) {
		cell := appendString(nil, text)
		var back string
		if err := json.Unmarshal(cell, &back); err != nil {
			var object struct{ Base64 []byte }
			if err := json.Unmarshal(cell, &object); err != nil || utf8.ValidString(text) {
				t.Fatalf("%q became %s: %v", text, cell, err)
			}
			back = string(object.Base64)
		}
		if back != text {
			t.Errorf("%q became %q", text, back)
		}
	})
}

func TestNumbersKeepEveryDigit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		encode func([]byte, any, string) []byte
		value  any
		name   string
		want   string
	}{
		{encodeMySQL, []byte("0.50"), "DECIMAL", "0.50"},
		{encodeMySQL, []byte("18446744073709551615"), "UNSIGNED BIGINT", "18446744073709551615"},
		{encodeMySQL, []byte("2024-02-29 10:00:00.500"), "DATETIME", `"2024-02-29T10:00:00.5"`},
		{encodeMySQL, []byte("2024-02-29 10:00:00"), "DATETIME", `"2024-02-29T10:00:00"`},
		{encodeMySQL, time.Time{}, "DATETIME", `"0000-00-00T00:00:00"`},
		{encodeMySQL, time.Time{}, "DATE", `"0000-00-00"`},
		{encodeSQLite, "2024-02-29 10:00:00.5+02:00", "DATETIME", `"2024-02-29T08:00:00.5Z"`},
		{encodeSQLite, "2024-02-29 10:00", "DATETIME", `"2024-02-29 10:00"`},
		{encodeSQLite, "2024-02-29 10:00:00.50+02:00", "DATETIME", `"2024-02-29 10:00:00.50+02:00"`},
		{encodeSQLite, int64(2), "BOOLEAN", "2"},
		{encodeSQLite, int64(1), "BOOLEAN", "true"},
		{encodeSQLite, int64(1), "INTEGER", "1"},
	} {
		if got := string(c.encode(nil, c.value, c.name)); got != c.want {
			t.Errorf("%v of type %s became %s, want %s", c.value, c.name, got, c.want)
		}
	}
}

// What is recognized at sight is written as package time would write it.
func TestInstantsAtSight(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		at := time.Unix(rapid.Int64Range(-70_000_000_000, 260_000_000_000).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanoseconds")).UTC()
		at = at.Truncate(rapid.SampledFrom([]time.Duration{1, time.Microsecond, time.Millisecond, time.Second}).Draw(t, "precision"))
		value := at.Format(rapid.SampledFrom(sqliteTimes).Draw(t, "layout"))
		if draw := rapid.IntRange(0, len(value)).Draw(t, "changed"); draw < len(value) {
			value = value[:draw] + rapid.SampledFrom([]string{"0", "9", "T", " ", ".", "-", "", "00"}).Draw(t, "by") + value[draw+1:]
		}
		slow := appendString(nil, value)
		for _, layout := range sqliteTimes {
			if at, err := time.Parse(layout, value); err == nil && at.Format(layout) == value {
				slow = appendTime(nil, at.UTC(), time.RFC3339Nano)
				break
			}
		}
		if got := string(encodeSQLite(nil, value, "DATETIME")); got != string(slow) {
			t.Errorf("%q became %s, want %s", value, got, slow)
		}
	})
}

// The text of a string is what encoding/json reads.
func FuzzPlainText(f *testing.F) {
	f.Add(`"a\"b\\c\/d\ne\u0041"`)
	f.Add(`"é`)
	f.Add(`12.50`)
	f.Fuzz(func(t *testing.T, cell string) {
		var want string
		if json.Unmarshal([]byte(cell), &want) != nil {
			want = cell
		}
		if got := plainText(json.RawMessage(cell)); json.Valid([]byte(cell)) && got != want {
			t.Errorf("%q became %q, want %q", cell, got, want)
		}
	})
}
