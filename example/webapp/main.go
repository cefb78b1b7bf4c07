// Webapp is a small payroll on the web whose trail answers who changed a
// salary, why, from where, and who tried to.
//
//	go run ./example/webapp
//
// serves http://localhost:8080. Sign in as kim (who may change salaries), as bob
// (who may not), or as ines, who audits: she may see the whole trail, under
// http://localhost:8080/audit/. The password is "demo".
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/glebarez/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/admin"
	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/middleware"
	"github.com/eventaudit/eventaudit/migrate"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := serve(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "webapp:", err)
		os.Exit(1)
	}
}

func serve(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "eventaudit-webapp-")
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "localhost:8080")
	if err != nil {
		return err
	}
	fmt.Printf("http://%s; the database is in %s\n", listener.Addr(), dir)
	return run(ctx, listener, filepath.Join(dir, "payroll.db"))
}

// run serves the app until the context ends.
func run(ctx context.Context, listener net.Listener, file string) (err error) {
	db, err := gorm.Open(sqlite.Open("file:"+file+"?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)"),
		&gorm.Config{Logger: logger.Discard})
	if err != nil {
		return err
	}
	pool, err := db.DB()
	if err != nil {
		return err
	}
	pool.SetMaxOpenConns(8) // more only stand in each other's way: SQLite lets one write
	if err := errors.Join(db.AutoMigrate(&Employee{}), migrate.Up(db)); err != nil {
		return err
	}
	audit := eventaudit.Plugin(eventaudit.RequireReason("Employee", "salary_change"))
	if err := db.Use(audit); err != nil {
		return err
	}
	background := context.WithoutCancel(ctx)
	defer func() { err = errors.Join(err, audit.Close(background)) }()

	// Work that no request asks for names itself.
	job := event.WithReason(event.WithActor(ctx, "job:import"), "taken over from the old payroll")
	if err := db.WithContext(job).FirstOrCreate(&Employee{ID: 1, Name: "Ada", Cents: 450_000, IBAN: "DE02120300000000202051"}).Error; err != nil {
		return err
	}

	app, err := handler(db, audit)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: app, ReadHeaderTimeout: 5 * time.Second}
	context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(background, 5*time.Second)
		defer cancel()
		if err := server.Shutdown(grace); err != nil {
			fmt.Fprintln(os.Stderr, "webapp:", err)
		}
	})
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// handler is the app, and the panel of its trail, behind the sign-in and the
// middleware, in this order: the actor is known when the middleware asks, and
// the panel takes it from there.
func handler(db *gorm.DB, audit *eventaudit.Auditor) (http.Handler, error) {
	panel, err := admin.New(audit, admin.Options{Authorize: auditors, Enabled: true, Title: "Payroll audit"})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/", newPages(db, audit))
	mux.Handle("/audit/", http.StripPrefix("/audit", panel))
	fill := middleware.HTTP(middleware.Options{
		Actor:          func(r *http.Request) string { return userFrom(r.Context()).name },
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, // the load balancers
	})
	return signIn(fill(mux)), nil
}

var errNoAuditor = errors.New("only auditors may see the trail")

// auditors lets them pass to the panel.
func auditors(r *http.Request) error {
	if !userFrom(r.Context()).auditor {
		return errNoAuditor
	}
	return nil
}
