//go:build !cgo

package testdb

// sqliteCgo is not in this build.
func sqliteCgo() (driver, bool) { return driver{}, false }
