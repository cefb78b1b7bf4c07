//go:build unix

package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/go-sql-driver/mysql"

	"github.com/eventaudit/eventaudit/internal/testdb"
)

func mariadb() kind {
	return kind{
		name:     "mariadb",
		variable: testdb.MySQLVariable,
		dsn:      func(port int) string { return fmt.Sprintf("root@tcp(127.0.0.1:%d)/", port) },
		port:     3306,
		ping:     pingMariaDB,
		programs: []string{"mariadb-install-db", "mariadbd"},
		packages: []string{"mariadb-server"},
		account:  "mysql",
		start:    startMariaDB,
	}
}

func pingMariaDB(ctx context.Context, dsn string) error {
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		return err
	}
	cfg.Logger = &mysql.NopLogger{} // it is asked before it listens
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return err
	}
	pool := sql.OpenDB(connector)
	return errors.Join(pool.PingContext(ctx), pool.Close())
}

func startMariaDB(at place) (*process, error) {
	create, err := find("mariadb-install-db")
	if err != nil {
		return nil, err
	}
	program, err := find("mariadbd")
	if err != nil {
		return nil, err
	}
	data := "--datadir=" + filepath.Join(at.folder, "data")
	err = at.command(create, "--no-defaults", data, "--skip-test-db", "--auth-root-authentication-method=normal").run()
	if err != nil {
		return nil, fmt.Errorf("mariadb-install-db: %w", err)
	}
	server := at.command(program, "--no-defaults", data,
		"--bind-address=127.0.0.1", fmt.Sprintf("--port=%d", at.port),
		"--socket="+filepath.Join(at.folder, "socket"), "--pid-file="+filepath.Join(at.folder, "pid"),
		"--max-connections=300", "--innodb-flush-log-at-trx-commit=0") // the data dies with the run
	return server, server.Start()
}
