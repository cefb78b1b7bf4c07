package plain_test

import (
	"strings"
	"testing"
	"unicode"

	"github.com/eventaudit/eventaudit/internal/plain"
)

func TestWhatCannotBeSeenIsSpelledOut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{"", ""},
		{"Zoë paid 5 €, 日本 <b>", "Zoë paid 5 €, 日本 <b>"},
		{"a\nb\tc\x00\x1b[31m", `a\nb\tc\x00\x1b[31m`},
		{"ế Z\u0353\u0321\u0353\u0321\u0353", "ế Z\u0353\u0321\u0353\u0321" + `\u0353`},
		{"abc\u202edef\u200f\u2066", `abc\u202edef\u200f\u2066`},
	} {
		if got := plain.Text(c.text); got != c.want {
			t.Errorf("Text(%q) = %q, want %q", c.text, got, c.want)
		}
	}
	if got := plain.Lines("a\r\nb\u202e"); got != "a\\r\nb\\u202e" {
		t.Errorf("Lines: %q", got)
	}
}

func FuzzText(f *testing.F) {
	f.Add("a\x80\u202e")
	f.Fuzz(func(t *testing.T, text string) {
		if got := plain.Text(text); strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("Text(%q) = %q has something hidden", text, got)
		}
	})
}
