package admin

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestDiffMarksWhatChanged(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ a, b, want string }{
		{`"open"`, `"paid"`, `"[open]" → "[paid]"`},
		{`"1990"`, `"19900"`, `"1990" → "1990[0]"`},
		{`"colour"`, `"color"`, `"colo[u]r" → "color"`},
		{`the cat sat`, `the dog sat down`, `the [cat] sat → the [dog] sat[ down]`},
		{``, `new`, ` → [new]`},
		{`same`, `same`, `same → same`},
	} {
		old, new := diff(c.a, c.b)
		if got := marked(old) + " → " + marked(new); got != c.want {
			t.Errorf("diff(%q, %q) = %s, want %s", c.a, c.b, got, c.want)
		}
	}
}

func TestDiffLosesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.StringOfN(rapid.RuneFrom([]rune("ab ü\"")), 0, 30, -1), rapid.String())
		a, b := string([]rune(text.Draw(t, "a"))), string([]rune(text.Draw(t, "b")))
		old, new := diff(a, b)
		if joined(old, false) != a || joined(new, false) != b {
			t.Fatalf("diff(%q, %q) = %v, %v", a, b, old, new)
		}
		if diff := cmp.Diff(joined(old, true), joined(new, true)); diff != "" {
			t.Fatalf("what did not change differs: %s", diff)
		}
	})
}

func FuzzDiff(f *testing.F) {
	f.Add("", "x")
	f.Fuzz(func(t *testing.T, a, b string) {
		old, new := diff(a, b)
		if joined(old, false) != string([]rune(a)) || joined(new, false) != string([]rune(b)) {
			t.Errorf("diff(%q, %q) = %v, %v", a, b, old, new)
		}
	})
}

func marked(segments []segment) string {
	var b strings.Builder
	for _, s := range segments {
		if s.Changed {
			b.WriteString("[" + s.Text + "]")
		} else {
			b.WriteString(s.Text)
		}
	}
	return b.String()
}

func joined(segments []segment, same bool) string {
	var b strings.Builder
	for _, s := range segments {
		if !same || !s.Changed {
			b.WriteString(s.Text)
		}
	}
	return b.String()
}
