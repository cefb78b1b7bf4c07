package history_test

import (
	"testing"
	"time"

	"github.com/eventaudit/eventaudit/history"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

// Sheet has documents that may be null in two ways.
type Sheet struct {
	ID    uint
	Body  *string `gorm:"type:jsonb"`
	Needs string  `gorm:"type:jsonb;not null"`
}

func TestNullsOfJSONComeBack(t *testing.T) {
	t.Parallel()
	db, _ := install(t, testdb.New(t, testdb.Postgres))
	if err := db.AutoMigrate(&Sheet{}); err != nil {
		t.Fatal(err)
	}
	null := "null"
	must(t, db.Create(&[]Sheet{{ID: 1, Needs: null}, {ID: 2, Body: &null, Needs: "{}"}}))
	must(t, db.Model(&Sheet{ID: 1}).Updates(map[string]any{"body": "null"}))
	was := time.Now()
	must(t, db.Delete(&[]Sheet{{ID: 1}, {ID: 2}}))
	for id, needs := range map[uint]string{1: null, 2: "{}"} {
		past, err := history.AsOf[Sheet](t.Context(), db, id, was)
		if err != nil || past.Record.Body == nil || *past.Record.Body != null || past.Record.Needs != needs {
			t.Errorf("%d was %+v (%v)", id, past, err)
		}
		if _, err := history.Undelete[Sheet](because(), db, id); err != nil {
			t.Error(err)
		}
	}
	var n int
	must(t, db.Raw("SELECT count(*) FROM sheets WHERE body = 'null'::jsonb AND needs::text = CASE id WHEN 1 THEN 'null' ELSE '{}' END").Scan(&n))
	if n != 2 {
		t.Errorf("%d rows came back as they were, want 2", n)
	}
}
