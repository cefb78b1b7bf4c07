// Cloudwatch is the shop of the quickstart with its trail in AWS CloudWatch
// Logs. It needs no account: without arguments it starts a server that behaves
// like CloudWatch, and sends the trail there. With a log group it sends it to
// AWS, with the credentials and the region that the AWS tools use.
//
//	go run ./example/cloudwatch
//	go run ./example/cloudwatch /shop/audit
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/glebarez/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/migrate"
	"github.com/eventaudit/eventaudit/repository"
	_ "github.com/eventaudit/eventaudit/repository/cloudwatchrepo"
	"github.com/eventaudit/eventaudit/repository/cloudwatchrepo/cloudwatchtest"
)

func main() {
	if err := run(context.Background(), os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "cloudwatch:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, args []string) (err error) {
	settings, closeServer, err := where(args)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeServer()) }()
	dir, err := os.MkdirTemp("", "eventaudit-cloudwatch-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	db, err := shopDatabase(filepath.Join(dir, "shop.db"))
	if err != nil {
		return err
	}
	audit := eventaudit.Plugin(func(c *eventaudit.Config) {
		c.ActiveRepo = "cloudwatch"
		c.CloudWatch = settings
	})
	if err := db.Use(audit); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, audit.Close(ctx)) }()

	began := time.Now()
	if err := aDayInTheShop(ctx, db); err != nil {
		return err
	}
	if err := audit.Flush(ctx); err != nil { // all of it is in CloudWatch now
		return err
	}
	return show(ctx, out, audit, began)
}

// where returns the settings for the log group that was named, or those for a
// server that is started for it.
func where(args []string) (repository.CloudWatchSettings, func() error, error) {
	if len(args) > 0 {
		return repository.CloudWatchSettings{LogGroup: args[0]}, func() error { return nil }, nil
	}
	server, err := cloudwatchtest.Start(nil)
	if err != nil {
		return repository.CloudWatchSettings{}, nil, err
	}
	return repository.CloudWatchSettings{
		Endpoint: server.URL, Region: "eu-north-1",
		AccessKey: cloudwatchtest.AccessKey, SecretKey: cloudwatchtest.SecretKey,
	}, server.Close, nil
}

func shopDatabase(file string) (*gorm.DB, error) {
	db, err := gorm.Open(sqlite.Open(file), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		return nil, err
	}
	if err := db.AutoMigrate(&Customer{}, &Product{}, &Order{}, &Line{}); err != nil {
		return nil, err
	}
	return db, migrate.Up(db) // the outbox
}

// show prints the day's trail. It says since when, because CloudWatch reads
// the whole time that a list may be about. AWS shows events some seconds after
// it has stored them.
func show(ctx context.Context, out io.Writer, audit *eventaudit.Auditor, began time.Time) error {
	events, err := audit.Events(ctx, event.Filter{From: began})
	if err != nil {
		return err
	}
	for _, e := range events {
		if _, err := fmt.Fprintf(out, "%-14s %-8s %s %s  %s\n", e.Actor, e.Action, e.ActionObject, e.ActionObjectID, e.Result); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(out, "%d events\n", len(events))
	return err
}
