package redisrepo_test

import (
	"strings"
	"testing"
	"time"

	"github.com/eventaudit/eventaudit/internal/testredis"
	"github.com/eventaudit/eventaudit/repository"
	"github.com/eventaudit/eventaudit/repository/redisrepo"
	"github.com/eventaudit/eventaudit/repository/repositorytest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	client := shared(t)
	repositorytest.Run(t, func(t *testing.T) repository.Repository { return open(t, client, nil) })
}

// Events in several buckets are one list like any other.
func TestConformanceWithBuckets(t *testing.T) {
	t.Parallel()
	client := shared(t)
	repositorytest.Run(t, func(t *testing.T) repository.Repository {
		r := open(t, client, &redisrepo.Options{Shards: 3})
		// Long enough for the year 1, which the suite wants kept.
		redisrepo.KeepFor(r, 10_000*365*24*time.Hour.Milliseconds(), (10 * time.Minute).Milliseconds())
		return r
	})
}

func TestConformanceOnACluster(t *testing.T) {
	t.Parallel()
	cluster := testredis.StartCluster(t, 3, false)
	client := cluster.Client(t)
	repositorytest.Run(t, func(t *testing.T) repository.Repository { return open(t, client, nil) })

	r := open(t, client, nil)
	write(t, r, some(200)...)
	for _, master := range cluster.Masters {
		if keys := master.Do(t, "DBSIZE").(int64); keys == 0 {
			t.Errorf("master %s has no keys", master.Addr)
		}
		info := master.Do(t, "INFO", "commandstats").(string)
		for _, scan := range []string{"scan", "keys", "hscan", "zscan", "sscan", "hgetall", "flushdb", "flushall"} {
			if strings.Contains(info, "cmdstat_"+scan+":") {
				t.Errorf("master %s was asked to %s", master.Addr, scan)
			}
		}
	}
}
