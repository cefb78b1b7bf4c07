// Package migrate creates the tables of eventaudit and brings older ones up to
// date, through gormigrate:
//
//	if err := migrate.Up(db); err != nil { … }
//
// Call it before db.Use, from as many processes at once as you like. An app
// that runs a gormigrate of its own adds Migrations to its list instead.
//
// A table event_audit_event left by the Python ancestor is taken over: its rows
// are copied in order of time into the new table, counted, and the tables
// swapped. A row that cannot be converted stops this with an error that names
// it, and leaves everything as it was.
package migrate

import (
	"errors"
	"fmt"
	"slices"

	"github.com/go-gormigrate/gormigrate/v2"
	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
)

// Table is the table that says which migrations have run.
const Table = "event_audit_migrations"

// MigrationStatus says of one migration whether it has run.
type MigrationStatus struct {
	ID      string
	Applied bool
}

// Up runs the migrations that have not run yet. It waits while another process
// migrates the same database, for as long as the context of db allows, and may
// be called again at any time.
func Up(db *gorm.DB) error {
	return run(db, "up", func(plain *gorm.DB) error {
		return runner(plain).Migrate()
	})
}

// Down undoes the last steps migrations that have run, or as many as there
// are. A table that holds events is not dropped: the error says how many there
// are and what to do about them.
func Down(db *gorm.DB, steps int) error {
	if steps < 1 {
		return &event.FieldError{Field: "steps", Value: steps, Reason: "is not a number of migrations to undo; use 1 or more"}
	}
	return run(db, "down", func(plain *gorm.DB) error {
		if !plain.Migrator().HasTable(Table) {
			return nil
		}
		for range steps {
			err := runner(plain).RollbackLast()
			if errors.Is(err, gormigrate.ErrNoRunMigration) {
				return nil
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Status returns every migration in order, with whether it has run. It changes
// nothing, and does not wait for one that is running.
func Status(db *gorm.DB) ([]MigrationStatus, error) {
	var list []MigrationStatus
	err := check(db)
	if err == nil {
		err = withPlain(db, db.Statement.ConnPool, func(plain *gorm.DB) (err error) {
			list, err = statuses(plain)
			return err
		})
	}
	if err != nil {
		return nil, fmt.Errorf("migrate: status: %w", err)
	}
	return list, nil
}

func statuses(plain *gorm.DB) ([]MigrationStatus, error) {
	var applied []string
	if plain.Migrator().HasTable(Table) {
		if err := plain.Table(Table).Pluck("id", &applied).Error; err != nil {
			return nil, err
		}
	}
	var list []MigrationStatus
	for _, migration := range Migrations(plain) {
		list = append(list, MigrationStatus{migration.ID, slices.Contains(applied, migration.ID)})
	}
	return list, nil
}

func runner(plain *gorm.DB) *gormigrate.Gormigrate {
	return gormigrate.New(plain, &gormigrate.Options{TableName: Table}, Migrations(plain))
}

func run(db *gorm.DB, what string, do func(plain *gorm.DB) error) error {
	if err := exclusively(db, do); err != nil {
		return fmt.Errorf("migrate: %s: %w", what, err)
	}
	return nil
}
