// Package oracle proves a trail true: it replays the events from an empty
// state and compares the result with the live tables, cell for cell.
package oracle

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
)

// T is what the oracle needs of a test: *testing.T and *rapid.T both have it.
type T interface {
	Helper()
	Errorf(format string, args ...any)
	Fatal(args ...any)
}

// Row is a row as JSON cells by column.
type Row map[string]any

// State is every row that the trail says exists, by object and id.
type State map[string]map[string]Row

// images is the result of a model event.
type images struct {
	Old Row `json:"old"`
	New Row `json:"new"`
}

// Apply replays one event. It is an error when the event does not fit the
// state: its old values must be the ones that the events before it left.
func (s State) Apply(e event.Event) error {
	switch e.Action {
	case event.ActionAttached, event.ActionDetached:
		return nil // the row of the join table has an event of its own
	}
	var r images
	decoder := json.NewDecoder(bytes.NewReader(e.Result))
	decoder.UseNumber()
	if err := decoder.Decode(&r); err != nil {
		return fmt.Errorf("%s: %w", describe(e), err)
	}
	if s[e.ActionObject] == nil {
		s[e.ActionObject] = map[string]Row{}
	}
	rows := s[e.ActionObject]
	live, exists := rows[e.ActionObjectID]
	if e.Action == event.ActionCreated {
		if exists {
			return fmt.Errorf("%s: the row exists already", describe(e))
		}
		rows[e.ActionObjectID] = r.New
		return nil
	}
	if !exists {
		return fmt.Errorf("%s: there is no such row", describe(e))
	}
	for column, old := range r.Old {
		if !Equal(live[column], old) {
			return fmt.Errorf("%s: %s was %v, the event says %v", describe(e), column, live[column], old)
		}
	}
	if e.Action == event.ActionDeleted && len(r.New) == 0 {
		delete(rows, e.ActionObjectID)
		return nil
	}
	if len(r.Old) > 0 && maps.EqualFunc(r.Old, r.New, Equal) {
		return fmt.Errorf("%s: nothing changed", describe(e))
	}
	changed := maps.Clone(live)
	maps.Copy(changed, r.New)
	delete(rows, e.ActionObjectID)
	id := e.ActionObjectID
	if e.TargetID != "" && e.TargetType == e.ActionObject {
		id = e.TargetID
	}
	rows[id] = changed
	return nil
}

func describe(e event.Event) string {
	return fmt.Sprintf("event %d: %s %s %s %s", e.Sequence, e.ActionObject, e.ActionObjectID, e.Action, e.Result)
}

// Replay returns the state after all model events of the repository, in the
// order in which the database numbered them.
func Replay(t T, r repository.Repository) State {
	t.Helper()
	var events []event.Event
	for e, err := range r.Find(context.Background(), event.Filter{Category: event.CategoryModel}) {
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	slices.SortFunc(events, func(a, b event.Event) int { return cmp.Compare(a.Sequence, b.Sequence) })
	state := State{}
	for _, e := range events {
		if err := state.Apply(e); err != nil {
			t.Errorf("the trail contradicts itself: %v", err)
		}
	}
	return state
}

// Table is a live table to compare with.
type Table struct {
	// Object is the ActionObject of its events.
	Object string
	// Name is the table, Keys its key columns.
	Name string
	Keys []string
}

// Check replays the trail and compares it with the tables.
func Check(t T, db *gorm.DB, r repository.Repository, tables ...Table) {
	t.Helper()
	state := Replay(t, r)
	for _, table := range tables {
		trail := map[string]string{} // ids by identity
		for id, row := range state[table.Object] {
			if want := IDOf(row, table.Keys); id != want {
				t.Errorf("%s %s is called so in the trail, and has the key %s", table.Object, id, want)
			}
			trail[Identity(row, table.Keys)] = id
		}
		live := Live(t, db, table)
		for key, row := range live {
			id, ok := trail[key]
			if !ok {
				t.Errorf("%s %s is in the table and not in the trail: %v", table.Object, key, row)
				continue
			}
			replayed := state[table.Object][id]
			for column, value := range row {
				if !Equal(value, replayed[column]) {
					t.Errorf("%s %s: column %s is %#v in the table and %#v in the trail", table.Object, id, column, value, replayed[column])
				}
			}
			if len(row) != len(replayed) {
				t.Errorf("%s %s has %d columns in the table and %d in the trail", table.Object, id, len(row), len(replayed))
			}
		}
		for key, id := range trail {
			if _, ok := live[key]; !ok {
				t.Errorf("%s %s is in the trail and not in the table: %v", table.Object, id, state[table.Object][id])
			}
		}
	}
}

// Live returns the live rows by identity, as the database itself turns them into
// text: a way that shares nothing with the capture.
func Live(t T, db *gorm.DB, table Table) map[string]Row {
	t.Helper()
	columns, err := db.Migrator().ColumnTypes(table.Name)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, column := range columns {
		list = append(list, cellText(db, quoted(db, column.Name()), strings.ToUpper(column.DatabaseTypeName())))
	}
	rows, err := db.Raw("SELECT " + strings.Join(list, ", ") + " FROM " + db.Statement.Quote(table.Name)).Rows()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}()
	found := map[string]Row{}
	for rows.Next() {
		cells := make([]*string, len(columns))
		targets := make([]any, len(columns))
		for i := range cells {
			targets[i] = &cells[i]
		}
		if err := rows.Scan(targets...); err != nil {
			t.Fatal(err)
		}
		row := Row{}
		for i, column := range columns {
			if cells[i] == nil {
				row[column.Name()] = nil
				continue
			}
			row[column.Name()] = Cell(*cells[i])
		}
		found[Identity(row, table.Keys)] = row
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return found
}

// Identity tells rows apart by what their keys mean, however they are written.
func Identity(row Row, keys []string) string {
	list := make([]string, len(keys))
	for i, key := range keys {
		list[i] = meaning(row[key])
	}
	return strings.Join(list, ",")
}

// IDOf is the id that events carry of a row of the trail: the key as text, or
// as a JSON array when it has several columns.
func IDOf(row Row, keys []string) string {
	if len(keys) == 1 {
		if text, ok := row[keys[0]].(string); ok {
			return text
		}
		return string(event.JSON(row[keys[0]]))
	}
	list := make([]any, len(keys))
	for i, key := range keys {
		list[i] = row[key]
	}
	return string(event.JSON(list))
}

// quoted quotes a name that may have dots in it.
func quoted(db *gorm.DB, name string) string {
	quote := "`"
	if db.Name() == "postgres" {
		quote = `"`
	}
	return quote + strings.ReplaceAll(name, quote, quote+quote) + quote
}

// Objects lists the objects of a state, sorted.
func (s State) Objects() []string {
	names := slices.Collect(maps.Keys(s))
	sort.Strings(names)
	return names
}
