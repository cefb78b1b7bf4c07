// Command eventaudit works with audit trails: it creates their tables, lists,
// exports, imports and clears events, and runs the relay of the outbox.
// `eventaudit help` tells more.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/eventaudit/eventaudit/internal/cli"
)

func main() {
	collectLess()
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as under nohup
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	code := cli.Run(ctx, os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	stop()
	os.Exit(code)
}

// collectLess lets garbage grow to several times what is in use, up to 48 MiB
// in all. A command streams events and holds so few that the collector would
// otherwise run hundreds of times a second, for a third of the whole time. The
// variables GOGC and GOMEMLIMIT of the Go runtime have their say.
func collectLess() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(48 << 20)
	}
}
