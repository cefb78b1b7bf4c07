package oracle_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/oracle"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/repository/memrepo"
)

func changed(action, result string) event.Event {
	e := event.New(event.CategoryModel, action)
	e.ActionObject, e.ActionObjectID, e.Result = "Thing", "1", []byte(result)
	return e
}

// A trail that contradicts itself is found out.
func TestApplyRefusesContradictions(t *testing.T) {
	t.Parallel()
	created := changed(event.ActionCreated, `{"new":{"id":1,"n":5}}`)
	for name, events := range map[string][]event.Event{
		"created twice":                {created, created},
		"changed before it was there":  {changed(event.ActionChanged, `{"old":{"n":5},"new":{"n":6}}`)},
		"deleted before it was there":  {changed(event.ActionDeleted, `{"old":{"id":1,"n":5}}`)},
		"an old value that never was":  {created, changed(event.ActionChanged, `{"old":{"n":4},"new":{"n":6}}`)},
		"a change of nothing":          {created, changed(event.ActionChanged, `{"old":{"n":5},"new":{"n":5.0}}`)},
		"deleted with another old row": {created, changed(event.ActionDeleted, `{"old":{"id":1,"n":7}}`)},
	} {
		state := oracle.State{}
		var err error
		for _, e := range events {
			if err == nil {
				err = state.Apply(e)
			}
		}
		if err == nil {
			t.Errorf("%s was not noticed", name)
		}
	}
}

// recorder is a test that takes note of what it is told.
type recorder struct{ told []string }

func (r *recorder) Helper() {}
func (r *recorder) Errorf(format string, args ...any) {
	r.told = append(r.told, fmt.Sprintf(format, args...))
}
func (r *recorder) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

func renamed(e event.Event, id string) event.Event {
	e.ActionObjectID = id
	return e
}

// A trail that differs from the table is found out, in every way it can.
func TestCheckBites(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, d *testdb.Database) {
		db := d.Open(t)
		for _, statement := range []string{
			"CREATE TABLE things (id integer primary key, n integer, s varchar(20))",
			"INSERT INTO things VALUES (1, 5, 'x'), (2, 6, NULL)",
		} {
			if err := db.Exec(statement).Error; err != nil {
				t.Fatal(err)
			}
		}
		first := changed(event.ActionCreated, `{"new":{"id":1,"n":5,"s":"x"}}`)
		second := changed(event.ActionCreated, `{"new":{"id":2,"n":6,"s":null}}`)
		second.ActionObjectID = "2"
		third := changed(event.ActionCreated, `{"new":{"id":3,"n":7,"s":null}}`)
		third.ActionObjectID = "3"
		for name, c := range map[string]struct {
			events []event.Event
			want   string
		}{
			"the same":          {[]event.Event{first, second}, ""},
			"a missing event":   {[]event.Event{first}, "in the table and not in the trail"},
			"a ghost":           {[]event.Event{first, second, third}, "in the trail and not in the table"},
			"a wrong number":    {[]event.Event{changed(event.ActionCreated, `{"new":{"id":1,"n":50,"s":"x"}}`), second}, "column n"},
			"null for text":     {[]event.Event{changed(event.ActionCreated, `{"new":{"id":1,"n":5,"s":null}}`), second}, "column s"},
			"text for a number": {[]event.Event{changed(event.ActionCreated, `{"new":{"id":1,"n":"5","s":"x"}}`), second}, "column n"},
			"another id":        {[]event.Event{renamed(first, "01"), second}, "is called so"},
			"a missing column":  {[]event.Event{changed(event.ActionCreated, `{"new":{"id":1,"n":5}}`), second}, "columns"},
		} {
			trail := memrepo.New(nil)
			if err := trail.Write(t.Context(), c.events...); err != nil {
				t.Fatal(err)
			}
			var r recorder
			oracle.Check(&r, db, trail, oracle.Table{Object: "Thing", Name: "things", Keys: []string{"id"}})
			if told := strings.Join(r.told, "\n"); (told == "") != (c.want == "") || !strings.Contains(told, c.want) {
				t.Errorf("%s: told %q, want %q", name, told, c.want)
			}
		}
	})
}
