package migrate

import (
	"github.com/go-gormigrate/gormigrate/v2"
	"gorm.io/gorm"
)

// Migrations returns the migrations of eventaudit, oldest first, for an app
// that runs its own gormigrate. The app then sees to it that two processes do
// not run them at the same time; Up does that by itself. They are the same for
// every database, and use plain SQL whatever plugins and naming strategy the
// one has that they run on.
func Migrations(_ *gorm.DB) []*gormigrate.Migration {
	return []*gormigrate.Migration{
		{
			ID:       "eventaudit_0001_event_table",
			Migrate:  createEventTable,
			Rollback: dropEventTable,
		},
		{ID: "eventaudit_0002_outbox", Migrate: createOutboxTables, Rollback: dropOutboxTables},
	}
}
