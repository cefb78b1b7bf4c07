//go:build !cgo

package cli

import (
	"github.com/glebarez/sqlite"
	"gorm.io/gorm"
)

// sqliteDialector waits ten seconds while another process writes to the file.
func sqliteDialector(file string) gorm.Dialector {
	return sqlite.Open(file + "_pragma=busy_timeout(10000)")
}
