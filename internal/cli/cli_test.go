package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/cli"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/migrate"
	"github.com/eventaudit/eventaudit/repository/sqlrepo"
)

// outcome is what a call of the command came to.
type outcome struct {
	code     int
	out, err string
}

// call runs the command on the database.
func call(t *testing.T, database string, args ...string) outcome {
	t.Helper()
	return callWith(t, "", append([]string{"--database=" + database, "--as=tester"}, args...)...)
}

func callWith(t *testing.T, input string, args ...string) outcome {
	t.Helper()
	var out, errors bytes.Buffer
	code := cli.Run(t.Context(), args, cli.Streams{In: strings.NewReader(input), Out: &out, Err: &errors})
	return outcome{code, out.String(), errors.String()}
}

// done calls the command and fails the test unless it exits with 0.
func done(t *testing.T, database string, args ...string) string {
	t.Helper()
	got := call(t, database, args...)
	if got.code != 0 {
		t.Fatalf("%v exits with %d: %s", args, got.code, got.err)
	}
	return got.out
}

// each runs the test on every database that the command reaches in this build.
// Two versions of SQLite in one process would not see each other's locks.
func each(t *testing.T, test func(t *testing.T, kind testdb.Kind)) {
	t.Helper()
	for _, kind := range []testdb.Kind{testdb.SQLiteCgo, testdb.Postgres, testdb.MariaDB} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			test(t, kind)
		})
	}
}

// newDatabase returns the URL of a database with our tables.
func newDatabase(t testing.TB, kind testdb.Kind) (url string, db *gorm.DB) {
	t.Helper()
	d := testdb.New(t, kind)
	db = d.Open(t)
	if err := migrate.Up(db); err != nil {
		t.Fatal(err)
	}
	return urlOf(t, d), db
}

// urlOf turns the data source name of the tests into what users write.
func urlOf(t testing.TB, d *testdb.Database) string {
	t.Helper()
	switch dsn := d.DSN(); d.Kind() {
	case testdb.Postgres:
		return dsn
	case testdb.MariaDB: // root@tcp(host:port)/name?options
		user, rest, _ := strings.Cut(dsn, "@tcp(")
		host, rest, _ := strings.Cut(rest, ")/")
		name, _, _ := strings.Cut(rest, "?")
		return "mysql://" + user + "@" + host + "/" + name
	default: // file:path?options
		path, _, _ := strings.Cut(strings.TrimPrefix(dsn, "file:"), "?")
		return "sqlite:" + path
	}
}

// fill stores the events.
func fill(t testing.TB, db *gorm.DB, events ...event.Event) {
	t.Helper()
	repo, err := sqlrepo.New(db, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := repo.Write(t.Context(), events...); err != nil {
		t.Fatal(err)
	}
}

// stored returns the events that match, oldest first.
func stored(t *testing.T, db *gorm.DB, f event.Filter) []event.Event {
	t.Helper()
	repo, err := sqlrepo.New(db, nil)
	if err != nil {
		t.Fatal(err)
	}
	var events []event.Event
	for e, err := range repo.Find(t.Context(), f) {
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

// days returns an event at the beginning, in the middle and at the end of each
// day of a week, in UTC.
func days() []event.Event {
	var events []event.Event
	for day := range 7 {
		for _, clock := range []time.Duration{0, 12 * time.Hour, 24*time.Hour - time.Microsecond} {
			at := time.Date(2024, time.January, 1+day, 0, 0, 0, 0, time.UTC).Add(clock)
			events = append(events, event.Event{
				ID: at.Format("02T15"), Category: "model", Action: "changed", Actor: fmt.Sprint("actor-", day%2), ActionObject: "Order",
				ActionObjectID: "17", Timestamp: at, Result: event.JSON(map[string]any{"old": map[string]any{"n": day}, "new": map[string]any{"n": day + 1}}),
			})
		}
	}
	return events
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, kind testdb.Kind) {
		url := urlOf(t, testdb.New(t, kind))
		if got := call(t, url, "events", "list"); got.code != 1 || !strings.Contains(got.err, "migrate up") {
			t.Errorf("without tables: exit code %d, %s", got.code, got.err)
		}
		if got := done(t, url, "migrate", "status"); !strings.Contains(got, "pending") || strings.Contains(got, "applied") {
			t.Errorf("status before: %s", got)
		}
		if got := done(t, url, "migrate", "up"); strings.Contains(got, "pending") {
			t.Errorf("status after up: %s", got)
		}
		done(t, url, "migrate", "down")
		if got := done(t, url, "migrate", "status"); strings.Count(got, "pending") != 1 {
			t.Errorf("status after down: %s", got)
		}
		done(t, url, "migrate", "up")
		done(t, url, "events", "create", "--category=custom", "--action=tested")
		if got := call(t, url, "migrate", "down", "9"); got.code != 1 || !strings.Contains(got.err, "events") {
			t.Errorf("down with events: exit code %d, %s", got.code, got.err)
		}
	})
}

func TestEvents(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, kind testdb.Kind) {
		url, db := newDatabase(t, kind)
		fill(t, db, days()...)
		id := strings.TrimSpace(done(t, url, "events", "create", "--category=custom", "--action=seen", "--actor=\x1b[31mred", "--payload={\"a\": 1}", "--tenant=north"))
		want := stored(t, db, event.Filter{ID: id})
		if len(want) != 1 || want[0].Actor != "\x1b[31mred" || want[0].Tenant != "north" || string(want[0].Payload) != `{"a": 1}` {
			t.Errorf("created %+v", want)
		}
		var shown event.Event
		if err := json.Unmarshal([]byte(done(t, url, "events", "show", id)), &shown); err != nil || shown.ID != id {
			t.Errorf("shown %+v (error %v)", shown, err)
		}
		list := strings.Split(strings.TrimSpace(done(t, url, "events", "list", "--limit=2")), "\n")
		if len(list) != 3 || !strings.Contains(list[1], `\x1b[31mred`) || !strings.Contains(list[2], "n: 6 → 7") {
			t.Errorf("the newest two are %q", list)
		}
		history := done(t, url, "history", "Order", "17", "--json", "--oldest-first", "--limit=0")
		if lines := strings.Count(history, "\n"); lines != len(days()) || !strings.HasPrefix(history, `{"id":"01T00"`) {
			t.Errorf("history has %d lines: %s", lines, history)
		}
		if got := done(t, url, "events", "list", "--actor=actor-1", "--json", "--limit=0"); strings.Count(got, "\n") != 9 {
			t.Errorf("list of an actor: %s", got)
		}
	})
}

