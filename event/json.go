package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// MaxDepth is how deep Payload and Result may be nested. Package encoding/json
// reads documents of 10,000 levels (maxNestingDepth in its scanner.go), and the
// event and a list of events around it are two of them.
const MaxDepth = 10_000 - 2

// JSON encodes v for Event.Payload or Event.Result. Bytes that are not UTF-8,
// which a json.RawMessage or an encoding of v's own may have in its strings,
// become U+FFFD, as they do in any string. A value that JSON cannot hold, or
// that is nested deeper than MaxDepth, yields bytes that are not JSON and say
// why; recording the event then fails with that reason, so the mistake is never
// stored and never silent.
func JSON(v any) json.RawMessage {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return json.RawMessage("!" + err.Error())
	}
	document := bytes.TrimSuffix(buffer.Bytes(), []byte("\n"))
	if tooDeep(document) {
		return fmt.Appendf(nil, "!json: nested deeper than %d levels", MaxDepth)
	}
	if !utf8.Valid(document) {
		document = bytes.ToValidUTF8(document, []byte("\uFFFD"))
	}
	return document
}

// notEncoded returns the reason in what JSON made of a value that it could not
// encode. The errors of encoding/json all begin alike; other bytes that begin
// with that mark are a document of somebody's, which is not to be shown.
func notEncoded(document json.RawMessage) (reason string, failed bool) {
	rest, failed := bytes.CutPrefix(document, []byte("!"))
	if failed = failed && bytes.HasPrefix(rest, []byte("json: ")); !failed {
		return "", false
	}
	return string(rest), true
}

// tooDeep reports whether the JSON is nested deeper than MaxDepth.
func tooDeep(document []byte) bool {
	if bytes.Count(document, []byte("["))+bytes.Count(document, []byte("{")) <= MaxDepth {
		return false
	}
	depth, quoted := 0, false
	for i := 0; i < len(document); i++ {
		switch c := document[i]; {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			i++ // the next byte is not the end of the string
		case quoted:
		case c == '[' || c == '{':
			if depth++; depth > MaxDepth {
				return true
			}
		case c == ']' || c == '}':
			depth--
		}
	}
	return false
}
