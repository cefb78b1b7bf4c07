// Package testdb gives every test a fresh, empty database of each kind that is
// supported, and takes it away again afterwards.
//
// SQLite needs nothing. The other databases are reached through a DSN in an
// environment variable (see [PostgresVariable], [MySQLVariable] and
// [RedisVariable]); a test that has none is skipped, or fails when
// [StrictVariable] is 1. `make test` sets them all.
package testdb

import (
	"fmt"
	"testing"

	"gorm.io/gorm"
)

// Kind names a database together with the driver that speaks to it.
type Kind string

// The kinds. SQLiteCgo is there only in builds with cgo.
const (
	SQLiteCgo  Kind = "sqlite-cgo"
	SQLitePure Kind = "sqlite-pure"
	Postgres   Kind = "postgres"
	MariaDB    Kind = "mariadb"
)

// Attribute is the key of the test attribute that says which database a test
// ran on: a Kind or "redis". Programs that read `go test -json` count by it.
const Attribute = "database"

// Kinds returns the kinds that this build can speak to.
func Kinds() []Kind {
	var kinds []Kind
	for _, kind := range []Kind{SQLiteCgo, SQLitePure, Postgres, MariaDB} {
		if _, ok := drivers()[kind]; ok {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

// Each runs the test once for each of the Kinds, as parallel subtests that are
// named after them, each on a fresh and empty database of its own.
func Each(t *testing.T, test func(t *testing.T, s *Database)) {
	t.Helper()
	for _, kind := range Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			test(t, New(t, kind))
		})
	}
}

// New creates an empty database, which is dropped when the test ends, whether
// it passed or not. It skips the test where no server is known.
func New(t testing.TB, kind Kind) *Database {
	t.Helper()
	d, ok := drivers()[kind]
	if !ok {
		t.Fatalf("testdb: kind %q is not in this build; use one of %q", kind, Kinds())
	}
	dsn := d.create(t)
	t.Attr(Attribute, string(kind))
	return &Database{kind: kind, dsn: dsn}
}

// driver is what a kind needs: a way to make an empty database, which returns
// its DSN, and a way to speak to it.
type driver struct {
	create func(t testing.TB) (dsn string)
	dial   func(dsn string) gorm.Dialector
}

// drivers returns those of this build.
func drivers() map[Kind]driver {
	known := map[Kind]driver{
		SQLitePure: sqlitePure(),
		Postgres:   postgresDriver(),
		MariaDB:    mariadbDriver(),
	}
	if cgo, ok := sqliteCgo(); ok {
		known[SQLiteCgo] = cgo
	}
	return known
}

// Dial opens a connection pool to the database with that DSN, as
// [Database.DSN] gives it, from this or another process. A nil cfg means a
// silent logger and GORM's defaults otherwise. The caller closes the pool.
func Dial(kind Kind, dsn string, cfg *gorm.Config) (*gorm.DB, error) {
	d, ok := drivers()[kind]
	if !ok {
		return nil, fmt.Errorf("testdb: kind %q is not in this build; use one of %q", kind, Kinds())
	}
	db, err := gorm.Open(d.dial(dsn), withSilentLogger(cfg))
	if err != nil {
		return nil, fmt.Errorf("testdb: open %s: %w", kind, err)
	}
	pool, err := db.DB()
	if err != nil {
		return nil, fmt.Errorf("testdb: pool of %s: %w", kind, err)
	}
	// Several connections, so that tests meet real concurrency; few enough
	// for all packages at once on a server that takes 100.
	pool.SetMaxOpenConns(8)
	pool.SetMaxIdleConns(2)
	return db, nil
}
