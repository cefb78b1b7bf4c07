package redisrepo_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testredis"
	"github.com/eventaudit/eventaudit/repository"
	"github.com/eventaudit/eventaudit/repository/redisrepo"
)

func TestWrongOptions(t *testing.T) {
	t.Parallel()
	client := redis.NewClient(&redis.Options{})
	ring := redis.NewRing(&redis.RingOptions{Addrs: map[string]string{"a": "localhost:1"}})
	t.Cleanup(func() {
		if err := errors.Join(client.Close(), ring.Close()); err != nil {
			t.Error(err)
		}
	})
	for _, test := range []struct {
		field   string
		client  redis.UniversalClient
		options redisrepo.Options
	}{
		{"client", nil, redisrepo.Options{}},
		{"client", ring, redisrepo.Options{}},
		{"prefix", client, redisrepo.Options{Prefix: "a{b}"}},
		{"shards", client, redisrepo.Options{Shards: -1}},
		{"shards", client, redisrepo.Options{Shards: redisrepo.MaxShards + 1}},
		{"retention", client, redisrepo.Options{Retention: -time.Hour}},
		{"retention", client, redisrepo.Options{Retention: time.Millisecond}},
	} {
		_, err := redisrepo.New(test.client, &test.options)
		if broken := new(event.FieldError); !errors.As(err, &broken) || broken.Field != test.field {
			t.Errorf("%+v: error %v, want one about %s", test.options, err, test.field)
		}
	}
}

func TestWrongURLs(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"", ",", "localhost:6379", "http://localhost", "redis:secret@localhost", "redis://me:sec#ret@localhost",
		"redis://me:secret@localhost/x", "redis://me:secret@localhost:port", "redis://:secret@localhost?secret=1",
		"redis://:secret@a/1,redis://:secret@b/1", "redis://:secret@a,redis://:other@b", "redis://:secret@a,rediss://:secret@b",
		"redis://:/secret@localhost:6379/0", "redis://:?secret@localhost:6379/0", "redis://:#secret@localhost:6379/0",
		"redis://:12/secret@localhost:6379/0", "redis://me:12#secret@localhost:6379/0", "redis://me:/secret@localhost:6379",
		"redis://localhost:6379?password=secret", "redis://:12,secret@localhost:6379", "redis://me:12,34/secret@localhost:6379",
		"redis://secret@localhost/x", "redis:///secret@localhost:6379", "secret://localhost",
	} {
		_, err := repository.Open(t.Context(), "redis", repository.Settings{Redis: repository.RedisSettings{URL: url}, Logger: quiet})
		broken := new(event.FieldError)
		if !errors.As(err, &broken) || broken.Field != "redis.url" {
			t.Errorf("%q: error %v, want one about redis.url", url, err)
		} else if strings.Contains(err.Error(), "sec") || strings.Contains(err.Error(), "12") {
			t.Errorf("%q: error %v tells the password", url, err)
		}
	}
}

func TestOpenByName(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t)
	cluster := testredis.StartCluster(t, 3, false)
	for name, url := range map[string]string{
		"one server":               server.URL(),
		"cluster":                  "redis://" + strings.ReplaceAll(cluster.Addrs(), ",", ", redis://"),
		"one address of a cluster": "redis://" + cluster.Masters[1].Addr + ",",
	} {
		r, err := repository.Open(t.Context(), "redis", repository.Settings{Redis: repository.RedisSettings{URL: url}, Logger: quiet})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		e := event.New("custom", "tested")
		if err := r.Write(t.Context(), e); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got, err := repository.Get(t.Context(), r, e.ID); err != nil || got.ID != e.ID {
			t.Errorf("%s: Get = %q, %v", name, got.ID, err)
		}
		if err := repository.Ping(t.Context(), r); err != nil {
			t.Errorf("%s: Ping: %v", name, err)
		}
		if err := r.(*redisrepo.Repository).Close(); err != nil {
			t.Errorf("%s: Close: %v", name, err)
		}
		if err := r.Write(t.Context(), e); !errors.Is(err, redis.ErrClosed) {
			t.Errorf("%s: Write after Close: %v, want redis.ErrClosed", name, err)
		}
	}
}

// The client of New stays open.
func TestCloseLeavesTheClient(t *testing.T) {
	t.Parallel()
	client := shared(t)
	r := open(t, client, nil)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Error(err)
	}
}

