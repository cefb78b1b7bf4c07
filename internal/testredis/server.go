// Package testredis starts private Redis servers for tests that kill, fill or
// promote one, and clusters of them. They end with their test. Tests that need
// only a Redis use testdb.RedisURL.
package testredis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/eventaudit/eventaudit/internal/testdb"
)

// patience is how long a server may take for what it was told.
const patience = time.Minute

// Server is a private redis-server. Its data is in a folder of the test.
type Server struct {
	Addr string
	// Client speaks to this server alone and does not try twice.
	Client *redis.Client

	folder  string
	port    string
	config  []string // what comes first
	setup   []string
	process *exec.Cmd
	ended   chan error
}

// Start starts a server with these further settings, "--appendonly", "yes" for
// example, and waits until it answers. It skips the test where redis-server is
// not installed.
func Start(t testing.TB, setup ...string) *Server {
	t.Helper()
	return start(t, &Server{setup: append([]string{"--save", "", "--repl-diskless-sync-delay", "0"}, setup...)})
}

// StartSentinel starts a Sentinel that watches the primary alone, and takes it
// for dead after half a second.
func StartSentinel(t testing.TB, name string, primary *Server) *Server {
	t.Helper()
	config := filepath.Join(t.TempDir(), "sentinel.conf") // which it writes to
	text := fmt.Sprintf("sentinel monitor %s 127.0.0.1 %s 1\nsentinel down-after-milliseconds %s 500\nsentinel failover-timeout %s 5000\n", name, primary.port, name, name)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatalf("testredis: %v", err)
	}
	return start(t, &Server{config: []string{config, "--sentinel"}})
}

func start(t testing.TB, s *Server) *Server {
	t.Helper()
	s.folder, s.port = t.TempDir(), FreePort(t)
	s.Addr = net.JoinHostPort("127.0.0.1", s.port)
	s.Client = redis.NewClient(&redis.Options{Addr: s.Addr, MaxRetries: -1, ContextTimeoutEnabled: true})
	t.Attr(testdb.Attribute, "redis")
	t.Cleanup(func() {
		s.Kill(t)
		if err := s.Client.Close(); err != nil {
			t.Error(err)
		}
	})
	s.Restart(t)
	Eventually(t, "redis-server answers", func(ctx context.Context) error {
		info := s.Client.InfoMap(ctx, "server")
		if info.Err() != nil {
			return info.Err()
		}
		// Or another test has been given the same port.
		return expect("the process", strconv.Itoa(s.process.Process.Pid), info.Item("Server", "process_id"))
	})
	return s
}

// URL is the server's redis:// URL.
func (s *Server) URL() string { return "redis://" + s.Addr + "/0" }

// Kill ends the server at once, as a crash does.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	if s.process == nil {
		return
	}
	if err := s.process.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("testredis: kill: %v", err)
	}
	var exit *exec.ExitError
	if err := <-s.ended; err != nil && !errors.As(err, &exit) {
		t.Errorf("testredis: wait: %v", err)
	}
	s.process = nil
}

// Restart starts the server again on its port and data, and does not wait for
// it to answer. Settings that are given replace those of Start.
func (s *Server) Restart(t testing.TB, setup ...string) {
	t.Helper()
	if len(setup) > 0 {
		s.setup = append([]string{"--save", ""}, setup...)
	}
	program, err := exec.LookPath("redis-server")
	if err != nil {
		missing(t, err)
	}
	s.Kill(t)
	log, err := os.OpenFile(filepath.Join(s.folder, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatalf("testredis: %v", err)
	}
	arguments := slices.Concat(s.config, []string{"--bind", "127.0.0.1", "--port", s.port, "--dir", s.folder}, s.setup)
	s.process = exec.CommandContext(context.Background(), program, arguments...)
	s.process.Stdout, s.process.Stderr = log, log
	err = s.process.Start()
	if err := errors.Join(err, log.Close()); err != nil {
		t.Fatalf("testredis: %v", err)
	}
	s.ended = make(chan error, 1)
	go func(process *exec.Cmd, ended chan<- error) { ended <- process.Wait() }(s.process, s.ended)
}

func missing(t testing.TB, err error) {
	t.Helper()
	const fix = "testredis: %v; install redis-server"
	if testdb.Strict() {
		t.Fatalf(fix, err)
	}
	t.Skipf(fix, err)
}

// Do sends a command to the server and ends the test when it fails.
func (s *Server) Do(t testing.TB, words ...any) any {
	t.Helper()
	reply, err := s.Client.Do(t.Context(), words...).Result()
	if err != nil {
		t.Fatalf("testredis: %v: %v", words, err)
	}
	return reply
}

// Eventually tries until there is no error, at most a minute.
func Eventually(t testing.TB, what string, try func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		err := try(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("testredis: still not true that %s: %v", what, err)
		case <-again.C:
		}
	}
}

// FreePort returns a port that nobody listens on.
func FreePort(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("testredis: %v", err)
	}
	if err := listener.Close(); err != nil {
		t.Fatalf("testredis: %v", err)
	}
	return strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
}

// expect turns a comparison into an error for Eventually.
func expect(what, want, got any) error {
	if want != got {
		return fmt.Errorf("%v is %v, not %v", what, got, want)
	}
	return nil
}
