package outbox

import (
	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/connpool"
)

// poolOf returns the connection pool below db.
func poolOf(db *gorm.DB) (gorm.ConnPool, error) {
	if db == nil || db.Statement == nil || db.Statement.ConnPool == nil {
		return nil, &event.FieldError{Field: "database", Value: "nil", Reason: "is not an open database; pass the *gorm.DB that gorm.Open returned"}
	}
	pool := connpool.Unwrap(db.Statement.ConnPool)
	if connpool.Begins(pool) {
		return pool, nil
	}
	return nil, &event.FieldError{Field: "database", Value: "a transaction", Reason: "would end before the outbox does; pass the *gorm.DB that gorm.Open returned"}
}
