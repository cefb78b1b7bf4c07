// Package cli is the command line of eventaudit: one file for each command,
// data on standard output, talk on standard error.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// Streams are where a command reads and writes.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// say tells the user. Where that fails there is nobody to tell.
func (s Streams) say(format string, args ...any) {
	fmt.Fprintf(s.Err, format+"\n", args...) //nolint:errcheck // see above
}

// The exit codes of the command.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// Run runs the command that the arguments name, until it is done or the
// context ends. It returns the exit code: 0, 1 when the command failed, 2 when
// it was called wrongly.
func Run(ctx context.Context, args []string, streams Streams) int {
	started := false
	root := newRoot(streams)
	root.PersistentPreRun = func(*cobra.Command, []string) { started = true }
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var wrong *usageError
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		streams.say("eventaudit: interrupted")
		return exitFailed
	case errors.As(err, &wrong) || !started:
		streams.say("eventaudit: %v\nTry: eventaudit help", err)
		return exitUsage
	}
	streams.say("eventaudit: %s", strings.TrimPrefix(err.Error(), "eventaudit: "))
	return exitFailed
}

// usageError is about how the command was called.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// misused makes an error about how the command was called; nil stays nil.
func misused(err error) error {
	if err == nil {
		return nil
	}
	return &usageError{err}
}

func newRoot(streams Streams) *cobra.Command {
	a := &app{streams: streams}
	root := &cobra.Command{
		Use:   "eventaudit",
		Short: "Work with an audit trail",
		Long: `Eventaudit works with the audit trail of an app: it creates the tables, lists,
exports, imports and clears events, shows them in a browser, and relays them to
where they end up.

The database of the app is named by --database or DATABASE_URL:
  postgres://user:password@host:5432/name
  mysql://user:password@host:3306/name    (MariaDB, too)
  sqlite:path/to/file.db

Settings come from the file named by --config, otherwise from environment
variables that begin with EVENT_AUDIT_, for example EVENT_AUDIT_REDIS_URL.

Data goes to standard output, everything else to standard error. The exit code
is 0 when all went well, 1 when something failed, 2 when the call was wrong.`,
		Example: `  export DATABASE_URL=sqlite:app.db
  eventaudit migrate up
  eventaudit events list --actor=olga
  eventaudit export --output=trail.xlsx --start-date=2024-01-01 --end-date=2024-12-31`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.Err)
	root.PersistentFlags().StringVar(&a.settings, "config", "", "read the settings from this YAML `FILE`")
	root.PersistentFlags().StringVar(&a.database, "database", "", "the `URL` of the app's database (default $DATABASE_URL)")
	root.PersistentFlags().StringVar(&a.actor, "as", "", "who is acting, for events about this command (default: the system's user)")
	root.AddCommand(
		newMigrate(a), newExport(a), newImport(a), newClear(a), newEvents(a), newHistory(a),
		newRelay(a), newOutbox(a), newServe(a), newVersion(a),
	)
	return root
}
