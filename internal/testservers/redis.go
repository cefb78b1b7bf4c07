//go:build unix

package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/eventaudit/eventaudit/internal/testdb"
)

func redis() kind {
	return kind{
		name:     "redis",
		variable: testdb.RedisVariable,
		dsn:      func(port int) string { return fmt.Sprintf("redis://127.0.0.1:%d/0", port) },
		port:     6379,
		ping:     pingRedis,
		programs: []string{"redis-server"},
		packages: []string{"redis-server"},
		account:  "redis",
		start: func(at place) (*process, error) {
			program, err := find("redis-server")
			if err != nil {
				return nil, err
			}
			server := at.command(program, "--bind", "127.0.0.1", "--port", strconv.Itoa(at.port),
				"--dir", at.folder, "--save", "", "--appendonly", "no")
			return server, server.Start()
		},
	}
}

// pingRedis logs in, as far as the URL says how to, and sends PING.
func pingRedis(ctx context.Context, dsn string) (err error) {
	target, err := url.Parse(dsn)
	if err != nil || !strings.HasPrefix(target.Scheme, "redis") {
		return errors.New("that is not a redis:// URL")
	}
	connection, err := dialRedis(ctx, target)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, connection.Close()) }()
	if deadline, ok := ctx.Deadline(); ok {
		if err := connection.SetDeadline(deadline); err != nil {
			return err
		}
	}
	replies := bufio.NewReader(connection)
	for _, command := range append(login(target), []string{"PING"}) {
		if err := call(connection, replies, command); err != nil {
			return err
		}
	}
	return nil
}

func dialRedis(ctx context.Context, target *url.URL) (net.Conn, error) {
	address := target.Host
	if target.Port() == "" {
		address = net.JoinHostPort(target.Hostname(), "6379")
	}
	if target.Scheme == "rediss" {
		return (&tls.Dialer{}).DialContext(ctx, "tcp", address)
	}
	return (&net.Dialer{}).DialContext(ctx, "tcp", address)
}

// login returns the commands that log in; none where the URL has no password.
func login(target *url.URL) [][]string {
	password, set := target.User.Password()
	switch name := target.User.Username(); {
	case !set:
		return nil
	case name == "":
		return [][]string{{"AUTH", password}}
	default:
		return [][]string{{"AUTH", name, password}}
	}
}

// call sends the command as an array of strings and reads a one-line reply.
func call(connection net.Conn, replies *bufio.Reader, words []string) error {
	request := fmt.Sprintf("*%d\r\n", len(words))
	for _, word := range words {
		request += fmt.Sprintf("$%d\r\n%s\r\n", len(word), word)
	}
	if _, err := connection.Write([]byte(request)); err != nil {
		return err
	}
	reply, err := replies.ReadString('\n')
	if err == nil && !strings.HasPrefix(reply, "+") {
		err = fmt.Errorf("%s was answered with %q", words[0], reply)
	}
	return err
}
