//go:build cgo

package testdb

import (
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
)

// sqliteCgo is the SQLite in C.
func sqliteCgo() (driver, bool) {
	const options = "_txlock=immediate&_busy_timeout=60000&_foreign_keys=1"
	dial := func(dsn string) gorm.Dialector { return sqlite.Open(dsn) }
	return driver{create: sqliteFile(dial, options), dial: dial}, true
}
