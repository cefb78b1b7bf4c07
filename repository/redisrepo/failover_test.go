package redisrepo_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/eventaudit/eventaudit/internal/testredis"
)

// A master of a cluster dies under way; its replica takes over.
func TestClusterFailover(t *testing.T) {
	t.Parallel()
	cluster := testredis.StartCluster(t, 3, true)
	r := open(t, cluster.Client(t), nil)
	events := some(400)
	write(t, r, events[:200]...)
	master, replica := cluster.Masters[0], cluster.Replicas[0]
	master.Do(t, "WAIT", 1, 0)
	master.Kill(t)
	err := r.Write(t.Context(), events...)
	if err != nil { // the cluster may be quick
		blamesRedis(t, err, "")
	}
	testredis.Eventually(t, "the replica is promoted", func(ctx context.Context) error {
		role, err := replica.Client.Do(ctx, "ROLE").Slice()
		if err == nil && role[0] != "master" {
			err = errors.New("it is not")
		}
		return err
	})
	complete(t, r, events)
}

// A slot moves to another master while events are written to it.
func TestClusterMovesSlots(t *testing.T) {
	t.Parallel()
	cluster := testredis.StartCluster(t, 3, true)
	r := open(t, cluster.Client(t), nil)
	events := some(400)
	write(t, r, events[:200]...)
	testredis.Eventually(t, "the replica has caught up", cluster.Replicas[1].Follows)
	cluster.Replicas[1].Do(t, "CLUSTER", "FAILOVER") // by hand: nothing is lost
	complete(t, r, events)
}

// A cluster that has lost a master for good takes nothing.
func TestClusterDown(t *testing.T) {
	t.Parallel()
	cluster := testredis.StartCluster(t, 3, false)
	r := open(t, cluster.Client(t), nil)
	events := some(200)
	write(t, r, events[:100]...)
	cluster.Masters[0].Kill(t)
	testredis.Eventually(t, "the cluster notices", func(ctx context.Context) error {
		err := cluster.Masters[1].Client.Get(ctx, "x").Err()
		if err == nil || !strings.HasPrefix(err.Error(), "CLUSTERDOWN") && !strings.HasPrefix(err.Error(), "MOVED") {
			return errors.New("not yet")
		}
		info, err := cluster.Masters[1].Client.ClusterInfo(ctx).Result()
		if err == nil && !strings.Contains(info, "cluster_state:fail") {
			err = errors.New("not yet")
		}
		return err
	})
	blamesRedis(t, r.Write(t.Context(), events...), "")
	cluster.Masters[0].Restart(t)
	complete(t, r, events)
}

// Sentinel promotes the replica of a primary that died.
func TestSentinel(t *testing.T) {
	t.Parallel()
	primary := testredis.Start(t)
	host, port, _ := strings.Cut(primary.Addr, ":")
	replica := testredis.Start(t, "--replicaof", host+" "+port)
	testredis.Eventually(t, "the replica has caught up", replica.Follows)
	sentinel := testredis.StartSentinel(t, "trail", primary)
	testredis.Eventually(t, "Sentinel knows the replica", func(ctx context.Context) error {
		known, err := sentinel.Client.Do(ctx, "SENTINEL", "REPLICAS", "trail").Slice()
		if err == nil && len(known) == 0 {
			err = errors.New("it does not")
		}
		return err
	})
	client := redis.NewUniversalClient(&redis.UniversalOptions{Addrs: []string{sentinel.Addr}, MasterName: "trail"})
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	r := open(t, client, nil)
	events := some(200)
	write(t, r, events[:100]...)
	primary.Do(t, "WAIT", 1, 0)
	primary.Kill(t)
	if err := r.Write(t.Context(), events...); err != nil {
		blamesRedis(t, err, "")
	}
	complete(t, r, events)
}
