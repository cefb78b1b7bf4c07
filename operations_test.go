package eventaudit_test

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/oracle"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

var update = flag.Bool("update", false, "write the tables of docs/capture.md")

// capture is a row of docs/capture.md put to the test, on every database.
type capture struct {
	// name is the row's first cell, how its last one.
	name, how string
	// models have their tables made before the plugin is installed.
	models []any
	// given makes what the operation finds, with the plugin installed.
	given func(t *testing.T, d *testdb.Database, db *gorm.DB)
	// do is the operation.
	do func(db *gorm.DB) error
	// want is the events of the operation, each as action, object and id; one
	// whose key moved as "id -> new id". What follows in braces is the result.
	want []string
	// differs has the databases with other events.
	differs map[testdb.Kind][]string
	// on is the databases that know the operation; nil is every one.
	on []testdb.Kind
	// returning says that it takes a database that has RETURNING, which MySQL
	// is not.
	returning bool
	// tables are compared with the trail, besides the tables of the models.
	tables []oracle.Table
}

// wants returns the events on that database.
func (c capture) wants(kind testdb.Kind) []string {
	if want, ok := c.differs[kind]; ok {
		return want
	}
	return c.want
}

// captures are the rows of the page by their headline, in its order.
var captures = []struct {
	headline string
	rows     []capture
}{
	{"Creating", creating},
	{"Inserting or updating", upserting},
	{"Updating", updating},
	{"Deleting", deleting},
	{"Tables, names and values", naming},
}

func TestCapture(t *testing.T) {
	t.Parallel()
	for _, group := range captures {
		for _, row := range group.rows {
			t.Run(row.name, func(t *testing.T) {
				t.Parallel()
				testdb.Each(t, func(t *testing.T, d *testdb.Database) {
					if row.isOn(d.Kind()) {
						row.run(t, d, prepare(t, d))
					}
				})
			})
		}
	}
}

// MariaDB that must not use RETURNING is as MySQL is.
func TestCaptureWithoutReturning(t *testing.T) {
	t.Parallel()
	for _, group := range captures {
		for _, row := range group.rows {
			if row.returning || !row.isOn(testdb.MariaDB) {
				continue
			}
			t.Run(row.name, func(t *testing.T) {
				t.Parallel()
				d := testdb.New(t, testdb.MariaDB)
				row.run(t, d, withoutReturning(t, d))
			})
		}
	}
}

func (c capture) isOn(kind testdb.Kind) bool { return c.on == nil || slices.Contains(c.on, kind) }

func (c capture) run(t *testing.T, d *testdb.Database, db *gorm.DB) {
	t.Helper()
	if err := db.AutoMigrate(c.models...); err != nil {
		t.Fatal(err)
	}
	db, audit := use(t, db)
	if c.given != nil {
		c.given(t, d, db)
	}
	given := trail(t, audit, event.Filter{})
	if err := c.do(db); err != nil {
		t.Fatal(err)
	}
	compare(t, c.wants(d.Kind()), trail(t, audit, event.Filter{})[len(given):])
	oracle.Check(t, db, audit.Repository(), append(c.tables, modelTables...)...)
}

// compare checks the events. Those of one statement have no order that a
// database promises; the oracle holds the order of those that depend on each
// other.
func compare(t *testing.T, want []string, events []event.Event) {
	t.Helper()
	want = slices.Sorted(slices.Values(want))
	detailed := map[string]bool{}
	for _, line := range want {
		if name, _, found := strings.Cut(line, " {"); found {
			detailed[name] = true
		}
	}
	var got []string
	for _, e := range events {
		line := e.Action + " " + e.ActionObject + " " + e.ActionObjectID
		if e.TargetID != "" {
			line += " -> " + e.TargetID
		}
		if detailed[line] {
			line += " " + string(e.Result)
		}
		if e.BeforeUnknown {
			line += " before_unknown"
		}
		got = append(got, line)
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events: %s", diff)
	}
}

// The page has a row for every test, with the events that the test saw.
func TestCaptureIsDocumented(t *testing.T) {
	t.Parallel()
	const file, begin, end = "docs/capture.md", "<!-- tables: begin -->\n", "<!-- tables: end -->\n"
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, found := strings.Cut(string(page), begin)
	tables, tail, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no %s and %s", file, begin, end)
	}
	want := captureTables()
	if *update {
		if err := os.WriteFile(file, []byte(head+begin+want+end+tail), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, tables); diff != "" {
		t.Errorf("%s differs from the tests; run go test -run TestCaptureIsDocumented -update .\n%s", file, diff)
	}
}

// captureTables renders the rows as the page has them.
func captureTables() string {
	var page strings.Builder
	for _, group := range captures {
		tableOf(&page, group.headline, "operation")
		for _, row := range group.rows {
			cells := []string{tally(row.want)}
			for _, kind := range testdb.Kinds() {
				if want, ok := row.differs[kind]; ok {
					cells = append(cells, databaseNames[kind]+": "+tally(want))
				}
			}
			how := row.how
			if row.on != nil {
				how += " (" + namesOf(row.on) + ")"
			}
			if row.returning {
				how += " (not on MySQL)"
			}
			fmt.Fprintf(&page, "| %s | %s | %s |\n", row.name, strings.Join(cells, "; "), how)
		}
	}
	tableOf(&page, "Transaction shapes", "shape")
	for _, row := range captureShapes {
		cells := tally(row.want)
		if row.onPostgres != nil {
			cells += "; PostgreSQL: " + tally(*row.onPostgres)
		}
		fmt.Fprintf(&page, "| %s | %s | %s |\n", row.name, cells, row.how)
	}
	return page.String() + "\n"
}

func tableOf(page *strings.Builder, headline, first string) {
	fmt.Fprintf(page, "\n## %s\n\n| %s | events | how the values are had |\n|---|---|---|\n", headline, first)
}

var databaseNames = map[testdb.Kind]string{testdb.Postgres: "PostgreSQL", testdb.MariaDB: "MariaDB", testdb.SQLitePure: "SQLite"}

func namesOf(kinds []testdb.Kind) string {
	var names []string
	for _, kind := range kinds {
		if name := databaseNames[kind]; name != "" {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ") + " only"
}

// tally counts the events by action, in their order.
func tally(events []string) string {
	var actions []string
	counts := map[string]int{}
	for _, line := range events {
		action, _, _ := strings.Cut(line, " ")
		if counts[action]++; counts[action] == 1 {
			actions = append(actions, action)
		}
	}
	if len(actions) == 0 {
		return "none"
	}
	for i, action := range actions {
		actions[i] = fmt.Sprintf("%d `%s`", counts[action], action)
	}
	return strings.Join(actions, ", ")
}

// have creates rows, each a struct or a slice of them, through GORM.
func have(rows ...any) func(*testing.T, *testdb.Database, *gorm.DB) {
	return func(t *testing.T, _ *testdb.Database, db *gorm.DB) {
		t.Helper()
		for _, row := range rows {
			must(t, db.Create(copyOf(row)))
		}
	}
}

// copyOf returns a pointer to a copy of the struct or slice: GORM writes to what
// it creates, and the databases share the rows of a test.
func copyOf(row any) any {
	given := reflect.ValueOf(row).Elem()
	own := reflect.New(given.Type())
	if given.Kind() == reflect.Slice {
		own.Elem().Set(reflect.AppendSlice(own.Elem(), given))
	} else {
		own.Elem().Set(given)
	}
	return own.Interface()
}
