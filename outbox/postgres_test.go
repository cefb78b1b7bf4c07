package outbox_test

import (
	"context"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

// PostgreSQL writes a new version of each row that is claimed. It is cheap
// while that finds room in the page of the old one.
func TestClaimedRowsStayInTheirPages(t *testing.T) {
	t.Parallel()
	db := migrated(t, testdb.New(t, testdb.Postgres))
	var before map[int64]string
	claimed, moved := 0, 0
	to := newDestination(func(context.Context, []event.Event) error {
		for sequence, page := range pages(t, db, "claimed_until > 0") {
			if claimed++; before[sequence] != page {
				moved++
			}
		}
		return nil
	})
	box := open(t, db, to, nil)
	events := some("e", 1000)
	for i := range events {
		events[i].Result = event.JSON(strings.Repeat("x", 50*(i%10)))
	}
	insert(t, box, events...)
	before = pages(t, db, "true")
	box.Start()
	flush(t, box)
	shut(t, box)
	if claimed < len(events) || moved > claimed/20 {
		t.Errorf("%d of %d claimed rows moved to another page", moved, claimed)
	}
}

// pages returns the page of each row of the outbox.
func pages(t *testing.T, db *gorm.DB, where string) map[int64]string {
	t.Helper()
	var rows []struct {
		Sequence int64
		Page     string
	}
	if err := db.Raw("SELECT sequence, split_part(ctid::text, ',', 1) AS page FROM event_audit_outbox WHERE " + where).Scan(&rows).Error; err != nil {
		t.Error(err)
	}
	found := map[int64]string{}
	for _, row := range rows {
		found[row.Sequence] = row.Page
	}
	return found
}
