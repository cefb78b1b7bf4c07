package cloudwatchrepo

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"unicode/utf8"
)

const (
	// headBytes is how much of a value stays readable.
	headBytes = 2048
	// minEventBytes leaves room for two of these and for the rest of an event.
	minEventBytes = 16 << 10
	// maxShrinkDepth is how deep in a document values are replaced one by one:
	// as deep as a column of a row.
	maxShrinkDepth = 4
)

// shrinkBoth makes the documents fit into the room together. The shorter one
// stays whole where half of the room is enough for it.
func shrinkBoth(payload, result []byte, room int) (smallerPayload, smallerResult []byte) {
	half := max(room, 0) / 2
	return shrink(payload, max(half, room-len(result)), 0), shrink(result, max(half, room-len(payload)), 0)
}

// shrink replaces the largest values in the document by what stands for them,
// until it fits into the room, or the document itself.
func shrink(document []byte, room, depth int) []byte {
	if len(document) <= room {
		return document
	}
	var members map[string]json.RawMessage
	if depth < maxShrinkDepth && json.Unmarshal(document, &members) == nil && len(members) > 0 {
		if smaller := shrinkMembers(members, room, depth+1); len(smaller) <= room {
			return smaller
		}
	}
	return standIn(document)
}

func shrinkMembers(members map[string]json.RawMessage, room, depth int) []byte {
	keys := make([]string, 0, len(members))
	for key := range members {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b string) int { return len(members[b]) - len(members[a]) })
	over := len(appendMembers(members)) - room
	for _, key := range keys {
		if over <= 0 {
			break
		}
		value := members[key]
		if smaller := shrink(value, len(value)-over, depth); len(smaller) < len(value) {
			members[key] = smaller
			over -= len(value) - len(smaller)
		}
	}
	return appendMembers(members)
}

// appendMembers encodes the object, its keys sorted.
func appendMembers(members map[string]json.RawMessage) []byte {
	keys := make([]string, 0, len(members))
	for key := range members {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	to, separator := []byte{}, byte('{')
	for _, key := range keys {
		to = append(appendText(append(to, separator), key), ':')
		to = append(to, members[key]...)
		separator = ','
	}
	return append(to, '}')
}

// standIn says how long the value was, what it hashes to, and how it began.
func standIn(value []byte) []byte {
	head := value[:min(headBytes, len(value))]
	for len(head) > 0 && !utf8.Valid(head) {
		head = head[:len(head)-1] // the end may be in the middle of a character
	}
	sum := sha256.Sum256(value)
	to := strconv.AppendInt([]byte(`{"_truncated":true,"bytes":`), int64(len(value)), 10)
	to = append(to, `,"sha256":"`+hex.EncodeToString(sum[:])+`","head":`...)
	return append(appendText(to, string(head)), '}')
}
