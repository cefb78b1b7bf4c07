package testdb

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/glebarez/sqlite"
	"gorm.io/gorm"
)

// sqlitePure is SQLite translated to Go; it needs no C compiler.
func sqlitePure() driver {
	const options = "_txlock=immediate&_pragma=busy_timeout(60000)&_pragma=foreign_keys(1)"
	dial := func(dsn string) gorm.Dialector { return sqlite.Open(dsn) }
	return driver{create: sqliteFile(dial, options), dial: dial}
}

// sqliteFile creates a database file with a write-ahead log, which the file
// remembers. Busy connections wait for each other, and transactions take the
// write lock at their start: one that only takes it at its first write fails at
// once, without waiting, when another has written since it began to read.
func sqliteFile(dial func(string) gorm.Dialector, options string) func(t testing.TB) string {
	return func(t testing.TB) string {
		t.Helper()
		dsn := fmt.Sprintf("file:%s?%s", filepath.Join(t.TempDir(), "test.db"), options)
		run(t, dial(dsn), "PRAGMA journal_mode = WAL")
		return dsn
	}
}
