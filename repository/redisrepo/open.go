package redisrepo

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/address"
	"github.com/eventaudit/eventaudit/repository"
)

func init() {
	repository.Register("redis", open)
}

// firstLook is how long the start of an app may wait for Redis.
const firstLook = 5 * time.Second

// open opens the Redis of the settings. One that is away, or not yet there, is
// no reason not to start: events wait in the outbox.
func open(ctx context.Context, s repository.Settings) (repository.Repository, error) {
	client, err := dial(s.Redis.URL)
	if err != nil {
		return nil, err
	}
	r, err := New(client, &Options{Logger: s.Logger})
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	r.owned = true
	ctx, cancel := context.WithTimeout(ctx, firstLook)
	defer cancel()
	err = r.Ready(ctx)
	if errors.Is(err, ErrEviction) || errors.Is(err, ErrLayout) {
		return nil, errors.Join(err, client.Close())
	}
	if err != nil {
		r.logger.Warn("redis is not ready; audit events wait until it is", "error", err)
	}
	return r, nil
}

// dial returns a client for one URL, or a cluster client for several.
func dial(urls string) (redis.UniversalClient, error) {
	if urls == "" {
		return nil, &event.FieldError{Field: "redis.url", Value: "", Reason: "is missing; set it, for example to redis://localhost:6379/0"}
	}
	var nodes []*redis.Options
	for one := range strings.SplitSeq(urls, ",") {
		if one = strings.TrimSpace(one); one == "" {
			continue // a comma at the end makes a cluster of one address
		}
		node, err := redis.ParseURL(one)
		if err != nil || !strings.Contains(one, "://") || strings.Contains(one, "#") { // which ParseURL passes over
			// Why is not said: it may quote the password.
			return nil, &event.FieldError{Field: "redis.url", Value: scheme(one), Reason: "is not redis://[user:password@]host[:port][/database], nor rediss:// for TLS; correct it, with special characters in the password as %XX"}
		}
		node.ContextTimeoutEnabled = true
		nodes = append(nodes, node)
	}
	if !strings.Contains(urls, ",") {
		return redis.NewClient(nodes[0]), nil
	}
	return dialCluster(urls, nodes)
}

func dialCluster(urls string, nodes []*redis.Options) (redis.UniversalClient, error) {
	if len(nodes) == 0 {
		return nil, &event.FieldError{Field: "redis.url", Value: urls, Reason: "names no server; list the addresses of the cluster"}
	}
	first := nodes[0]
	options := &redis.ClusterOptions{
		Username: first.Username, Password: first.Password, TLSConfig: clusterTLS(first.TLSConfig),
		ContextTimeoutEnabled: true,
		DialTimeout:           first.DialTimeout, ReadTimeout: first.ReadTimeout, WriteTimeout: first.WriteTimeout,
		PoolSize: first.PoolSize, MaxRetries: first.MaxRetries,
	}
	for _, node := range nodes {
		switch {
		case node.Username != first.Username || node.Password != first.Password || (node.TLSConfig == nil) != (first.TLSConfig == nil):
			return nil, &event.FieldError{Field: "redis.url", Value: address.Masked(urls), Reason: "names servers with different logins or TLS; those of one cluster have the same"}
		case node.DB != 0:
			return nil, &event.FieldError{Field: "redis.url", Value: address.Masked(urls), Reason: "names a database; a cluster has only number 0"}
		}
		options.Addrs = append(options.Addrs, node.Addr)
	}
	return redis.NewClusterClient(options), nil
}

// clusterTLS leaves the name of the server to the address, which differs from
// node to node.
func clusterTLS(c *tls.Config) *tls.Config {
	if c == nil {
		return nil
	}
	c = c.Clone()
	c.ServerName = ""
	return c
}

// scheme returns the beginning of a URL that is wrong. All else of it may be the
// password: one with special characters ends where nobody means it to.
func scheme(wrong string) string {
	for _, scheme := range []string{"redis://", "rediss://"} {
		if strings.HasPrefix(wrong, scheme) {
			return scheme + address.Mask
		}
	}
	return address.Mask
}
