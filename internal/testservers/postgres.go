//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/eventaudit/eventaudit/internal/testdb"
)

func postgres() kind {
	return kind{
		name:     "postgres",
		variable: testdb.PostgresVariable,
		dsn: func(port int) string {
			return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port)
		},
		port: 5432,
		ping: func(ctx context.Context, dsn string) error {
			connection, err := pgx.Connect(ctx, dsn)
			if err != nil {
				return err
			}
			return errors.Join(connection.Ping(ctx), connection.Close(ctx))
		},
		programs: []string{"initdb"},
		packages: []string{"postgresql"},
		account:  "postgres",
		start:    startPostgres,
	}
}

func startPostgres(at place) (*process, error) {
	initdb, err := find("initdb")
	if err != nil {
		return nil, err
	}
	data := filepath.Join(at.folder, "data")
	create := at.command(initdb, "-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
	if err := create.run(); err != nil {
		return nil, fmt.Errorf("initdb: %w", err)
	}
	server := at.command(filepath.Join(filepath.Dir(initdb), "postgres"),
		"-D", data, "-h", "127.0.0.1", "-p", strconv.Itoa(at.port),
		"-c", "unix_socket_directories=", "-c", "max_connections=300",
		"-c", "fsync=off", "-c", "full_page_writes=off") // the data dies with the run
	return server, server.Start()
}
