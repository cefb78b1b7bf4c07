package middleware

import "strings"

// traceID returns the trace id of a traceparent header as
// https://www.w3.org/TR/trace-context/ defines it: version, trace id, parent
// id and flags in lower-case hexadecimal. Later versions may add fields behind
// these. A header that is sent twice or breaks a rule is no header.
func traceID(headers []string) (id string, ok bool) {
	const length = len("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	if len(headers) != 1 || len(headers[0]) < length {
		return "", false
	}
	header := headers[0]
	version, id, parent, flags := header[:2], header[3:35], header[36:52], header[53:55]
	switch {
	case header[2] != '-' || header[35] != '-' || header[52] != '-',
		!isHex(version) || !isHex(id) || !isHex(parent) || !isHex(flags),
		version == "ff",
		version == "00" && len(header) > length,
		len(header) > length && header[length] != '-',
		strings.Trim(id, "0") == "" || strings.Trim(parent, "0") == "":
		return "", false
	}
	return id, true
}

func isHex(text string) bool { return strings.Trim(text, "0123456789abcdef") == "" }
