package sqlrepo

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode/utf8"
)

// escapeMark is U+241B, SYMBOL FOR ESCAPE. PostgreSQL cannot store NUL in
// text, so that every database stores "␛0" for it and "␛␛" for the mark.
const escapeMark = "␛"

var (
	escaper   = strings.NewReplacer("\x00", escapeMark+"0", escapeMark, escapeMark+escapeMark)
	unescaper = strings.NewReplacer(escapeMark+"0", "\x00", escapeMark+escapeMark, escapeMark)
)

func escape(value string) string {
	if strings.IndexByte(value, 0) < 0 && !strings.Contains(value, escapeMark) {
		return value
	}
	return escaper.Replace(value)
}

func unescape(stored string) string {
	if !strings.Contains(stored, escapeMark) {
		return stored
	}
	return unescaper.Replace(stored)
}

const (
	// shortLimit is how many characters a column holds: what fits into
	// the indexes of every database.
	shortLimit = 255
	// headLength is how many of them stay readable in front of the digest.
	headLength = 180
	digestMark = "…sha256:"
)

// encode returns the value as its column stores it. One that is too
// long, or that looks like the digest of one, is stored as its beginning and
// its digest: different values stay different, and a plain index finds them.
// The whole value then belongs into the overflow column.
func encode(value string) (stored string, overflows bool) {
	stored = escape(value)
	if len(stored) <= len(digestMark) || fits(stored) {
		return stored, false
	}
	digest := sha256.Sum256([]byte(value))
	return head(stored) + digestMark + hex.EncodeToString(digest[:]), true
}

func fits(stored string) bool {
	short := len(stored) <= shortLimit || utf8.RuneCountInString(stored) <= shortLimit
	return short && !strings.Contains(stored, digestMark)
}

// head returns the first characters of the text.
func head(text string) string {
	n := 0
	for i := range text {
		if n == headLength {
			return text[:i]
		}
		n++
	}
	return text
}
