//go:build unix

package main

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/eventaudit/eventaudit/internal/testdb"
)

// withServers makes the servers of this test run the ones that run finds, so
// that nothing is started.
func withServers(t *testing.T) {
	t.Helper()
	testdb.New(t, testdb.Postgres)
	testdb.New(t, testdb.MariaDB)
	testdb.RedisURL(t)
}

func TestRunPassesTheExitCodeOn(t *testing.T) {
	t.Parallel()
	withServers(t)
	for script, want := range map[string]int{"exit 0": 0, "exit 7": 7} {
		if code, err := run(t.Context(), []string{"--", "sh", "-c", script}); code != want || err != nil {
			t.Errorf("%q: code %d, %v; want %d", script, code, err, want)
		}
	}
}

func TestRunTellsTheCommandWhereTheServersAre(t *testing.T) {
	t.Parallel()
	withServers(t)
	script := `test -n "$EVENT_AUDIT_TEST_POSTGRES" && test -n "$EVENT_AUDIT_TEST_MYSQL" &&
		test -n "$EVENT_AUDIT_TEST_REDIS" && test "$EVENT_AUDIT_TEST_STRICT" = 1`
	if code, err := run(t.Context(), []string{"--", "sh", "-c", script}); code != 0 || err != nil {
		t.Errorf("code %d, %v; want 0", code, err)
	}
}

func TestRunFailsWhenATestWasSkipped(t *testing.T) {
	t.Parallel()
	withServers(t)
	skipped := `{"Action":"skip","Package":"p","Test":"TestA"}`
	if code, err := run(t.Context(), []string{"-report", "--", "echo", skipped}); code != 1 || err != nil {
		t.Errorf("code %d, %v; want 1", code, err)
	}
}

func TestRunInterruptsTheCommandWhenInterrupted(t *testing.T) {
	t.Parallel()
	withServers(t)
	started := t.TempDir() + "/started"
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		for again := time.Tick(time.Millisecond); ; <-again {
			if _, err := os.Stat(started); err == nil {
				return
			}
		}
	}()
	script := "trap 'exit 5' INT; touch " + started + "; sleep 600 & wait"
	if code, err := run(ctx, []string{"--", "sh", "-c", script}); code != 5 || err != nil {
		t.Errorf("code %d, %v; want 5, which the command answers an interrupt with", code, err)
	}
}

func TestRunRefusesWrongArguments(t *testing.T) {
	t.Parallel()
	for _, arguments := range [][]string{nil, {"--"}, {"-nonsense"}} {
		if code, _ := run(t.Context(), arguments); code != 2 {
			t.Errorf("%q: code %d, want 2", arguments, code)
		}
	}
}

func TestGivenServerThatDoesNotAnswerIsNamed(t *testing.T) {
	t.Setenv(testdb.RedisVariable, "redis://127.0.0.1:1")
	t.Setenv(testdb.PostgresVariable, "postgres://127.0.0.1:1/")
	t.Setenv(testdb.MySQLVariable, "root@tcp(127.0.0.1:1)/")
	for _, k := range kinds() {
		_, _, err := running(t.Context(), k, true)
		if err == nil || !strings.Contains(err.Error(), k.variable) {
			t.Errorf("%s: error %v does not name %s", k.name, err, k.variable)
		}
	}
}
