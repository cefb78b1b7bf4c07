package repositorytest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/eventaudit/eventaudit/event"
)

func valueCases() []testCase {
	return []testCase{
		{
			"awkward", "Text is text: quotes, wildcards, separators, placeholders and foreign scripts are stored and matched as they are.",
			// Each value in a quarter of the fields, each field with a quarter of the values.
			func(t *testing.T, s *store) { matchEach(t, s, stringFields(), awkward(), 4) },
		},
		{
			"long", "Strings of ten kilobytes are stored whole and matched whole, in every field but ID.",
			func(t *testing.T, s *store) {
				var fields []stringField
				for _, field := range stringFields() {
					if field != "ID" {
						fields = append(fields, field)
					}
				}
				matchEach(t, s, fields, long(), 1)
			},
		},
		{
			"long_id", "IDs of up to 255 bytes are stored whole and matched whole.",
			func(t *testing.T, s *store) {
				id := strings.Repeat("long-id-", 32)[:event.MaxIDLength]
				matchEach(t, s, []stringField{"ID"}, []string{id, id[1:], id[:254], id[:254] + "X", strings.ToUpper(id)}, 1)
			},
		},
	}
}

// awkward are values that have broken filters somewhere, each with neighbours
// that a loose comparison takes for the same.
func awkward() []string {
	return []string{
		"a", "A", "á", "a\u0301", "ä", "ａ", " a", "a ", "  a  ", "a\t", "a\n", "a\r\n", "\na",
		"'", "''", `"`, `""`, "`", "a'b", `a"b`, "a' OR '1'='1", `a") || ($.actor = "*`,
		"%", "_", "a%", "a_", "%a%", "ab", "abc", "*", "?", "a*", "a?", "[ab]", "u[1]", "u1", "[", "]", "[^a]", "(a)", "a+", "^a$", ".*", ".",
		"|", "a|b", "a|actor:b", `\`, `\\`, `a\`, `a\nb`, `\x41`, `\u0041`, "/", "a/b",
		"{", "}", "{a}", "{{a}}", ":", "a:b", ":name", "@p1", "$1", "#", ";", "a;b", "--", "/*", "*/", ",", "a,b", "=", "==", "a=b", "&", "~", "!",
		"0", "00", "-0", "1", "01", "1.0", "1e0", "true", "True", "null", "NULL", "nil", "<nil>", "NaN", "undefined",
		"<b>", "&lt;", "%00", "%41", `""""`, `{"a":1}`, `["a,b",2]`,
		"ß", "ss", "ẞ", "İ", "i", "I", "ı", "ﬁ", "fi", "ς", "σ", "Σ", "ñ", "n\u0303", "漢字", "かな", "カナ", "ｶﾅ", "مرحبا", "שלום",
		"😀", "😁", "👩‍👧", "👩", "🇩🇪", "\U0010FFFF", "\uFFFD", "\uFEFFa", "a\u200b", "a\u200d", "\u202ea", "a\u00a0", "\u00a0", "\u2028", "\x00", "a\x00", "a\x00b", "\x00a", "\x01", "␛", "␀", "\x1b[31m", "\x7f",
	}
}

// long are values of ten kilobytes that differ in their last character, in
// length or in case. Nothing compresses them.
func long() []string {
	const size = 10 << 10
	random := rand.New(rand.NewPCG(1, 2)) // the same text in every run
	text := make([]byte, size)
	for i := range text {
		text[i] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"[random.IntN(64)]
	}
	value := string(text)
	return []string{value + "a", value + "b", value + "A", value, value[:255], strings.Repeat("😀", size/4)}
}

// matchEach stores one event per value, which holds it in every field, and
// checks that each value is matched by itself alone; of all pairs of a field
// and a value it asks for one in so many.
func matchEach(t *testing.T, s *store, fields []stringField, values []string, oneIn int) {
	t.Helper()
	var events []event.Event
	for i, value := range values {
		e := plain(fmt.Sprintf("value-%03d", i))
		e.Timestamp = noon.Add(time.Duration(i) * time.Second) // how IDs sort is another case's matter
		for _, field := range fields {
			field.set(&e, value)
		}
		events = append(events, e)
	}
	stored := s.write(t, events...)
	s.expectAll(t, stored)
	for i, field := range fields {
		for j, value := range values {
			if (i+j)%oneIn == 0 {
				s.expect(t, field.is(value), stored)
			}
		}
	}
}
