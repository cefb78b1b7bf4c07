package redisrepo_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testredis"
	"github.com/eventaudit/eventaudit/repository"
	"github.com/eventaudit/eventaudit/repository/redisrepo"
)

// blamesRedis checks that Write failed with that text and blames no event: the
// outbox then keeps all of them and counts no attempt.
func blamesRedis(t *testing.T, err error, text string) {
	t.Helper()
	var rejected *repository.RejectedError
	if err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("Write: error %v, want one with %q", err, text)
	}
	if errors.As(err, &rejected) || errors.Is(err, event.ErrInvalid) {
		t.Errorf("Write: error %v blames an event", err)
	}
}

// complete writes the events again and checks that each is there once.
func complete(t *testing.T, r *redisrepo.Repository, events []event.Event) {
	t.Helper()
	testredis.Eventually(t, "a repeated delivery arrives", func(ctx context.Context) error { return r.Write(ctx, events...) })
	var want []string
	for _, e := range events {
		want = append(want, e.ID)
	}
	if got := ids(t, r, event.Filter{}); !slices.Equal(got, want) {
		t.Errorf("%d events are stored, want %d: %q", len(got), len(want), got)
	}
	for _, f := range []event.Filter{{Category: "custom"}, {Action: "tested"}} {
		if n, err := r.Count(t.Context(), f); err != nil || n != int64(len(events)) {
			t.Errorf("%d events in an index (%v), want %d", n, err, len(events))
		}
	}
}

// A server that was restarted knows no scripts, nor does one after SCRIPT
// FLUSH, nor a replica that was promoted.
func TestForgottenScripts(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	r := open(t, server.Client, nil)
	events := some(300)
	write(t, r, events[:100]...)
	server.Do(t, "SCRIPT", "FLUSH")
	write(t, r, events[50:200]...)
	server.Kill(t)
	server.Restart(t)
	testredis.Eventually(t, "Redis is back", func(ctx context.Context) error { return server.Client.Ping(ctx).Err() })
	write(t, r, events[150:]...) // the first attempt: no error is passed on
	complete(t, r, events)
	server.Do(t, "SCRIPT", "FLUSH")
	if n, err := r.RemoveMatching(t.Context(), event.Filter{Category: "custom"}); err != nil || n != 300 {
		t.Errorf("RemoveMatching = %d, %v, want 300", n, err)
	}
}

func TestForgottenScriptsInACluster(t *testing.T) {
	t.Parallel()
	cluster := testredis.StartCluster(t, 3, false)
	r := open(t, cluster.Client(t), nil)
	events := some(300)
	write(t, r, events[:100]...)
	cluster.Masters[1].Do(t, "SCRIPT", "FLUSH")
	write(t, r, events[100:]...)
	complete(t, r, events)
}

func TestMemoryFull(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t)
	r := open(t, server.Client, nil)
	events := some(40)
	write(t, r, events[:10]...)
	server.Do(t, "CONFIG", "SET", "maxmemory", "1")
	blamesRedis(t, r.Write(t.Context(), events...), "OOM")
	if got := ids(t, r, event.Filter{}); len(got) != 10 {
		t.Errorf("%d events can be read while the memory is full, want 10", len(got))
	}
	server.Do(t, "CONFIG", "SET", "maxmemory", "0")
	complete(t, r, events)
}

// Memory that runs out in the midst of a batch leaves no half of an event.
func TestMemoryRunsOut(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t)
	r := open(t, server.Client, nil)
	events := some(2000)
	for i := range events {
		events[i].Payload = event.JSON(strings.Repeat("x", 1000))
	}
	write(t, r, events[:1]...)
	used, err := server.Client.InfoMap(t.Context(), "memory").Result()
	if err != nil {
		t.Fatal(err)
	}
	server.Do(t, "CONFIG", "SET", "maxmemory", used["Memory"]["used_memory"]+"0") // ten times that
	var failed error
	for range 20 {
		if failed = r.Write(t.Context(), events...); failed != nil {
			break
		}
		more := some(2000)
		for i := range more {
			more[i].ID = fmt.Sprintf("event-%d", len(events)+i)
			more[i].Timestamp = events[len(events)-1].Timestamp
			more[i].Payload = events[0].Payload
		}
		events = append(events, more...)
		slices.SortFunc(events, event.Compare)
	}
	blamesRedis(t, failed, "OOM")
	n, err := r.Count(t.Context(), event.Filter{Category: "custom"})
	if all := int64(len(ids(t, r, event.Filter{}))); err != nil || n != all || n == 0 || n == int64(len(events)) {
		t.Errorf("%d of %d events in an index (%v), %d in the list", n, len(events), err, all)
	}
	server.Do(t, "CONFIG", "SET", "maxmemory", "0")
	complete(t, r, events)
}

func TestReplica(t *testing.T) {
	t.Parallel()
	primary := testredis.Start(t)
	host, port, _ := strings.Cut(primary.Addr, ":")
	replica := testredis.Start(t, "--replicaof", host+" "+port)
	testredis.Eventually(t, "the replica has caught up", replica.Follows)
	r := open(t, replica.Client, nil)
	events := some(20)
	blamesRedis(t, r.Write(t.Context(), events...), "READONLY") // before anything was known
	primary.Kill(t)
	replica.Do(t, "REPLICAOF", "NO", "ONE")
	write(t, r, events[:10]...)
	primary.Restart(t)
	testredis.Eventually(t, "the primary is back", func(ctx context.Context) error { return primary.Client.Ping(ctx).Err() })
	replica.Do(t, "REPLICAOF", host, port) // and takes its emptiness over
	testredis.Eventually(t, "the replica has caught up", replica.Follows)
	blamesRedis(t, r.Write(t.Context(), events...), "READONLY")
	replica.Do(t, "REPLICAOF", "NO", "ONE")
	complete(t, r, events)
}