func TestEventsThatAreNone(t *testing.T) {
	t.Parallel()
	url, db := newDatabase(t, testdb.SQLiteCgo)
	if got := call(t, url, "events", "show", "nobody"); got.code != 1 || !strings.Contains(got.err, `no event has the id "nobody"`) {
		t.Errorf("show: exit code %d, %s", got.code, got.err)
	}
	for _, flag := range []string{"--payload", "--result"} {
		got := call(t, url, "events", "create", "--category=custom", "--action=x", flag+"=hello")
		if got.code != 2 || !strings.Contains(got.err, flag+` "hello" is not JSON; a text is written as '"hello"'`) {
			t.Errorf("create: exit code %d, %s", got.code, got.err)
		}
	}
	if n := len(stored(t, db, event.Filter{})); n != 0 {
		t.Errorf("%d events are stored", n)
	}
}

// Of an event that is created an empty flag says nothing.
func TestEventsCreateWithEmptyFlags(t *testing.T) {
	t.Parallel()
	url, db := newDatabase(t, testdb.SQLiteCgo)
	done(t, url, "events", "create", "--category=custom", "--action=tested", "--id=", "--actor=", "--tenant=", "--payload=")
	got := stored(t, db, event.Filter{})
	if len(got) != 1 || got[0].Actor != "tester" || got[0].Tenant != "" {
		t.Errorf("created %+v", got)
	}
}

// The database that no flag names is that of DATABASE_URL.
func TestEnvironment(t *testing.T) {
	url, db := newDatabase(t, testdb.SQLiteCgo)
	t.Setenv("DATABASE_URL", url)
	if got := callWith(t, "", "events", "create", "--category=custom", "--action=tested"); got.code != 0 {
		t.Fatal(got.err)
	}
	if n := len(stored(t, db, event.Filter{})); n != 1 {
		t.Errorf("%d events are stored, want 1", n)
	}
	t.Setenv("EVENT_AUDIT_ON_BYPASS", "sometimes")
	if got := callWith(t, "", "events", "list"); got.code != 2 || !strings.Contains(got.err, "on_bypass") {
		t.Errorf("a wrong setting: exit code %d, %s", got.code, got.err)
	}
}

