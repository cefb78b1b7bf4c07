package sqlrepo

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// hostileText draws text full of what encoding has to deal with, from empty to
// several times the length of a short column.
func hostileText() *rapid.Generator[string] {
	part := rapid.OneOf(
		rapid.SampledFrom([]string{"\x00", escapeMark, escapeMark + "0", "0", digestMark, "…", "a ", "🎉"}),
		rapid.String(),
		rapid.Custom(func(t *rapid.T) string {
			letter := rapid.SampledFrom([]string{"x", "ß", "🎉", "\x00"}).Draw(t, "letter")
			return strings.Repeat(letter, rapid.IntRange(250, 260).Draw(t, "length"))
		}),
	)
	return rapid.Map(rapid.SliceOfN(part, 0, 4), func(parts []string) string { return strings.Join(parts, "") })
}

func TestEscape(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		value := hostileText().Draw(t, "value")
		stored := escape(value)
		if strings.Contains(stored, "\x00") {
			t.Fatalf("escape(%q) holds a NUL", value)
		}
		if got := unescape(stored); got != value {
			t.Fatalf("unescape(escape(%q)) = %q", value, got)
		}
	})
}

func TestEscapeKnownValues(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{"": "", "plain": "plain", "\x00": "␛0", "␛": "␛␛", "␛0": "␛␛0"} {
		if got := escape(value); got != want {
			t.Errorf("escape(%q) = %q, want %q", value, got, want)
		}
	}
}

func TestEncodeShort(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		value := hostileText().Draw(t, "value")
		stored, overflows := encode(value)
		if n := utf8.RuneCountInString(stored); n > shortLimit || strings.Contains(stored, "\x00") {
			t.Fatalf("encode(%q) = %q (%d characters), which no column holds", value, stored, n)
		}
		if !overflows && unescape(stored) != value {
			t.Fatalf("encode(%q) = %q is not reversible", value, stored)
		}
		if other := hostileText().Draw(t, "other"); other != value {
			if same, _ := encode(other); same == stored {
				t.Fatalf("%q and %q are both stored as %q", value, other, stored)
			}
		}
		if again, _ := encode(stored); overflows && again == stored {
			t.Fatalf("%q is stored as it looks like %q", stored, value)
		}
	})
}
