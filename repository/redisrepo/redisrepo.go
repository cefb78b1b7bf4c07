// Package redisrepo keeps the audit trail in Redis: on one node, behind
// Sentinel, or on a Redis Cluster. It is the repository named "redis", and has
// every optional power that package repository knows.
//
//	import _ "github.com/eventaudit/eventaudit/repository/redisrepo"
//
// and a setting redis.url are enough to send the trail there. New takes a
// client of the app's own:
//
//	events, err := redisrepo.New(client, &redisrepo.Options{Retention: 365 * 24 * time.Hour})
//
// # Guarantees
//
// An event and its indexes are written by one run of a script, which may write
// others too, so that readers see all of it or nothing, and a delivery may be
// repeated. Lists are exact: every
// event read is checked against the whole filter, and no key is ever built
// from a value in a way that another value could reach.
//
// # Limits
//
// A page by actor, category, action, model, record, target record or tenant
// reads that page. A filter on other fields alone reads the trail, newest or
// oldest first, until its limit is reached; time bounds and an indexed field
// narrow what is read.
//
// A call of Write is not all or nothing, since Redis has no transaction over
// several scripts: after an error some of its events may be stored. Writing it
// again completes it. How safe an event is once it is stored is a matter of
// how the server is set up; see docs/redis.md.
package redisrepo

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
)

// DefaultPrefix is what the keys start with unless Options say otherwise.
const DefaultPrefix = "audit"

// MaxShards is the largest number of shards.
const MaxShards = 256

// Options change how a Repository works. The zero value and nil are fine.
type Options struct {
	// Prefix is what all keys start with; repositories with different prefixes
	// do not know of each other. It must not hold braces, which mean something
	// in a cluster. Default: DefaultPrefix.
	Prefix string
	// Shards is over how many hash slots the events are spread, evenly. The
	// first opening of a prefix decides and is remembered in Redis; another
	// number is refused afterwards with ErrLayout. Default: what is remembered,
	// otherwise 16 in a cluster and 1 elsewhere.
	Shards int
	// Retention is how long an event is kept after its timestamp. Redis drops
	// events by itself, a tenth of Retention late at most. Events that were
	// written under another Retention keep that one. Default: forever.
	Retention time.Duration
	// Logger gets warnings about how the server is set up. Default:
	// slog.Default.
	Logger *slog.Logger
}

// Repository is an audit trail in Redis. It is safe for concurrent use.
type Repository struct {
	client    redis.UniversalClient
	owned     bool // the client is ours to close
	prefix    string
	shards    int
	retention retention
	logger    *slog.Logger
	store     atomic.Pointer[store] // nil until Redis has been asked
}

var (
	_ repository.Repository    = (*Repository)(nil)
	_ repository.Getter        = (*Repository)(nil)
	_ repository.Counter       = (*Repository)(nil)
	_ repository.Remover       = (*Repository)(nil)
	_ repository.FilterRemover = (*Repository)(nil)
	_ repository.AllRemover    = (*Repository)(nil)
	_ repository.Pinger        = (*Repository)(nil)
)

// New returns the trail that the client leads to. It sends nothing; see Ready.
// The client stays the caller's: Close does not close it. The error is a
// *event.FieldError when there is no client or an option is wrong.
func New(client redis.UniversalClient, opts *Options) (*Repository, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.Prefix == "" {
		o.Prefix = DefaultPrefix
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if err := check(client, o); err != nil {
		return nil, err
	}
	return &Repository{
		client: client, prefix: o.Prefix, shards: o.Shards,
		retention: newRetention(o.Retention), logger: o.Logger,
	}, nil
}

func check(client redis.UniversalClient, o Options) error {
	switch _, ring := client.(*redis.Ring); {
	case client == nil:
		return &event.FieldError{Field: "client", Value: "nil", Reason: "is no client; pass what redis.NewClient or redis.NewUniversalClient returned"}
	case ring:
		return &event.FieldError{Field: "client", Value: "*redis.Ring", Reason: "moves keys without their data when a server fails; use a cluster, or one server with replicas"}
	case strings.ContainsAny(o.Prefix, "{}"):
		return &event.FieldError{Field: "prefix", Value: o.Prefix, Reason: "holds a brace, which decides where a cluster keeps a key; leave it out"}
	case o.Shards < 0 || o.Shards > MaxShards:
		return &event.FieldError{Field: "shards", Value: o.Shards, Reason: fmt.Sprintf("is not between 1 and %d; use 0 for the default", MaxShards)}
	case o.Retention < 0:
		return &event.FieldError{Field: "retention", Value: o.Retention, Reason: "is negative; use 0 to keep events forever"}
	case o.Retention > 0 && o.Retention < time.Second:
		return &event.FieldError{Field: "retention", Value: o.Retention, Reason: "is less than a second; use 0 to keep events forever"}
	}
	return nil
}

// Ping reports whether Redis answers and is fit to keep events, as Ready does.
func (r *Repository) Ping(ctx context.Context) error { return r.Ready(ctx) }

// Close closes the connections of a repository that was opened by name. Those
// of a client that was passed to New are the caller's.
func (r *Repository) Close() error {
	if !r.owned {
		return nil
	}
	return r.client.Close()
}

// failed names what was done. When the context ended, that is the error: the
// client reports it in words of its own.
//
// A cluster may have another master by now. The client notices by itself only
// when a master sends it elsewhere, which a dead one does not, or once a
// minute.
func (r *Repository) failed(ctx context.Context, what string, err error) error {
	if ended := endOf(ctx); ended != nil {
		err = ended
	}
	if cluster, ok := r.client.(*redis.ClusterClient); ok {
		cluster.ReloadState(ctx)
	}
	return fmt.Errorf("redisrepo: %s: %w", what, err)
}

// endOf returns why the context ended, nil if it has not. The connection gives
// up at the same instant as the context, and its timer may fire first.
func endOf(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok && ctx.Err() == nil && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}
