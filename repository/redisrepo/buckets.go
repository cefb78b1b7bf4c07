package redisrepo

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// bucketsWith returns the list of buckets that the shard had when it was last
// seen, with the bucket of the place in it: it is opened if it is new.
func (r *Repository) bucketsWith(ctx context.Context, s *store, at place) (string, error) {
	if known := s.buckets(at.shard); slices.Contains(strings.Fields(known), at.bucket) {
		return known, nil
	}
	replies, err := r.run(ctx, openScript, []call{{[]string{r.bucketsKey(s, at.shard)}, []any{at.bucket}}})
	if err != nil {
		return "", err
	}
	buckets, err := replies[0].Text()
	if err != nil {
		return "", err
	}
	s.remember(at.shard, buckets)
	return buckets, nil
}

// places returns every bucket of these shards. Redis is asked each time: a
// bucket that another process has opened must not be missed.
func (r *Repository) places(ctx context.Context, s *store, shards []int) ([]place, error) {
	replies := make([]*redis.StringCmd, len(shards))
	_, err := r.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, shard := range shards {
			replies[i] = pipe.Get(ctx, r.bucketsKey(s, shard))
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, err
	}
	var found []place
	for i, reply := range replies {
		buckets, err := reply.Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			return nil, err
		}
		for bucket := range strings.FieldsSeq(buckets) {
			found = append(found, place{shards[i], bucket})
		}
	}
	return found, nil
}

// all returns the numbers of all shards.
func (s *store) all() []int {
	shards := make([]int, len(s.tags))
	for i := range shards {
		shards[i] = i
	}
	return shards
}

// buckets is the list that the shard had when it was last seen.
func (s *store) buckets(shard int) string {
	if known := s.known[shard].Load(); known != nil {
		return *known
	}
	return ""
}

func (s *store) remember(shard int, buckets string) { s.known[shard].Store(&buckets) }
