package redisrepo

import "context"

// KeepFor sets a retention, and the width of its buckets, in milliseconds.
func KeepFor(r *Repository, keep, width int64) { r.retention = retention{keep, width} }

// Slot is the hash slot of a tag.
func Slot(tag string) int { return slot(tag) }

// Forget removes what an empty repository still keeps: its layout and its lists
// of buckets.
func Forget(ctx context.Context, r *Repository) error {
	s, err := r.opened(ctx)
	if err != nil {
		return err
	}
	for _, shard := range s.all() {
		if err := r.client.Del(ctx, r.bucketsKey(s, shard)).Err(); err != nil {
			return err
		}
	}
	return r.client.Del(ctx, r.prefix+":layout").Err()
}

// ShardTags returns the hash tags of n shards.
func ShardTags(n int) []string { return shardTags(n) }

// PrefixOf returns what the keys start with.
func PrefixOf(r *Repository) string { return r.prefix }
