package cli

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/user"
	"time"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/config"
	"github.com/eventaudit/eventaudit/event"
	// The repositories that settings may name.
	_ "github.com/eventaudit/eventaudit/repository/cloudwatchrepo"
	_ "github.com/eventaudit/eventaudit/repository/redisrepo"
)

// app is what all commands share: the global flags.
type app struct {
	streams  Streams
	settings string
	database string
	actor    string
}

// trail is an audit trail that a command works on.
type trail struct {
	*eventaudit.Auditor
	db *gorm.DB
}

// load reads the settings. The relay runs apart, if at all.
func (a *app) load() (eventaudit.Config, error) {
	cfg, err := a.read()
	if err != nil {
		return eventaudit.Config{}, misused(err)
	}
	cfg.Relay.Enabled = false
	cfg.Logger = slog.New(slog.NewTextHandler(a.streams.Err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	return cfg, nil
}

func (a *app) read() (eventaudit.Config, error) {
	if a.settings != "" {
		return config.Load(a.settings)
	}
	return config.FromEnv()
}

// connect opens the app's database.
func (a *app) connect(create bool) (*gorm.DB, error) {
	url := a.database
	if url == "" {
		url = os.Getenv("DATABASE_URL")
	}
	return openDatabase(url, create)
}

// with runs the work on the trail and closes everything afterwards.
func (a *app) with(ctx context.Context, work func(ctx context.Context, t *trail) error) (err error) {
	cfg, err := a.load()
	if err != nil {
		return err
	}
	db, err := a.connect(false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, disconnect(db)) }()
	db = db.WithContext(ctx)
	audit := eventaudit.Plugin(eventaudit.WithConfig(cfg))
	if err := db.Use(audit); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closed(ctx, audit)) }()
	return work(event.WithActor(ctx, a.who()), &trail{audit, db})
}

// closing is how long the end of a command may take.
const closing = 30 * time.Second

func closed(ctx context.Context, audit *eventaudit.Auditor) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closing)
	defer cancel()
	return audit.Close(ctx)
}

func disconnect(db *gorm.DB) error {
	pool, err := db.DB()
	if err != nil {
		return err
	}
	return pool.Close()
}

// who is the actor of events about the command itself.
func (a *app) who() string {
	if a.actor != "" {
		return a.actor
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "unknown" // a container without a list of users
}
