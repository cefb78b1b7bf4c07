package sqlrepo

import (
	"reflect"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/internal/connpool"
)

// Within reports whether the event table is reached through the connection
// pool of db, so that an event can be part of a transaction begun there.
func (r *Repository) Within(db *gorm.DB) bool {
	if db == nil || db.Statement == nil {
		return false
	}
	pool := connpool.Unwrap(db.Statement.ConnPool)
	if reflect.ValueOf(pool).Comparable() {
		return pool == r.pool
	}
	return reflect.DeepEqual(pool, r.pool)
}
