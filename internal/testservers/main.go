//go:build unix

// Testservers runs a command with a PostgreSQL, a MariaDB and a Redis server
// at hand, and says in the environment where they are:
//
//	go run ./internal/testservers [-private] [-report] -- command [arguments]
//
// A server is taken from the first of these that has one: the environment
// variable (EVENT_AUDIT_TEST_POSTGRES, …_MYSQL, …_REDIS), the standard port of
// this machine, the installed programs, the Debian packages (as root). What it
// started ends with the command. The exit code is that of the command.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/eventaudit/eventaudit/internal/testdb"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code, err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "testservers:", err)
	}
	os.Exit(code)
}

// run returns the exit code: the command's, 1 when something here failed, 2
// when the arguments are wrong.
func run(ctx context.Context, arguments []string) (code int, err error) {
	flags := flag.NewFlagSet("testservers", flag.ContinueOnError)
	private := flags.Bool("private", false, "ignore the servers on the standard ports of this machine")
	report := flags.Bool("report", false, "the command prints what go test -json does: make it readable, count the tests per database, fail when one was skipped")
	if err := flags.Parse(arguments); err != nil {
		return 2, nil
	}
	if flags.NArg() == 0 {
		return 2, errors.New("no command; use: testservers [-private] [-report] -- command [arguments]")
	}
	folder, err := os.MkdirTemp("", "testservers")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	found, err := obtain(ctx, folder, *private)
	defer func() { err = errors.Join(err, found.stop()) }()
	if err != nil {
		return 1, err
	}
	command := newProcess(exec.CommandContext(ctx, flags.Arg(0), flags.Args()[1:]...))
	command.Env = append(os.Environ(), found.environment...)
	command.Env = append(command.Env, testdb.StrictVariable+"=1")
	command.Stderr = os.Stderr
	if *report {
		return runReported(command)
	}
	command.Stdout = os.Stdout
	return exitCode(command.run())
}

// runReported turns the command's output into the report. Tests that were
// skipped make the exit code 1.
func runReported(command *process) (int, error) {
	reader, writer := io.Pipe()
	command.Stdout = writer
	report := newReport(os.Stdout)
	done := make(chan error, 1)
	go func() { done <- report.read(reader) }()
	failed := command.run()
	if err := errors.Join(writer.Close(), <-done); err != nil {
		return 1, err
	}
	if err := report.summary(); err != nil {
		return 1, err
	}
	code, err := exitCode(failed)
	if code == 0 && !report.complete() {
		code = 1
	}
	return code, err
}

func exitCode(failed error) (int, error) {
	var exit *exec.ExitError
	switch {
	case failed == nil:
		return 0, nil
	case errors.As(failed, &exit) && exit.Exited():
		return exit.ExitCode(), nil
	default:
		return 1, failed
	}
}