// What is wrong with a call is said, and nothing of a password.
func TestUsage(t *testing.T) {
	t.Parallel()
	url, _ := newDatabase(t, testdb.SQLiteCgo)
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"exprot"}, `unknown command "exprot"`},
		{[]string{"events"}, "needs one of its commands"},
		{[]string{"events", "list", "--colour"}, "unknown flag"},
		{[]string{"events", "list", "--limit=many"}, "limit"},
		{[]string{"events", "list", "--limit=-1"}, "limit"},
		{[]string{"events", "list", "--outcome=good"}, "success"},
		{[]string{"events", "show"}, "arg"},
		{[]string{"migrate", "down", "none"}, "steps"},
		{[]string{"export", "--format=xml"}, "csv, json, jsonl, tsv, xlsx"},
		{[]string{"export", "--output=trail.doc"}, "csv, json, jsonl, tsv, xlsx"},
		{[]string{"export", "--fields=who"}, "action_object_id"},
		{[]string{"export", "--time-format=YYYY"}, "layout"},
		{[]string{"export", "--start-date=2024-02-30"}, "YYYY-MM-DD"},
		{[]string{"export", "--end-date=31.12.2024"}, "YYYY-MM-DD"},
		{[]string{"export", "--start-date=2024-02-02", "--end-date=2024-02-01"}, "swap them"},
		{[]string{"export", "--time-zone=Mars"}, "IANA"},
		{[]string{"clear", "--confirm", "--end-date=2024-13-01"}, "YYYY-MM-DD"},
		{[]string{"clear", "--confirm", "--end-date=0000-12-31"}, "YYYY-MM-DD"},
		{[]string{"clear", "--confirm", "--actor="}, `"--actor" flag: an empty value narrows nothing; leave the flag out`},
		{[]string{"clear", "--confirm", "--actor", ""}, `"--actor"`},
		{[]string{"clear", "--confirm", "--outcome="}, `"--outcome"`},
		{[]string{"clear", "--confirm", "--start-date="}, `"--start-date"`},
		{[]string{"clear", "--confirm", "--end-date="}, `"--end-date"`},
		{[]string{"export", "--tenant="}, `"--tenant"`},
		{[]string{"events", "list", "--actor=olga", "--actor="}, `"--actor"`},
		{[]string{"history", "Order", "17", "--end-date="}, `"--end-date"`},
		{[]string{"history", "", "17"}, "MODEL"},
		{[]string{"history", "Order", ""}, "ID"},
		{[]string{"export", "--output="}, `output "" is missing`},
		{[]string{"events", "create", "--category=custom", "--action=user_show"}, "ignore.actions"},
		{[]string{"outbox", "retry"}, "--all"},
		{[]string{"outbox", "discard"}, "arg"},
		{[]string{"--config=none.yml", "events", "list"}, "none.yml"},
	} {
		if got := call(t, url, c.args...); got.code != 2 || !strings.Contains(got.err, c.says) || got.out != "" {
			t.Errorf("%v: exit code %d, %q; want 2 and %q", c.args, got.code, got.err, c.says)
		}
	}
	for _, database := range []string{
		"", "oracle://user:secret@host/db", "mysql://user:sec%ret@host/db", "mysql:root:secret", "secret",
		"host=localhost user=gorm password=secret dbname=gorm port=9920", "password=secret options=-csearch_path:app", "sqlite:", "sqlite:?mode=memory",
	} {
		got := call(t, database, "events", "list")
		if got.code != 2 || strings.Contains(got.err, "secret") || !strings.Contains(got.err, "database") {
			t.Errorf("database %q: exit code %d, %s", database, got.code, got.err)
		}
	}
	if got := call(t, "postgres://user:secret@127.0.0.1:1/db", "events", "list"); got.code != 1 || strings.Contains(got.err, "secret") {
		t.Errorf("a database that is away: exit code %d, %s", got.code, got.err)
	}
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	url, db := newDatabase(t, testdb.SQLiteCgo)
	fill(t, db, days()...)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	file := filepath.Join(t.TempDir(), "trail.csv")
	var errors bytes.Buffer
	code := cli.Run(ctx, []string{"--database=" + url, "export", "--output=" + file}, cli.Streams{Err: &errors})
	if code != 1 || !strings.Contains(errors.String(), "interrupted") {
		t.Errorf("exit code %d, %s", code, errors.String())
	}
	if left, err := os.ReadDir(filepath.Dir(file)); err != nil || len(left) > 0 {
		t.Errorf("%v is left (error %v)", left, err)
	}
}

func TestHelpAndVersion(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"help"}, "DATABASE_URL"},
		{[]string{"export", "--help"}, "--start-date"},
		{[]string{"completion", "bash"}, "bash completion"},
		{[]string{"version"}, "eventaudit "},
	} {
		if got := callWith(t, "", c.args...); got.code != 0 || !strings.Contains(got.out, c.says) {
			t.Errorf("%v: exit code %d, %q", c.args, got.code, got.out)
		}
	}
}

// A path may have what means something else in the address of a file, and only
// a migration makes one.
func TestFilesOfSQLite(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a#1.db", "a%20b.db", "ä b.db", "plain.db"} {
		folder := t.TempDir()
		path := filepath.Join(folder, name)
		for _, args := range [][]string{{"migrate", "status"}, {"events", "list"}, {"migrate", "down"}} {
			if got := call(t, "sqlite:"+path+"?_journal_mode=WAL", args...); got.code != 1 {
				t.Errorf("%v of a file that is not there: exit code %d, %s", args, got.code, got.err)
			}
		}
		if made, err := os.ReadDir(folder); err != nil || len(made) > 0 {
			t.Errorf("there are %v (%v), want nothing", made, err)
		}
		done(t, "sqlite:"+path, "migrate", "up")
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
		for _, address := range []string{"sqlite:" + path, "sqlite://" + path, "sqlite:" + path + "?_txlock=immediate"} {
			done(t, address, "events", "create", "--category=custom", "--action=seen")
		}
		done(t, "sqlite:file:"+strings.NewReplacer("%", "%25", "#", "%23").Replace(path)+"?mode=rwc", "events", "create", "--category=custom", "--action=seen")
		if n := strings.Count(done(t, "sqlite:"+path, "events", "list"), "seen"); n != 4 {
			t.Errorf("%s has %d events, want 4", name, n)
		}
	}
}
