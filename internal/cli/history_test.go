package cli_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

// A record's history has how it got its key, and its relations to others.
func TestHistoryHasWhereTheRecordIsTheTarget(t *testing.T) {
	t.Parallel()
	url, db := newDatabase(t, testdb.SQLiteCgo)
	for n, e := range []event.Event{
		{Action: "created", ActionObject: "Stock", ActionObjectID: "a"},
		{Action: "changed", ActionObject: "Stock", ActionObjectID: "a", TargetType: "Stock", TargetID: "c"},
		{Action: "changed", ActionObject: "Stock", ActionObjectID: "c"},
		{Action: "attached", ActionObject: "Order", ActionObjectID: "1", TargetType: "Stock", TargetID: "c"},
		{Action: "created", ActionObject: "Order", ActionObjectID: "c"},
		{Action: "attached", ActionObject: "Stock", ActionObjectID: "c", TargetType: "Stock", TargetID: "c"},
		{Action: "changed", ActionObject: "Stock", ActionObjectID: "c"},
		{Action: "detached", ActionObject: "Order", ActionObjectID: "1", TargetType: "Stock", TargetID: "c"},
	} {
		e.ID, e.Category, e.Timestamp = fmt.Sprint(n), "model", time.Date(2024, time.January, 1+n, 0, 0, 0, 0, time.UTC)
		fill(t, db, e)
	}
	for _, c := range []struct{ args, want []string }{
		{[]string{"c"}, []string{"7", "6", "5", "3", "2", "1"}},
		{[]string{"c", "--oldest-first"}, []string{"1", "2", "3", "5", "6", "7"}},
		{[]string{"c", "--limit=0"}, []string{"7", "6", "5", "3", "2", "1"}},
		{[]string{"c", "--limit=4"}, []string{"7", "6", "5", "3"}},
		{[]string{"c", "--limit=1", "--oldest-first"}, []string{"1"}},
		{[]string{"c", "--start-date=2024-01-03", "--end-date=2024-01-06"}, []string{"5", "3", "2"}},
		{[]string{"a"}, []string{"1", "0"}},
		{[]string{"b"}, nil},
	} {
		var got []string
		for text := range strings.Lines(done(t, url, append([]string{"history", "--json", "Stock"}, c.args...)...)) {
			var e event.Event
			if err := json.Unmarshal([]byte(text), &e); err != nil {
				t.Fatal(err)
			}
			got = append(got, e.ID)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("history of %v: %v, want %v", c.args, got, c.want)
		}
	}
	if table := done(t, url, "history", "Stock", "c"); strings.Count(table, "\n") != 7 {
		t.Errorf("the table is %s", table)
	}
}
