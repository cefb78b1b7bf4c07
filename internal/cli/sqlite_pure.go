//go:build !cgo

package cli

import (
	"github.com/glebarez/sqlite"
	"gorm.io/gorm"
)

// sqliteDialector waits ten seconds while another process writes to the file.
func sqliteDialector(path string) gorm.Dialector {
	return sqlite.Open(withOption(path, "_pragma=busy_timeout(10000)"))
}
