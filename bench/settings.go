package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	pure "github.com/glebarez/sqlite"
	drivermysql "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	cgo "gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/eventaudit/eventaudit/pgpipe"
)

// settings are all that is measured, in this order.
func settings() []setting {
	everywhere := []variant{
		{"plain GORM", false, plain},
		{"unaudited model", false, ours(ignoring)},
		{"naive plugin", false, naive},
		{"eventaudit", false, ours()},
		{"eventaudit, five indexes", false, withFewIndexes},
		{"eventaudit, outbox", false, ours(throughOutbox)},
	}
	onPostgres := append(everywhere[:3:3],
		variant{"row trigger", false, rowTrigger},
		variant{"statement trigger", false, statementTrigger},
		everywhere[3],
		everywhere[5],
		variant{"plain GORM over pgpipe", true, plain},
		variant{"eventaudit over pgpipe", true, ours()},
		variant{"eventaudit over pgpipe, five indexes", true, withFewIndexes},
		variant{"eventaudit over pgpipe, outbox", true, ours(throughOutbox)},
	)
	onMariaDB := append(everywhere[:3:3], append([]variant{{"row trigger", false, jsonTriggers("now(3)", "char")}}, everywhere[3:]...)...)
	onSQLite := append(everywhere[:3:3], append([]variant{{"row trigger", false, jsonTriggers("datetime('now')", "text")}}, everywhere[3:]...)...)
	list := []setting{
		{"PostgreSQL", onPostgres, openPostgres(""), nil},
		{"PostgreSQL, 0.5 ms away", onPostgres, openPostgres("distant"), nil},
		{"MariaDB", onMariaDB, openMariaDB, nil},
	}
	for _, driver := range []struct {
		name string
		dial func(dsn string) gorm.Dialector
		dsn  string
	}{
		{"cgo", cgo.Open, "file:%s?_txlock=immediate&_busy_timeout=60000&_journal_mode=%s&_synchronous=%s"},
		{"pure Go", pure.Open, "file:%s?_txlock=immediate&_pragma=busy_timeout(60000)&_pragma=journal_mode(%s)&_pragma=synchronous(%s)"},
	} {
		for _, kind := range []struct{ name, journal, synchronous string }{
			{"WAL FULL", "WAL", "FULL"}, {"WAL NORMAL", "WAL", "NORMAL"}, {"memory", "MEMORY", "OFF"},
		} {
			list = append(list, setting{"SQLite " + driver.name + ", " + kind.name, onSQLite, func(v variant) (*subject, error) {
				return openSQLite(v, driver.dial, driver.dsn, kind.name, kind.journal, kind.synchronous)
			}, nil})
		}
	}
	return list
}

// silent are GORM's defaults without a log.
func silent() *gorm.Config { return &gorm.Config{Logger: logger.Discard} }

func randomName() string { return "eventaudit_bench_" + strings.ToLower(rand.Text()) }

// variable returns what an environment variable holds.
func variable(name, example string) (string, error) {
	if value := os.Getenv(name); value != "" {
		return value, nil
	}
	return "", fmt.Errorf("%s is not set; set it to something like %s", name, example)
}

// openPostgres creates a database and connects to it, through a network if
// that is asked for.
func openPostgres(way string) func(v variant) (*subject, error) {
	return func(v variant) (*subject, error) {
		dsn, err := variable("EVENT_AUDIT_TEST_POSTGRES", "postgres://postgres@127.0.0.1:5432/postgres")
		if err != nil {
			return nil, err
		}
		config, err := pgx.ParseConfig(dsn)
		if err != nil {
			return nil, err
		}
		admin, name := stdlib.OpenDB(*config), randomName()
		if _, err := admin.Exec("CREATE DATABASE " + name); err != nil {
			return nil, errors.Join(err, admin.Close())
		}
		opened := &subject{close: []closing{admin.Close, func() error {
			_, err := admin.Exec("DROP DATABASE " + name + " WITH (FORCE)")
			return err
		}}}
		config.Database = name
		if way == "distant" {
			network, server := pgconn.NetworkAddress(config.Host, config.Port)
			if network != "tcp" {
				return opened, errors.New("the server has to be reached by TCP")
			}
			addr, end, err := distant(server)
			if err != nil {
				return opened, err
			}
			opened.close = append(opened.close, end)
			config.DialFunc = func(ctx context.Context, network, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, addr)
			}
		}
		pool := stdlib.OpenDB(*config)
		if v.piped {
			pool = sql.OpenDB(pgpipe.Connector(*config))
		}
		db, err := gorm.Open(postgres.New(postgres.Config{Conn: pool}), silent())
		if err != nil {
			return opened, err
		}
		return opened, opened.setUpOn(v, db, writers)
	}
}

// openMariaDB creates a database and connects to it.
func openMariaDB(v variant) (*subject, error) {
	dsn, err := variable("EVENT_AUDIT_TEST_MYSQL", "root@tcp(127.0.0.1:3306)/")
	if err != nil {
		return nil, err
	}
	config, err := drivermysql.ParseDSN(dsn)
	if err != nil {
		return nil, err
	}
	connector, err := drivermysql.NewConnector(config)
	if err != nil {
		return nil, err
	}
	admin, name := sql.OpenDB(connector), randomName()
	if _, err := admin.Exec("CREATE DATABASE " + name + " CHARACTER SET utf8mb4"); err != nil {
		return nil, errors.Join(err, admin.Close())
	}
	opened := &subject{close: []closing{admin.Close, func() error {
		_, err := admin.Exec("DROP DATABASE " + name)
		return err
	}}}
	config.DBName, config.ParseTime = name, true
	if err := config.Apply(drivermysql.Charset("utf8mb4", "")); err != nil {
		return opened, err
	}
	db, err := gorm.Open(mysql.Open(config.FormatDSN()), silent())
	if err != nil {
		return opened, err
	}
	return opened, opened.setUpOn(v, db, writers)
}

// openSQLite creates a database file, or a database in memory, which takes one
// connection.
func openSQLite(v variant, dial func(dsn string) gorm.Dialector, dsn, kind, journal, synchronous string) (*subject, error) {
	folder, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	opened := &subject{close: []closing{func() error { return os.RemoveAll(folder) }}}
	file, connections := filepath.Join(folder, "bench.db"), writers
	if kind == "memory" {
		file, connections = ":memory:", 1
	}
	db, err := gorm.Open(dial(fmt.Sprintf(dsn, file, journal, synchronous)), silent())
	if err != nil {
		return opened, err
	}
	return opened, opened.setUpOn(v, db, connections)
}
