package redisrepo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
)

// Errors about how Redis is set up. Events that meet them wait in the outbox.
var (
	// ErrEviction says that Redis would throw events away to make room.
	ErrEviction = errors.New("redis may evict events when its memory is full; set maxmemory-policy to noeviction")
	// ErrLayout says that the events under the prefix are kept in another way
	// than the one asked for.
	ErrLayout = errors.New("the events under this prefix are kept in another way")
)

// Ready reports whether Redis answers and is fit to keep events: no master may
// evict them. The error wraps ErrEviction or ErrLayout when it is not. A
// server that does not tell how it is set up is taken with a warning.
func (r *Repository) Ready(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return r.failed(ctx, "ready", err)
	}
	if _, err := r.inspect(ctx); err != nil {
		return r.failed(ctx, "ready", err)
	}
	return nil
}

// opened returns what is known about Redis, and asks when that is nothing.
func (r *Repository) opened(ctx context.Context) (*store, error) {
	if s := r.store.Load(); s != nil {
		return s, nil
	}
	return r.inspect(ctx)
}

// inspect asks Redis how it is set up and how the events are kept.
func (r *Repository) inspect(ctx context.Context) (*store, error) {
	servers, err := r.servers(ctx)
	if err != nil {
		return nil, err
	}
	limit := servers[0].limit
	for _, server := range servers {
		if err := r.judge(server); err != nil {
			return nil, err
		}
		if r.store.Load() == nil { // once is enough
			r.warn(server)
		}
		limit = min(limit, server.limit)
	}
	kept, err := r.layout(ctx)
	if err != nil {
		return nil, err
	}
	s := &store{tags: shardTags(kept.Shards), known: make([]atomic.Pointer[string], kept.Shards), limit: limit}
	r.store.Store(s)
	return s, nil
}

// server is how one of the masters is set up.
type server struct {
	address string
	info    map[string]string // nil when it does not tell
	limit   int
}

// servers asks every master.
func (r *Repository) servers(ctx context.Context) ([]server, error) {
	cluster, ok := r.client.(*redis.ClusterClient)
	if !ok {
		one, err := ask(ctx, r.client, "redis")
		return []server{one}, err
	}
	var mutex sync.Mutex
	var found []server
	err := cluster.ForEachMaster(ctx, func(ctx context.Context, master *redis.Client) error {
		one, err := ask(ctx, master, master.Options().Addr)
		mutex.Lock()
		defer mutex.Unlock()
		found = append(found, one)
		return err
	})
	if err == nil && len(found) == 0 {
		err = errors.New("the cluster has no masters")
	}
	return found, err
}

// defaultLimit is proto-max-bulk-len unless it is configured.
const defaultLimit = 512 << 20

func ask(ctx context.Context, client redis.Cmdable, address string) (server, error) {
	s := server{address: address, limit: defaultLimit}
	text, err := client.Info(ctx).Result()
	if err != nil && !isForbidden(err) {
		return s, err
	}
	if err == nil {
		s.info = parseInfo(text)
	}
	limits, err := client.ConfigGet(ctx, "proto-max-bulk-len").Result()
	if err != nil && !isForbidden(err) {
		return s, err
	}
	if limit, ok := limits["proto-max-bulk-len"]; ok {
		if s.limit, err = strconv.Atoi(limit); err != nil {
			return s, fmt.Errorf("proto-max-bulk-len: %w", err)
		}
	}
	return s, nil
}

// isForbidden reports whether the server keeps the command to its operators,
// as hosted ones do.
func isForbidden(err error) bool {
	text := strings.ToLower(err.Error())
	return strings.HasPrefix(text, "noperm") || strings.HasPrefix(text, "err unknown command")
}

func parseInfo(text string) map[string]string {
	info := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[name] = value
		}
	}
	return info
}

// judge refuses a server that would lose events.
func (r *Repository) judge(s server) error {
	policy := s.info["maxmemory_policy"]
	evicts := strings.HasPrefix(policy, "allkeys-") || strings.HasPrefix(policy, "volatile-") && r.retention.width > 0
	_, cluster := r.client.(*redis.ClusterClient)
	switch {
	case evicts:
		return fmt.Errorf("%s: maxmemory-policy %q: %w", s.address, policy, ErrEviction)
	case s.info["cluster_enabled"] == "1" && !cluster:
		return fmt.Errorf("%s is one of a cluster; list its addresses in redis.url, with commas between them, or pass a cluster client", s.address)
	}
	return nil
}

// warn warns of a server that might lose events.
func (r *Repository) warn(s server) {
	if s.info["maxmemory_policy"] == "" {
		r.logger.Warn("redis does not tell its maxmemory-policy; it must be noeviction, or audit events may be lost", "server", s.address)
	}
	if s.info["aof_enabled"] == "0" {
		r.logger.Warn("redis has no append-only file; audit events since its last snapshot are lost when it ends", "server", s.address)
	}
}

// kept is how the events under a prefix are kept, as Redis remembers it.
type kept struct {
	Version int `json:"version"`
	Shards  int `json:"shards"`
}

// layoutVersion is the version of the keys and indexes of this package.
const layoutVersion = 1

// layout returns what Redis remembers, or makes it remember what is asked for.
func (r *Repository) layout(ctx context.Context) (kept, error) {
	shards := r.shards
	if shards == 0 {
		shards = 1
		if _, ok := r.client.(*redis.ClusterClient); ok {
			shards = 16
		}
	}
	wanted, err := json.Marshal(kept{layoutVersion, shards})
	if err != nil {
		return kept{}, err
	}
	key := r.prefix + ":layout"
	stored, err := r.client.Get(ctx, key).Result()
	if errors.Is(err, redis.Nil) {
		if err = r.client.SetNX(ctx, key, wanted, 0).Err(); err == nil {
			stored, err = r.client.Get(ctx, key).Result()
		}
	}
	if err != nil {
		return kept{}, err
	}
	var k kept
	if err := json.Unmarshal([]byte(stored), &k); err != nil {
		return kept{}, fmt.Errorf("%s holds %q: %w", key, stored, ErrLayout)
	}
	switch {
	case k.Version != layoutVersion || k.Shards < 1 || k.Shards > MaxShards:
		return kept{}, fmt.Errorf("%s holds %s, which this version does not know: %w", key, stored, ErrLayout)
	case r.shards != 0 && r.shards != k.Shards:
		return kept{}, fmt.Errorf("shards %d asked for, %d in %s; ask for that many, or copy the events to another prefix: %w", r.shards, k.Shards, key, ErrLayout)
	}
	return k, nil
}
