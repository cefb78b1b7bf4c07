//go:build unix

package main

import (
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/eventaudit/eventaudit/internal/testdb"
)

func TestPingReachesRedis(t *testing.T) {
	t.Parallel()
	if err := pingRedis(t.Context(), testdb.RedisURL(t)); err != nil {
		t.Error(err)
	}
}

func TestPingLogsIntoRedis(t *testing.T) {
	t.Parallel()
	for user, want := range map[string]string{
		":secret@":    "*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n",
		"me:p%20w@":   "*3\r\n$4\r\nAUTH\r\n$2\r\nme\r\n$3\r\np w\r\n",
		"":            "*1\r\n$4\r\nPING\r\n",
		"nopassword@": "*1\r\n$4\r\nPING\r\n",
	} {
		address, received := refusingServer(t)
		err := pingRedis(t.Context(), "redis://"+user+address)
		if err == nil || !strings.Contains(err.Error(), "-NO") {
			t.Errorf("%q: error = %v; want the reply in it", user, err)
		}
		if diff := cmp.Diff(want, <-received); diff != "" {
			t.Errorf("%q: %s", user, diff)
		}
	}
}

// refusingServer answers the first thing it reads with an error.
func refusingServer(t *testing.T) (address string, received <-chan string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan string, 1)
	go func() {
		defer close(heard)
		connection, err := listener.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		text := make([]byte, 1024)
		n, err := connection.Read(text)
		if err != nil {
			t.Error(err)
		}
		heard <- string(text[:n])
		if _, err := connection.Write([]byte("-NO\r\n")); err != nil {
			t.Error(err)
		}
		if err := connection.Close(); err != nil {
			t.Error(err)
		}
		if err := listener.Close(); err != nil {
			t.Error(err)
		}
	}()
	return listener.Addr().String(), heard
}
