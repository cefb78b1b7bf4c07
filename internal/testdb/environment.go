package testdb

import (
	"os"
	"testing"
)

// The environment variables that say where the servers are.
const (
	// PostgresVariable holds a PostgreSQL URL or keyword DSN of a role that
	// may create databases.
	PostgresVariable = "EVENT_AUDIT_TEST_POSTGRES"
	// MySQLVariable holds a go-sql-driver DSN of a user that may create
	// databases, on MariaDB or MySQL.
	MySQLVariable = "EVENT_AUDIT_TEST_MYSQL"
	// RedisVariable holds a redis:// URL.
	RedisVariable = "EVENT_AUDIT_TEST_REDIS"
	// PipelineVariable set to 1 makes connections to PostgreSQL those of
	// package pgpipe.
	PipelineVariable = "EVENT_AUDIT_TEST_PIPELINE"
	// StrictVariable set to 1 makes a missing server a failure.
	StrictVariable = "EVENT_AUDIT_TEST_STRICT"
)

// Strict reports whether a test must fail where it would otherwise skip itself
// because something is not installed.
func Strict() bool { return os.Getenv(StrictVariable) == "1" }

// RedisURL returns the URL of a Redis server that other tests use too, so keys
// need a prefix of their own. It skips the test where no server is known.
func RedisURL(t testing.TB) string {
	t.Helper()
	url := server(t, RedisVariable, "redis://127.0.0.1:6379/0")
	t.Attr(Attribute, "redis")
	return url
}

// server returns the DSN in the variable, or skips the test.
func server(t testing.TB, variable, example string) string {
	t.Helper()
	dsn := os.Getenv(variable)
	switch {
	case dsn != "":
		return dsn
	case Strict():
		t.Fatalf("%s is not set and %s=1 forbids to skip; set it, for example to %s", variable, StrictVariable, example)
	default:
		t.Skipf("%s is not set; set it, for example to %s", variable, example)
	}
	return ""
}
