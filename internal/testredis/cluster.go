package testredis

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Cluster is a private Redis Cluster. The hash slots are shared out evenly.
type Cluster struct {
	Masters []*Server
	// Replicas has one server for each master, or none.
	Replicas []*Server
}

// slots is how many hash slots a cluster has.
const slots = 16384

// StartCluster starts a cluster of that many masters, with a replica each when
// asked for, and waits until it takes commands.
func StartCluster(t testing.TB, masters int, replicas bool) *Cluster {
	t.Helper()
	c := &Cluster{}
	for n := range masters {
		s := startNode(t)
		s.Do(t, "CLUSTER", "SET-CONFIG-EPOCH", n+1)
		s.Do(t, "CLUSTER", "ADDSLOTSRANGE", n*slots/masters, (n+1)*slots/masters-1)
		c.Masters = append(c.Masters, s)
	}
	if replicas {
		for range masters {
			c.Replicas = append(c.Replicas, startNode(t))
		}
	}
	for _, s := range c.servers()[1:] {
		c.Masters[0].Do(t, "CLUSTER", "MEET", "127.0.0.1", s.port, s.busPort())
	}
	c.awaitEach(t, "all nodes know each other", func(ctx context.Context, s *Server) error {
		nodes, err := s.Client.ClusterNodes(ctx).Result()
		if err != nil {
			return err
		}
		if strings.Contains(nodes, "handshake") {
			return fmt.Errorf("handshakes go on: %s", nodes)
		}
		return expect("the number of nodes", len(c.servers()), strings.Count(nodes, "\n"))
	})
	for n, s := range c.Replicas {
		master := c.Masters[n].Do(t, "CLUSTER", "MYID")
		s.Do(t, "CLUSTER", "REPLICATE", master)
		Eventually(t, "the replica follows its master", s.Follows)
	}
	c.awaitEach(t, "the cluster is up", func(ctx context.Context, s *Server) error {
		info, err := s.Client.ClusterInfo(ctx).Result()
		if err == nil && !strings.Contains(info, "cluster_state:ok") {
			err = fmt.Errorf("cluster info is %s", info)
		}
		return err
	})
	return c
}

func startNode(t testing.TB) *Server {
	t.Helper()
	return Start(t, "--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--cluster-port", FreePort(t))
}

// busPort is the last setting of a node.
func (s *Server) busPort() string { return s.setup[len(s.setup)-1] }

// Follows reports whether the server is a replica that has caught up.
func (s *Server) Follows(ctx context.Context) error {
	info, err := s.Client.Info(ctx, "replication").Result()
	if err == nil && !strings.Contains(info, "master_link_status:up") {
		err = fmt.Errorf("replication is %s", info)
	}
	return err
}

// Client returns a cluster client that is closed when the test ends. It does
// not look by itself, from time to time, who the masters are.
func (c *Cluster) Client(t testing.TB) *redis.ClusterClient {
	t.Helper()
	client := redis.NewClusterClient(&redis.ClusterOptions{
		Addrs: strings.Split(c.Addrs(), ","), ClusterStateReloadInterval: time.Hour,
	})
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return client
}

// Addrs returns the addresses of the masters with commas between them.
func (c *Cluster) Addrs() string {
	var addrs []string
	for _, s := range c.Masters {
		addrs = append(addrs, s.Addr)
	}
	return strings.Join(addrs, ",")
}

func (c *Cluster) servers() []*Server {
	return append(append([]*Server(nil), c.Masters...), c.Replicas...)
}

func (c *Cluster) awaitEach(t testing.TB, what string, try func(context.Context, *Server) error) {
	t.Helper()
	for _, s := range c.servers() {
		Eventually(t, what, func(ctx context.Context) error { return try(ctx, s) })
	}
}
