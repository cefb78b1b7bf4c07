// Package plain shows text of the trail to people: what would not be seen, or
// would change how the text around it is read, is spelled out.
package plain

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text returns the text with everything that does not print, line ends and
// marks of direction included, as Go writes it: \n, \x00, \u202e. So are marks
// that are stacked upon each other until they cover other lines.
func Text(text string) string { return spell(text, hidden) }

// Lines is Text that leaves line ends as they are.
func Lines(text string) string {
	return spell(text, func(r rune) bool { return r != '\n' && hidden(r) })
}

func hidden(r rune) bool { return !unicode.IsPrint(r) }

// maxMarks is how many marks a letter has; Vietnamese takes two, Hebrew three.
const maxMarks = 4

func spell(text string, hidden func(rune) bool) string {
	special := func(r rune) bool { return hidden(r) || unicode.In(r, unicode.Mn, unicode.Me) }
	if utf8.ValidString(text) && strings.IndexFunc(text, special) < 0 {
		return text
	}
	var b strings.Builder
	marks := 0
	for _, r := range text {
		if marks++; !unicode.In(r, unicode.Mn, unicode.Me) {
			marks = 0
		}
		if !hidden(r) && marks <= maxMarks {
			b.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRuneToASCII(r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}
