package testdb_test

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/eventaudit/eventaudit/internal/testdb"
)

// asProbe makes this test binary do what the test of the same name says in a
// process with another environment.
const asProbe = "EVENT_AUDIT_TEST_PROBE"

func TestProbe(t *testing.T) {
	if os.Getenv(asProbe) == "" {
		return
	}
	t.Run("redis", func(t *testing.T) { testdb.RedisURL(t) })
	testdb.Each(t, func(*testing.T, *testdb.Database) {})
}

func probe(t *testing.T, environment ...string) (output string, err error) {
	t.Helper()
	probe := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProbe$", "-test.v")
	probe.Env = slices.DeleteFunc(os.Environ(), func(entry string) bool {
		return strings.HasPrefix(entry, "EVENT_AUDIT_")
	})
	probe.Env = append(probe.Env, asProbe+"=1")
	probe.Env = append(probe.Env, environment...)
	out, err := probe.CombinedOutput()
	return string(out), err
}

func TestMissingServerSkipsAndNamesTheVariable(t *testing.T) {
	t.Parallel()
	output, err := probe(t)
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	for _, want := range []string{
		"SKIP: TestProbe/postgres", "SKIP: TestProbe/mariadb", "SKIP: TestProbe/redis",
		"PASS: TestProbe/sqlite-pure", "ATTR  TestProbe/sqlite-pure database sqlite-pure",
		testdb.PostgresVariable + " is not set", testdb.MySQLVariable + " is not set", testdb.RedisVariable + " is not set",
	} {
		if !strings.Contains(output, want) {
			t.Errorf("no %q in\n%s", want, output)
		}
	}
}

func TestMissingServerFailsWhenStrict(t *testing.T) {
	t.Parallel()
	output, err := probe(t, testdb.StrictVariable+"=1")
	if err == nil {
		t.Errorf("passed:\n%s", output)
	}
	for _, want := range []string{"FAIL: TestProbe/postgres", "FAIL: TestProbe/mariadb", "FAIL: TestProbe/redis"} {
		if !strings.Contains(output, want) {
			t.Errorf("no %q in\n%s", want, output)
		}
	}
}
