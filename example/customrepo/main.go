// Customrepo shows how to keep the trail in a place of your own: a repository
// of two methods (repository.go), a name for it (active_repo = "mycustom"),
// and a test that proves it right (repository_test.go). Copy repository.go and
// its test, and replace the file by your store.
//
//	go run ./example/customrepo
//
// appends three events to audit.jsonl, or to the file that MYCUSTOM_FILE
// names, and lists what anna did.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "customrepo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) (err error) {
	repo, err := repository.Open(ctx, "mycustom", repository.Settings{})
	if err != nil {
		return err
	}
	if closer, ok := repo.(io.Closer); ok {
		defer func() { err = errors.Join(err, closer.Close()) }()
	}

	// In an application eventaudit writes these; see example/quickstart.
	if err := repo.Write(ctx,
		deed("anna", event.ActionCreated, "Order", "1"),
		deed("bert", event.ActionChanged, "Order", "1"),
		deed("anna", event.ActionDeleted, "Invoice", "77"),
	); err != nil {
		return err
	}
	return list(ctx, out, repo, event.Filter{Actor: "anna", Order: event.NewestFirst, Limit: 10})
}

func deed(actor, action, object, id string) event.Event {
	e := event.New(event.CategoryModel, action)
	e.Actor, e.ActionObject, e.ActionObjectID = actor, object, id
	return e
}

// list prints the events as an aligned table.
func list(ctx context.Context, out io.Writer, repo repository.Repository, f event.Filter) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if _, err := fmt.Fprintln(table, "TIME\tACTOR\tACTION\tOBJECT\tID"); err != nil {
		return err
	}
	for e, err := range repo.Find(ctx, f) {
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n",
			e.Timestamp.Format(time.DateTime), e.Actor, e.Action, e.ActionObject, e.ActionObjectID); err != nil {
			return err
		}
	}
	return table.Flush()
}
