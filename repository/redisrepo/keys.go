package redisrepo

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash/fnv"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/eventaudit/eventaudit/event"
)

// A key is prefix:{tag}:bucket:kind. The tag is that of the event's shard, so
// that all keys of an event are in one hash slot and one script may use them.
// A bucket holds the events that expire together.

// place is where an event is kept.
type place struct {
	shard  int
	bucket string
}

// store is what was found out about the Redis behind a Repository.
type store struct {
	tags  []string                 // by shard
	known []atomic.Pointer[string] // by shard, its list of buckets when last seen
	limit int                      // how many bytes an event may have
}

// bucketsKey is the key of the list of buckets that a shard has, a string with
// spaces between their names.
func (r *Repository) bucketsKey(s *store, shard int) string {
	return r.prefix + ":{" + s.tags[shard] + "}:buckets"
}

// key is the key of one kind in a bucket: bodies, byTime, or an index.
func (r *Repository) key(s *store, at place, kind string) string {
	return r.prefix + ":{" + s.tags[at.shard] + "}:" + at.bucket + ":" + kind
}

// The kinds besides those of the indexes.
const (
	bodies = "b" // hash of id to event
	byTime = "t" // sorted set of all members
)

// shard is where the event of that ID is kept. It depends on nothing else, so
// that an ID is found, and written once, whatever the rest of the event says.
func (s *store) shard(id string) int {
	if len(s.tags) == 1 {
		return 0
	}
	hash := fnv.New64a()
	hash.Write([]byte(id)) //nolint:errcheck // hash.Hash never returns an error
	return int(hash.Sum64() % uint64(len(s.tags)))
}

// shardTags returns hash tags that cut the slots of a cluster into runs of
// equal length and lie in one of them each: masters that share the slots
// evenly share the events evenly.
func shardTags(n int) []string {
	tags := make([]string, n)
	for shard := range tags {
		for try := 0; ; try++ {
			tag := strconv.Itoa(shard) + "." + strconv.Itoa(try)
			if slot(tag)*n/slots == shard {
				tags[shard] = tag
				break
			}
		}
	}
	return tags
}

// slots is how many hash slots a cluster has.
const slots = 16384

// slot is the hash slot of a tag: CRC-16/XMODEM, as the cluster specification
// says.
func slot(tag string) int {
	var crc uint16
	for i := range len(tag) {
		crc ^= uint16(tag[i]) << 8
		for range 8 {
			carry := crc&0x8000 != 0
			crc <<= 1
			if carry {
				crc ^= 0x1021
			}
		}
	}
	return int(crc) % slots
}

// digest stands for values in a key: always of one length, of harmless
// characters, and its own for each list of values.
func digest(values []string) string {
	var text []byte
	for _, value := range values {
		text = binary.AppendUvarint(text, uint64(len(value)))
		text = append(text, value...)
	}
	sum := sha256.Sum256(text)
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// member is an event in a sorted set. All scores are 0, so that Redis sorts
// members as bytes: by time, then by ID. That is the order of lists.
func member(timestamp time.Time, id string) string {
	return moment(timestamp.UnixMicro()) + id
}

// moment are microseconds since 1970 as eight bytes that sort like them.
func moment(micros int64) string {
	return string(binary.BigEndian.AppendUint64(nil, uint64(micros)^1<<63))
}

func memberOf(e event.Event) string { return member(e.Timestamp, e.ID) }

// timeOf returns the time in a member.
func timeOf(member string) time.Time {
	return time.UnixMicro(int64(binary.BigEndian.Uint64([]byte(member[:len(moment(0))])) ^ 1<<63)).UTC()
}

// idOf returns the ID in a member.
func idOf(member string) string { return member[len(moment(0)):] }
