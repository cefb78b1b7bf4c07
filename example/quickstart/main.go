// Quickstart is a small shop that adopts eventaudit with one line and then
// shows the trail that its day left behind.
//
//	go run ./example/quickstart
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/glebarez/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/migrate"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "eventaudit-quickstart-")
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "shop.db")
	db, err := gorm.Open(sqlite.Open(file), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		return err
	}
	if err := db.AutoMigrate(&Customer{}, &Product{}, &Order{}, &Line{}); err != nil {
		return err
	}

	if err := migrate.Up(db); err != nil { // the event table
		return err
	}
	audit := eventaudit.Plugin()
	if err := db.Use(audit); err != nil { // the one line
		return err
	}
	defer func() { err = errors.Join(err, audit.Close(ctx)) }()

	if err := aDayInTheShop(ctx, db); err != nil {
		return err
	}

	all, err := audit.Events(ctx, event.Filter{})
	if err != nil {
		return err
	}
	ofOrder, err := audit.Events(ctx, event.Filter{ActionObject: "Order", ActionObjectID: "1"})
	if err != nil {
		return err
	}
	if err := printTrail(os.Stdout, all); err != nil {
		return err
	}
	if err := printHistory(os.Stdout, "Order 1", ofOrder); err != nil {
		return err
	}
	fmt.Printf("\nThe shop and its trail are in %s; look at table event_audit_event.\n", file)
	return nil
}
