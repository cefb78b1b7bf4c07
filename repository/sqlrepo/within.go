package sqlrepo

import (
	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/internal/connpool"
)

// Within reports whether the event table is reached through the connection
// pool of db, so that an event can be part of a transaction begun there.
func (r *Repository) Within(db *gorm.DB) bool {
	return db != nil && db.Statement != nil && connpool.Unwrap(db.Statement.ConnPool) == r.pool
}
