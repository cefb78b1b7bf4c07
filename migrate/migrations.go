package migrate

import (
	"github.com/go-gormigrate/gormigrate/v2"
	"gorm.io/gorm"
)

// Migrations returns the migrations of eventaudit, oldest first, for an app
// that runs its own gormigrate. The app then sees to it that two processes do
// not run them at the same time; Up does that by itself. The db is the one
// that they will run on. They use plain SQL, whatever plugins and naming
// strategy it has.
func Migrations(db *gorm.DB) []*gormigrate.Migration {
	return []*gormigrate.Migration{
		{
			ID:       "eventaudit_0001_event_table",
			Migrate:  createEventTable,
			Rollback: dropEventTable,
		},
	}
}
