package eventaudit_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/repository"
	"github.com/eventaudit/eventaudit/repository/sqlrepo"
)

func TestUseWithoutTablesSaysWhichCallIsMissing(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db := d.Open(t)
		err := db.Use(eventaudit.Plugin())
		if !errors.Is(err, sqlrepo.ErrNoTables) || !strings.Contains(err.Error(), "migrate.Up(db)") {
			t.Fatalf("err = %v, want ErrNoTables that names migrate.Up(db)", err)
		}
		if _, installed := eventaudit.From(db); installed {
			t.Error("the plugin is installed all the same")
		}
		if db.Callback().Create().Get("eventaudit:guard_create") != nil {
			t.Error("a callback was registered all the same")
		}
	})
}

func TestWrongSettingsFailAtUse(t *testing.T) {
	t.Parallel()
	db := prepare(t, testdb.New(t, testdb.SQLitePure))
	for name, c := range map[string]struct {
		edit   func(*eventaudit.Config)
		fields []string
		is     error
	}{
		"unknown repository":     {func(c *eventaudit.Config) { c.ActiveRepo = "mangodb" }, []string{"active_repo"}, repository.ErrUnknown},
		"restricted repository":  {func(c *eventaudit.Config) { c.RestrictAvailableRepos = []string{"redis"} }, []string{"active_repo"}, repository.ErrRestricted},
		"redis without url":      {func(c *eventaudit.Config) { c.ActiveRepo = "redis" }, []string{"active_repo"}, event.ErrInvalid},
		"negative batch":         {func(c *eventaudit.Config) { c.Batch.Size = -1 }, []string{"batch.size"}, event.ErrInvalid},
		"negative rows":          {func(c *eventaudit.Config) { c.Track.MaxRowsPerStatement = -1 }, []string{"track.max_rows_per_statement"}, event.ErrInvalid},
		"no batch timeout":       {func(c *eventaudit.Config) { c.Batch.Timeout = 0 }, []string{"batch.timeout"}, event.ErrInvalid},
		"unknown state":          {func(c *eventaudit.Config) { c.Track.StorePreviousModelState = "some" }, []string{"track.store_previous_model_state"}, event.ErrInvalid},
		"half of a key pair":     {func(c *eventaudit.Config) { c.CloudWatch.SecretKey = "s3cr3t" }, []string{"cloudwatch.secret_key"}, event.ErrInvalid},
		"contradiction":          {func(c *eventaudit.Config) { c.TrackModels, c.Track.Models = false, []string{"A"} }, []string{"track.models"}, event.ErrInvalid},
		"pattern for everything": {func(c *eventaudit.Config) { c.Redact.Fields = []string{"*"} }, []string{"redact.fields"}, event.ErrInvalid},
		"blank model":            {func(c *eventaudit.Config) { c.Ignore.Models = []string{" Order"} }, []string{"ignore.models"}, event.ErrInvalid},
		"made from nothing":      {func(c *eventaudit.Config) { *c = eventaudit.Config{Logger: c.Logger} }, []string{"batch.size", "on_audit_error", "on_bypass", "track.store_previous_model_state"}, event.ErrInvalid},
		"two at once": {
			func(c *eventaudit.Config) { c.Batch.Size, c.OnAuditError = 0, "explode" },
			[]string{"batch.size", "on_audit_error"},
			event.ErrInvalid,
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := db.Use(eventaudit.Plugin(eventaudit.WithLogger(slog.New(slog.DiscardHandler)), c.edit))
			if !errors.Is(err, c.is) {
				t.Fatalf("err = %v, want one that is %v", err, c.is)
			}
			if strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("the error shows a secret: %v", err)
			}
			for _, field := range c.fields {
				if !strings.Contains(err.Error(), field) {
					t.Errorf("err = %v, does not name %s", err, field)
				}
			}
			var broken *event.FieldError
			if !errors.As(err, &broken) || broken.Reason == "" {
				t.Errorf("err = %v, want a *event.FieldError with a reason", err)
			}
			if _, installed := eventaudit.From(db); installed {
				t.Error("the plugin is installed all the same")
			}
		})
	}
	if _, audit := use(t, db); audit.Repository() == nil {
		t.Error("after the failures the plugin does not install")
	}
}

func TestBeforeUse(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	audit := eventaudit.Plugin()
	if err := audit.Record(ctx, event.New("custom", "x")); !errors.Is(err, eventaudit.ErrNotInstalled) {
		t.Errorf("Record: %v", err)
	}
	if _, err := audit.Events(ctx, event.Filter{}); !errors.Is(err, eventaudit.ErrNotInstalled) {
		t.Errorf("Events: %v", err)
	}
	if err := audit.Flush(ctx); !errors.Is(err, eventaudit.ErrNotInstalled) {
		t.Errorf("Flush: %v", err)
	}
	if err := audit.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
	if audit.Repository() != nil {
		t.Error("Repository is not nil")
	}
}

func TestFrom(t *testing.T) {
	t.Parallel()
	db, audit := install(t, testdb.New(t, testdb.SQLitePure))
	if found, ok := eventaudit.From(db); !ok || found != audit {
		t.Errorf("From = %v, %v", found, ok)
	}
	if err := db.Use(eventaudit.Plugin()); err == nil {
		t.Error("a second plugin was installed")
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	type Option struct {
		ID   uint
		Name string
	}
	var log bytes.Buffer
	db := prepare(t, testdb.New(t, testdb.SQLitePure))
	if err := db.AutoMigrate(&Option{}); err != nil {
		t.Fatal(err)
	}
	db, audit := use(t, db, eventaudit.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	for range 3 {
		must(t, db.Create(&Option{Name: "dark mode"}))
	}
	if n := len(trail(t, audit, event.Filter{})); n != 0 {
		t.Errorf("%d events of a model that the default ignores", n)
	}
	if n := strings.Count(log.String(), "model=Option"); n != 1 {
		t.Errorf("%d warnings name the model, want 1:\n%s", n, &log)
	}

	log.Reset()
	db = prepare(t, testdb.New(t, testdb.SQLitePure))
	db, audit = use(t, db, eventaudit.WithLogger(slog.New(slog.NewTextHandler(&log, nil))), func(c *eventaudit.Config) {
		c.Track.Models = []string{"Document", "Costumer"}
	})
	must(t, db.Create(&Document{ID: "1"}))
	for range 2 {
		if err := audit.Flush(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(log.String(), "Costumer"); n != 1 {
		t.Errorf("%d warnings name the misspelt model, want 1:\n%s", n, &log)
	}
	if strings.Contains(log.String(), "track.models=Document") {
		t.Errorf("a model that was seen is warned of:\n%s", &log)
	}
}
