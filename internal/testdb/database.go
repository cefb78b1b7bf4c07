package testdb

import (
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// Database is one empty database that belongs to one test. It is safe for
// concurrent use.
type Database struct {
	kind Kind
	dsn  string
}

// Kind returns the kind.
func (d *Database) Kind() Kind { return d.kind }

// DSN returns what Dial needs to reach the database, for other processes.
func (d *Database) DSN() string { return d.dsn }

// Open opens a new connection pool to the database and closes it when the test
// ends. The logger is silent unless cfg has one.
func (d *Database) Open(t testing.TB, cfg ...*gorm.Config) *gorm.DB {
	t.Helper()
	var config *gorm.Config
	if len(cfg) > 0 {
		config = cfg[0]
	}
	db, err := Dial(d.kind, d.dsn, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closePool(t, db) })
	return db
}

func closePool(t testing.TB, db *gorm.DB) {
	t.Helper()
	pool, err := db.DB()
	if err == nil {
		err = pool.Close()
	}
	if err != nil {
		t.Errorf("testdb: close %s: %v", db.Name(), err)
	}
}

// withSilentLogger copies the config, because gorm.Open keeps and changes the
// one it gets.
func withSilentLogger(cfg *gorm.Config) *gorm.Config {
	var config gorm.Config
	if cfg != nil {
		config = *cfg
	}
	if config.Logger == nil {
		config.Logger = logger.Discard
	}
	return &config
}
