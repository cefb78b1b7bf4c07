//go:build cgo

package cli

import (
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
)

// sqliteDialector waits ten seconds while another process writes to the file.
func sqliteDialector(file string) gorm.Dialector {
	return sqlite.Open(file + "_busy_timeout=10000")
}
