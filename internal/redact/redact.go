// Package redact decides which values never reach the trail, and masks them in
// JSON documents.
package redact

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/eventaudit/eventaudit/event"
)

// Mask stands where a value was.
const Mask = "[redacted]"

// Matcher matches names against patterns, without case, and whether the words
// of a name are written as in card_number, card-number or CardNumber. The zero
// Matcher and nil match nothing. It is safe for concurrent use.
type Matcher struct {
	patterns *regexp.Regexp
	// known remembers names and whether they match.
	known map[string]bool
	mutex sync.RWMutex
}

// maxKnown is how many names are remembered: columns and keys are few, unless
// somebody's keys are data.
const maxKnown = 4096

// New compiles the patterns, in which "*" stands for any run of characters.
// The error joins a *event.FieldError for every bad one.
func New(patterns []string) (*Matcher, error) {
	var problems []error
	var parts []string
	for _, pattern := range patterns {
		if strings.Trim(pattern, "*") == "" || strings.TrimSpace(pattern) != pattern {
			problems = append(problems, &event.FieldError{
				Field: "redact.fields", Value: pattern,
				Reason: "would match every name or none; write a name, with * for any run of characters",
			})
			continue
		}
		for _, form := range slices.Compact([]string{pattern, snake(pattern)}) {
			parts = append(parts, strings.ReplaceAll(regexp.QuoteMeta(form), `\*`, ".*"))
		}
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	if len(parts) == 0 {
		return &Matcher{}, nil
	}
	compiled, err := regexp.Compile(`(?is)\A(?:` + strings.Join(parts, "|") + `)\z`)
	if err != nil {
		return nil, fmt.Errorf("redact: %w", err)
	}
	return &Matcher{patterns: compiled, known: map[string]bool{}}, nil
}

// Match reports whether values of that name are never stored.
func (m *Matcher) Match(name string) bool {
	return m != nil && m.patterns != nil && m.match([]byte(name))
}

// match is Match for a Matcher with patterns.
func (m *Matcher) match(name []byte) bool {
	m.mutex.RLock()
	matches, ok := m.known[string(name)]
	m.mutex.RUnlock()
	if ok {
		return matches
	}
	matches = m.patterns.Match(name) || m.patterns.MatchString(snake(string(name)))
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if len(m.known) < maxKnown {
		m.known[string(name)] = matches
	}
	return matches
}

// snake writes a name of several words as columns are named: CardNumber and
// card-number become card_number, UserPIN user_pin.
func snake(name string) string {
	letters := []rune(name)
	var b strings.Builder
	for i, r := range letters {
		switch {
		case r == '-' || r == ' ' || r == '.':
			r = '_'
		case i > 0 && unicode.IsUpper(r) && begins(letters, i):
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// begins reports whether the capital at that place is the first letter of a
// word: after a small letter or a digit, or the last of several before a small
// letter, as the N of PINNumber.
func begins(letters []rune, at int) bool {
	before := letters[at-1]
	if unicode.IsLower(before) || unicode.IsDigit(before) {
		return true
	}
	return unicode.IsUpper(before) && at+1 < len(letters) && unicode.IsLower(letters[at+1])
}

// mayMatch reports whether a key of the document may match. In one without
// escapes, what stands between quotes and before a colon is a key.
func (m *Matcher) mayMatch(document []byte) bool {
	if bytes.IndexByte(document, '\\') >= 0 || !utf8.Valid(document) {
		return true
	}
	quote := []byte{'"'}
	for {
		_, rest, begins := bytes.Cut(document, quote)
		if !begins {
			return false
		}
		name, rest, ends := bytes.Cut(rest, quote)
		if !ends {
			return true
		}
		document = bytes.TrimLeft(rest, " \t\r\n")
		if len(document) > 0 && document[0] == ':' && m.match(name) {
			return true
		}
	}
}

// JSON returns the document with the value of every matching key, at any
// depth, masked. A document in which nothing matches is returned as it is,
// byte for byte; so is one that is not JSON. Null stays null.
func (m *Matcher) JSON(document json.RawMessage) json.RawMessage {
	if m == nil || m.patterns == nil || len(document) == 0 || !m.mayMatch(document) {
		return document
	}
	masked := make([]byte, 0, len(document))
	decoder := json.NewDecoder(bytes.NewReader(document))
	copied := 0
	var stack []frame
	for {
		token, err := decoder.Token()
		if err != nil {
			break
		}
		end := int(decoder.InputOffset())
		top := len(stack) - 1
		if delim, ok := token.(json.Delim); ok && (delim == '}' || delim == ']') {
			stack = stack[:top]
			if top > 0 {
				stack[top-1].key = true
			}
			continue
		}
		if top >= 0 && stack[top].object && stack[top].key {
			name, _ := token.(string)
			stack[top].key = false
			if !m.Match(name) {
				continue
			}
			var value json.RawMessage
			if err := decoder.Decode(&value); err != nil {
				return document
			}
			stack[top].key = true
			if string(value) == "null" {
				continue
			}
			masked = append(masked, document[copied:end]...)
			masked = append(masked, `:"`+Mask+`"`...)
			copied = int(decoder.InputOffset())
			continue
		}
		if delim, ok := token.(json.Delim); ok {
			stack = append(stack, frame{object: delim == '{', key: true})
			continue
		}
		if top >= 0 {
			stack[top].key = true
		}
	}
	if copied == 0 {
		return document
	}
	return append(masked, document[copied:]...)
}

// frame is an object or array that the scan is inside of.
type frame struct {
	object bool
	// key says that the next token of an object is a key.
	key bool
}

// Digest returns a JSON string that stands for a masked value and is the same
// for the same value.
func Digest(value []byte) []byte {
	sum := sha256.Sum256(value)
	return fmt.Appendf(nil, `"sha256:%x"`, sum)
}