// A Redis that is away is no reason not to start.
func TestOpenWithoutRedis(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t)
	server.Kill(t)
	r, err := repository.Open(t.Context(), "redis", repository.Settings{Redis: repository.RedisSettings{URL: server.URL()}, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Write(t.Context(), some(1)...); err == nil || errors.Is(err, event.ErrInvalid) {
		t.Errorf("Write: %v, want an error about the connection", err)
	}
	server.Restart(t)
	testredis.Eventually(t, "events arrive once Redis is there", func(ctx context.Context) error { return r.Write(ctx, some(1)...) })
	if err := r.(*redisrepo.Repository).Close(); err != nil {
		t.Error(err)
	}
}

func TestEvictionIsRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		policy    string
		retention time.Duration
		refused   bool
	}{
		{"noeviction", 0, false},
		{"noeviction", time.Hour, false},
		{"allkeys-lru", 0, true},
		{"allkeys-random", time.Hour, true},
		{"volatile-lru", 0, false}, // none of our keys expires
		{"volatile-ttl", time.Hour, true},
	} {
		server := testredis.Start(t, "--maxmemory-policy", test.policy)
		r := open(t, server.Client, &redisrepo.Options{Retention: test.retention})
		ready, written := r.Ready(t.Context()), r.Write(t.Context(), some(1)...)
		for what, err := range map[string]error{"Ready": ready, "Write": written} {
			if refused := errors.Is(err, redisrepo.ErrEviction); refused != test.refused || !refused && err != nil {
				t.Errorf("%s with %s and retention %v: %v", what, test.policy, test.retention, err)
			}
			if errors.Is(err, event.ErrInvalid) {
				t.Errorf("%s: %v blames the event", what, err)
			}
		}
		if test.refused {
			_, err := repository.Open(t.Context(), "redis", repository.Settings{Redis: repository.RedisSettings{URL: server.URL()}, Logger: quiet})
			if strings.HasPrefix(test.policy, "allkeys") && !errors.Is(err, redisrepo.ErrEviction) {
				t.Errorf("Open with %s: %v, want ErrEviction", test.policy, err)
			}
			server.Do(t, "CONFIG", "SET", "maxmemory-policy", "noeviction")
			write(t, r, some(1)...)
		}
	}
}

func TestEvictionOnOneMasterIsRefused(t *testing.T) {
	t.Parallel()
	cluster := testredis.StartCluster(t, 3, false)
	cluster.Masters[2].Do(t, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
	r := open(t, cluster.Client(t), nil)
	err := r.Ready(t.Context())
	if !errors.Is(err, redisrepo.ErrEviction) || !strings.Contains(err.Error(), cluster.Masters[2].Addr) {
		t.Errorf("Ready: %v, want ErrEviction and the address", err)
	}
	cluster.Masters[2].Do(t, "CONFIG", "SET", "maxmemory-policy", "noeviction")
	if err := r.Ready(t.Context()); err != nil {
		t.Error(err)
	}
}

// A server that keeps its settings to itself is taken.
func TestSettingsNotTold(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t)
	server.Do(t, "ACL", "SETUSER", "app", "on", ">pw", "~*", "+@all", "-info", "-config")
	client := redis.NewClient(&redis.Options{Addr: server.Addr, Username: "app", Password: "pw"})
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	r := open(t, client, nil)
	write(t, r, some(3)...)
	if got := ids(t, r, event.Filter{}); len(got) != 3 {
		t.Errorf("found %q", got)
	}
}

func TestLayoutIsRemembered(t *testing.T) {
	t.Parallel()
	client := shared(t)
	first := open(t, client, &redisrepo.Options{Shards: 5})
	write(t, first, some(50)...)
	prefix := redisrepo.PrefixOf(first)
	second, err := redisrepo.New(client, &redisrepo.Options{Prefix: prefix, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	if got := ids(t, second, event.Filter{}); len(got) != 50 {
		t.Errorf("%d events are found without saying how many shards there are, want 50", len(got))
	}
	third, err := redisrepo.New(client, &redisrepo.Options{Prefix: prefix, Shards: 6, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{"Ready": third.Ready(t.Context()), "Write": third.Write(t.Context(), some(1)...)} {
		if !errors.Is(err, redisrepo.ErrLayout) || errors.Is(err, event.ErrInvalid) {
			t.Errorf("%s with another number of shards: %v, want ErrLayout", what, err)
		}
	}
}

// A client for one server would see a third of a cluster.
func TestOneNodeOfAClusterIsRefused(t *testing.T) {
	t.Parallel()
	cluster := testredis.StartCluster(t, 3, false)
	r, err := redisrepo.New(cluster.Masters[0].Client, &redisrepo.Options{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "cluster") {
		t.Errorf("Ready: %v, want an error that says cluster", err)
	}
}
