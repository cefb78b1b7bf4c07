// Command eventaudit works with audit trails: it creates their tables, lists,
// exports, imports and clears events, and runs the relay of the outbox.
// `eventaudit help` tells more.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/eventaudit/eventaudit/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Run(ctx, os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	stop()
	os.Exit(code)
}
