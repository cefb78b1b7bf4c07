// Package redact decides which values never reach the trail, and masks them in
// JSON documents.
package redact

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/eventaudit/eventaudit/event"
)

// Mask stands where a value was.
const Mask = "[redacted]"

// Matcher matches names against patterns, without case. The zero Matcher and
// nil match nothing. It is safe for concurrent use.
type Matcher struct {
	patterns *regexp.Regexp
	// parts has of every pattern, in lower case, a piece that each name which
	// matches has in it.
	parts []string
	// known remembers names and whether they match, and size how many they are.
	known sync.Map
	size  atomic.Int32
}

// maxKnown is how many names are remembered: columns and keys are few, unless
// somebody's keys are data.
const maxKnown = 4096

// New compiles the patterns, in which "*" stands for any run of characters.
// The error joins a *event.FieldError for every bad one.
func New(patterns []string) (*Matcher, error) {
	var problems []error
	var parts, pieces []string
	for _, pattern := range patterns {
		if strings.Trim(pattern, "*") == "" || strings.TrimSpace(pattern) != pattern {
			problems = append(problems, &event.FieldError{
				Field: "redact.fields", Value: pattern,
				Reason: "would match every name or none; write a name, with * for any run of characters",
			})
			continue
		}
		pieces = append(pieces, piece(pattern))
		parts = append(parts, strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*"))
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
	return &Matcher{patterns: compiled, parts: pieces}, nil
}

// piece returns the longest part of a pattern that is there as it is. Letters
// beyond ASCII have none: some are the same as ASCII ones without case.
func piece(pattern string) string {
	if strings.ContainsFunc(pattern, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return ""
	}
	return slices.MaxFunc(strings.Split(strings.ToLower(pattern), "*"), func(a, b string) int { return cmp.Compare(len(a), len(b)) })
}

// Match reports whether values of that name are never stored.
func (m *Matcher) Match(name string) bool {
	if m == nil || m.patterns == nil {
		return false
	}
	if known, ok := m.known.Load(name); ok {
		return known.(bool)
	}
	matches := m.patterns.MatchString(name)
	if m.size.Load() < maxKnown {
		m.size.Add(1)
		m.known.Store(strings.Clone(name), matches)
	}
	return matches
}

// mayMatch reports whether a key of the document may match. It looks for a
// piece of every pattern, which a key in ASCII without escapes has in it.
func (m *Matcher) mayMatch(document []byte) bool {
	lower := make([]byte, len(document))
	for i, b := range document {
		if b >= utf8.RuneSelf || b == '\\' {
			return true
		}
		if 'A' <= b && b <= 'Z' {
			b += 'a' - 'A'
		}
		lower[i] = b
	}
	return slices.ContainsFunc(m.parts, func(part string) bool { return bytes.Contains(lower, []byte(part)) })
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
