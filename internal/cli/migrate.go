package cli

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"
	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/migrate"
)

func newMigrate(a *app) *cobra.Command {
	c := &cobra.Command{
		Use: "migrate", Short: "Create the tables, or bring them up to date", Args: cobra.NoArgs, RunE: incomplete,
		Long: `Migrate looks after the tables of the trail in the app's database. Migrations
run once, in order, and several programs may start one at the same time.`,
		Example: "  eventaudit migrate up --database=sqlite:app.db",
	}
	c.AddCommand(
		&cobra.Command{
			Use: "up", Short: "Run the migrations that have not run yet", Args: cobra.NoArgs,
			Long: "Up runs the migrations that have not run yet, then lists all. Where all have\nrun it changes nothing.",
			RunE: func(c *cobra.Command, _ []string) error { return a.migrating(c, true, migrate.Up) },
		},
		&cobra.Command{
			Use: "down [STEPS]", Short: "Undo the last migrations, one without STEPS", Args: cobra.MaximumNArgs(1),
			Long: `Down undoes the last migrations that have run, as many as STEPS says, one
without it. It drops no table that holds events, but for those that tell of
clear: it fails instead.`,
			Example: "  eventaudit migrate down 1",
			RunE: func(c *cobra.Command, args []string) error {
				steps, err := stepsOf(args)
				if err != nil {
					return err
				}
				return a.migrating(c, false, func(db *gorm.DB) error { return migrate.Down(db, steps) })
			},
		},
		&cobra.Command{
			Use: "status", Short: "List the migrations, with those that have run", Args: cobra.NoArgs,
			Long: "Status lists the migrations in order, each as applied or pending. It changes\nnothing.",
			RunE: func(c *cobra.Command, _ []string) error {
				return a.onDatabase(c, false, func(db *gorm.DB) error { return a.listMigrations(db) })
			},
		},
	)
	return c
}

func stepsOf(args []string) (int, error) {
	if len(args) == 0 {
		return 1, nil
	}
	steps, err := strconv.Atoi(args[0])
	if err != nil || steps < 1 {
		return 0, misused(&event.FieldError{Field: "steps", Value: args[0], Reason: "is no number of migrations; use 1 or more"})
	}
	return steps, nil
}

// migrating runs the migration and lists what has run afterwards.
func (a *app) migrating(c *cobra.Command, create bool, migration func(*gorm.DB) error) error {
	return a.onDatabase(c, create, func(db *gorm.DB) error {
		if err := migration(db); err != nil {
			return err
		}
		return a.listMigrations(db)
	})
}

// onDatabase runs the work on the app's database, without the plugin.
func (a *app) onDatabase(c *cobra.Command, create bool, work func(*gorm.DB) error) error {
	db, err := a.connect(create)
	if err != nil {
		return err
	}
	return errors.Join(work(db.WithContext(c.Context())), disconnect(db))
}

func (a *app) listMigrations(db *gorm.DB) error {
	all, err := migrate.Status(db)
	if err != nil {
		return err
	}
	for _, m := range all {
		state := "pending"
		if m.Applied {
			state = "applied"
		}
		if _, err := fmt.Fprintf(a.streams.Out, "%s  %s\n", state, m.ID); err != nil {
			return err
		}
	}
	return nil
}

// incomplete is for commands that need another word.
func incomplete(c *cobra.Command, _ []string) error {
	return misused(fmt.Errorf("%s needs one of its commands; see eventaudit help %s", c.CommandPath(), c.Name()))
}