func TestConnectionRefused(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	r := open(t, server.Client, nil)
	events := some(20)
	write(t, r, events[:10]...)
	server.Kill(t)
	blamesRedis(t, r.Write(t.Context(), events...), "")
	server.Restart(t)
	complete(t, r, events)
}

// A server that reads a large append-only file answers LOADING meanwhile.
func TestLoading(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t, "--appendonly", "yes", "--enable-debug-command", "yes")
	r := open(t, server.Client, nil)
	events := some(20)
	write(t, r, events[:10]...)
	server.Do(t, "DEBUG", "POPULATE", 2000)
	server.Do(t, "BGREWRITEAOF")
	testredis.Eventually(t, "the file is rewritten", func(ctx context.Context) error {
		info, err := server.Client.InfoMap(ctx, "persistence").Result()
		if err == nil && (info["Persistence"]["aof_rewrite_in_progress"] != "0" || info["Persistence"]["aof_base_size"] == "0") {
			err = errors.New("not yet")
		}
		return err
	})
	server.Kill(t)
	// A millisecond and a half for every key, so that it takes three seconds.
	server.Restart(t, "--appendonly", "yes", "--key-load-delay", "1500", "--loading-process-events-interval-bytes", "1024")
	testredis.Eventually(t, "Redis answers that it is loading", func(ctx context.Context) error {
		if err := server.Client.Get(ctx, "x").Err(); err == nil || !strings.HasPrefix(err.Error(), "LOADING") {
			return fmt.Errorf("it answers %w", err)
		}
		return nil
	})
	blamesRedis(t, r.Write(t.Context(), events...), "LOADING")
	fresh, err := redisrepo.New(server.Client, &redisrepo.Options{Prefix: redisrepo.PrefixOf(r), Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	blamesRedis(t, fresh.Write(t.Context(), events...), "LOADING")
	complete(t, r, events)
}

// A server that hangs, until the caller's time is over.
func TestNoAnswer(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t)
	r := open(t, server.Client, nil)
	events := some(20)
	write(t, r, events[:10]...)
	server.Do(t, "CLIENT", "PAUSE", 60_000, "ALL")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err := r.Write(ctx, events...)
	blamesRedis(t, err, "")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Write: error %v, want one that wraps context.DeadlineExceeded", err)
	}
	server.Kill(t)
	server.Restart(t)
	complete(t, r, events)
}

// slowTimer is a context whose deadline has passed and whose timer has not fired
// yet. The connection's timer often wins that race.
type slowTimer struct {
	context.Context
	deadline time.Time
}

func (c slowTimer) Deadline() (time.Time, bool) { return c.deadline, true }

func TestNoAnswerSeenByTheConnectionFirst(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t)
	r := open(t, server.Client, nil)
	events := some(20)
	write(t, r, events[:10]...)
	server.Do(t, "CLIENT", "PAUSE", 60_000, "ALL")
	err := r.Write(slowTimer{t.Context(), time.Now().Add(100 * time.Millisecond)}, events...)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Write: error %v, want one that wraps context.DeadlineExceeded", err)
	}
	server.Kill(t)
	server.Restart(t)
	complete(t, r, events)
}

func TestTooFewReplicas(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t)
	r := open(t, server.Client, nil)
	events := some(20)
	write(t, r, events[:10]...)
	server.Do(t, "CONFIG", "SET", "min-replicas-to-write", 1)
	blamesRedis(t, r.Write(t.Context(), events...), "NOREPLICAS")
	server.Do(t, "CONFIG", "SET", "min-replicas-to-write", 0)
	complete(t, r, events)
}

func TestWrongPassword(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t)
	r := open(t, server.Client, nil)
	events := some(20)
	write(t, r, events[:10]...)
	server.Do(t, "ACL", "SETUSER", "default", "resetpass", ">other")
	server.Do(t, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
	client := redis.NewClient(&redis.Options{Addr: server.Addr})
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	stranger, err := redisrepo.New(client, &redisrepo.Options{Prefix: redisrepo.PrefixOf(r), Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	blamesRedis(t, stranger.Write(t.Context(), events...), "NOAUTH")
	server.Do(t, "ACL", "SETUSER", "default", "nopass")
	complete(t, stranger, events)
}

// An event that the server will never take is named; the others are stored.
func TestTooLargeAnEvent(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t, "--proto-max-bulk-len", "1mb")
	r := open(t, server.Client, nil)
	events := some(50)
	small := slices.Concat(events[:20], events[21:40], events[41:])
	for _, i := range []int{20, 40} {
		events[i].Payload = event.JSON(strings.Repeat("x", 1<<20))
	}
	err := r.Write(t.Context(), events...)
	var rejected *repository.RejectedError
	if !errors.As(err, &rejected) || !slices.Equal(rejected.IDs, []string{events[20].ID, events[40].ID}) || errors.Is(err, event.ErrInvalid) {
		t.Errorf("Write: error %v, want both events rejected", err)
	}
	complete(t, r, small)
	server.Do(t, "CONFIG", "SET", "proto-max-bulk-len", "4mb")
	complete(t, r, events)
}
