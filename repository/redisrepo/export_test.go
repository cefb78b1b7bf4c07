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

// Spoil replaces the stored body of an event, whose indexes stay.
func Spoil(ctx context.Context, r *Repository, id string, spoil func(body string) string) error {
	found, err := r.stored(ctx, id)
	if err != nil {
		return err
	}
	s, err := r.opened(ctx)
	if err != nil {
		return err
	}
	return r.client.HSet(ctx, r.key(s, found.at, bodies), id, spoil(found.body)).Err()
}

// Left returns how many keys of the repository hold anything but its layout and
// its lists of buckets.
func Left(ctx context.Context, r *Repository) (int, error) {
	keys, err := r.client.Keys(ctx, r.prefix+":{*}:*:*").Result()
	return len(keys), err
}
