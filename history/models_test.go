package history_test

import (
	"database/sql/driver"
	"log/slog"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/migrate"
)

// Person has every kind of column, a soft delete, and children.
type Person struct {
	ID       uint
	Name     string
	Tier     Tier
	Tags     []string `gorm:"serializer:json"`
	Home     Address  `gorm:"embedded;embeddedPrefix:home_"`
	Balance  float64
	Vip      bool
	Photo    []byte
	Born     *time.Time
	Password string
	Seen     int `audit:"ignore"`
	Inner    int `audit:"-"`

	UpdatedAt time.Time
	DeletedAt gorm.DeletedAt
	Cars      []Car
	Clubs     []Club `gorm:"many2many:person_clubs"`
}

// Address is embedded.
type Address struct{ Street, City string }

// Tier is stored as a letter.
type Tier int

// Value stores the letter.
func (t Tier) Value() (driver.Value, error) { return string("abc"[t%3]), nil }

// Scan reads the letter.
func (t *Tier) Scan(from any) error {
	switch from := from.(type) {
	case string:
		*t = Tier(from[0] - 'a')
	case []byte:
		*t = Tier(from[0] - 'a')
	}
	return nil
}

// Car belongs to a person, by a text key.
type Car struct {
	Plate    string `gorm:"primaryKey;size:20"`
	PersonID *uint
	Colour   string
}

// Club has people.
type Club struct {
	ID   uint
	Name string
}

// Stock has a composite key.
type Stock struct {
	Sku      string `gorm:"primaryKey;size:20"`
	Place    int    `gorm:"primaryKey;autoIncrement:false"`
	Quantity int64
}

// install returns a migrated database with the tables of the models and an
// Auditor.
func install(t testing.TB, d *testdb.Database, opts ...eventaudit.Option) (*gorm.DB, *eventaudit.Auditor) {
	t.Helper()
	db := d.Open(t, &gorm.Config{DisableForeignKeyConstraintWhenMigrating: true})
	if err := migrate.Up(db); err != nil {
		t.Fatal(err)
	}
	if err := db.AutoMigrate(&Person{}, &Car{}, &Club{}, &Stock{}); err != nil {
		t.Fatal(err)
	}
	audit := eventaudit.Plugin(append([]eventaudit.Option{eventaudit.WithLogger(slog.New(slog.DiscardHandler))}, opts...)...)
	if err := db.Use(audit); err != nil {
		t.Fatal(err)
	}
	return db, audit
}

// must fails the test when the operation failed.
func must(t interface {
	Helper()
	Fatal(...any)
}, tx *gorm.DB,
) {
	t.Helper()
	if tx.Error != nil {
		t.Fatal(tx.Error)
	}
}

// moment returns a time that is after everything before and before everything
// after.
func moment() time.Time {
	now := time.Now().Truncate(time.Microsecond)
	for !time.Now().Truncate(time.Microsecond).After(now) { //nolint:revive // a microsecond
	}
	now = now.Add(time.Microsecond)
	for !time.Now().Truncate(time.Microsecond).After(now) { //nolint:revive // another
	}
	return now
}

// trail returns the events that match, oldest first.
func trail(t testing.TB, audit *eventaudit.Auditor, f event.Filter) []event.Event {
	t.Helper()
	events, err := audit.Events(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return events
}
