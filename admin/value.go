package admin

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/eventaudit/eventaudit/internal/plain"
)

// How much of a value is shown, in characters: in a list, on the page of an
// event before it is unfolded, and at all. The whole is in the event's JSON.
const (
	inList    = 60
	beforeAll = 300
	atAll     = 20_000
)

// value is text of the trail on a page.
type value struct {
	// Short is all of it, or its beginning.
	Short string
	// Whole is what unfolds, empty when Short is all. Cut says that even that
	// is not everything.
	Whole string
	Cut   bool
	// Length is how many characters there are.
	Length int
}

// shown returns the value as a page has it: without anything that is not seen.
func shown(text string) value { return sized(text, plain.Text) }

// block is shown for text of several lines.
func block(text string) value { return sized(text, plain.Lines) }

func sized(text string, spelled func(string) string) value {
	v := value{Length: utf8.RuneCountInString(text)}
	switch {
	case v.Length <= beforeAll:
		v.Short = spelled(text)
	case v.Length <= atAll:
		v.Short, v.Whole = spelled(first(text, beforeAll))+"…", spelled(text)
	default:
		v.Short, v.Whole, v.Cut = spelled(first(text, beforeAll))+"…", spelled(first(text, atAll)), true
	}
	return v
}

// brief is the value in a list.
func brief(text string) string { return clip(text, inList) }

func clip(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return plain.Text(text)
	}
	return plain.Text(first(text, most-1)) + "…"
}

// first returns the first n characters; there are more.
func first(text string, n int) string {
	for at := range text {
		if n == 0 {
			return text[:at]
		}
		n--
	}
	return text
}

// readable returns a JSON document with the characters as themselves that Go
// escapes for the sake of HTML.
func readable(document json.RawMessage) string {
	var text strings.Builder
	for rest := string(document); rest != ""; {
		n := 1
		if rest[0] == '\\' && len(rest) > 1 {
			n = 2
		}
		if character, escaped := htmlEscapes[rest[:min(6, len(rest))]]; escaped {
			text.WriteByte(character)
			n = 6
		} else {
			text.WriteString(rest[:n])
		}
		rest = rest[n:]
	}
	return text.String()
}

// htmlEscapes are what Go writes in JSON for the sake of HTML.
var htmlEscapes = map[string]byte{`\u003c`: '<', `\u003e`: '>', `\u0026`: '&'}

// indented returns a JSON document over several lines.
func indented(document json.RawMessage) string {
	var text bytes.Buffer
	if len(document) == 0 || json.Indent(&text, document, "", "  ") != nil {
		return string(document)
	}
	return readable(text.Bytes())
}
