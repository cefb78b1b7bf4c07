package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"runtime"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/migrate"
	"github.com/eventaudit/eventaudit/outbox"
	"github.com/eventaudit/eventaudit/repository"
	"github.com/eventaudit/eventaudit/repository/memrepo"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// destination is a repository in memory whose writes a test can meddle with.
type destination struct {
	*memrepo.Repository
	// before is called for each Write; its error is the repository's.
	before func(ctx context.Context, events []event.Event) error

	mutex sync.Mutex
	calls [][]event.Event
}

func newDestination(before func(context.Context, []event.Event) error) *destination {
	return &destination{Repository: memrepo.New(nil), before: before}
}

func (d *destination) Write(ctx context.Context, events ...event.Event) error {
	d.mutex.Lock()
	d.calls = append(d.calls, events)
	d.mutex.Unlock()
	if d.before != nil {
		if err := d.before(ctx, events); err != nil {
			return err
		}
	}
	return d.Repository.Write(ctx, events...)
}

// writes returns the events of each call of Write so far.
func (d *destination) writes() [][]event.Event {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return d.calls
}

// ids returns the IDs of the stored events.
func (d *destination) ids(t testing.TB) map[string]bool {
	t.Helper()
	return idsOf(t, d.Find(t.Context(), event.Filter{}))
}

func idsOf(t testing.TB, events iter.Seq2[event.Event, error]) map[string]bool {
	t.Helper()
	ids := map[string]bool{}
	for e, err := range events {
		if err != nil {
			t.Fatal(err)
		}
		ids[e.ID] = true
	}
	return ids
}

// migrated returns a database with the tables of this version.
func migrated(t testing.TB, d *testdb.Database) *gorm.DB {
	t.Helper()
	db := d.Open(t)
	if err := migrate.Up(db); err != nil {
		t.Fatal(err)
	}
	return db
}

// fast are options under which nothing takes longer than it must.
func fast() *outbox.Options {
	o := &outbox.Options{
		BatchTimeout: time.Millisecond,
		PollInterval: 10 * time.Millisecond,
		Logger:       slog.New(slog.DiscardHandler),
	}
	outbox.Hasten(o)
	return o
}

// open returns an outbox whose relay is not started.
func open(t testing.TB, db *gorm.DB, to repository.Repository, opts *outbox.Options) *outbox.Outbox {
	t.Helper()
	if opts == nil {
		opts = fast()
	}
	box, err := outbox.New(db, to, opts)
	if err != nil {
		t.Fatal(err)
	}
	return box
}

// start returns an outbox whose relay runs until the test ends.
func start(t testing.TB, db *gorm.DB, to repository.Repository, opts *outbox.Options) *outbox.Outbox {
	t.Helper()
	box := open(t, db, to, opts)
	box.Start()
	t.Cleanup(func() { shut(t, box) })
	return box
}

func shut(t testing.TB, box *outbox.Outbox) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := box.Close(ctx); err != nil {
		t.Error(err)
	}
}

func flush(t testing.TB, box *outbox.Outbox) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := box.Flush(ctx); err != nil {
		t.Fatal(err)
	}
}

// some returns n events with the IDs prefix-0, prefix-1, ….
func some(prefix string, n int) []event.Event {
	events := make([]event.Event, n)
	for i := range events {
		events[i] = event.New("custom", "tested")
		events[i].ID = fmt.Sprintf("%s-%d", prefix, i)
	}
	return events
}

func insert(t testing.TB, box *outbox.Outbox, events ...event.Event) {
	t.Helper()
	if err := box.Insert(t.Context(), nil, events); err != nil {
		t.Fatal(err)
	}
}

func stats(t testing.TB, box *outbox.Outbox) outbox.Stats {
	t.Helper()
	s, err := box.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func execute(t testing.TB, db *gorm.DB, text string, args ...any) {
	t.Helper()
	if err := db.Exec(text, args...).Error; err != nil {
		t.Fatal(err)
	}
}

func dead(t testing.TB, box *outbox.Outbox) []outbox.DeadLetter {
	t.Helper()
	var letters []outbox.DeadLetter
	for letter, err := range box.Dead(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		letters = append(letters, letter)
	}
	return letters
}

// expect waits for the value, or fails.
func expect[T any](t testing.TB, from <-chan T, what string) T {
	t.Helper()
	select {
	case value := <-from:
		return value
	case <-time.After(patience):
		t.Fatalf("no %s", what)
		panic("unreachable")
	}
}

// testBox is an outbox with the app that uses it.
type testBox struct {
	*outbox.Outbox
	db *gorm.DB
}

// write inserts n events, each in a transaction; every other one is rolled
// back.
func (b *testBox) write(t *testing.T, prefix string, n int) {
	undo := errors.New("undo")
	for i, e := range some(prefix, n) {
		err := b.db.Transaction(func(tx *gorm.DB) error {
			if i%2 == 1 {
				e.ID = "undone-" + e.ID
			}
			if err := b.Insert(t.Context(), tx.Statement.ConnPool, []event.Event{e}); err != nil {
				return err
			}
			if i%2 == 1 {
				return undo
			}
			return nil
		})
		if err != nil && !errors.Is(err, undo) {
			t.Error(err)
		}
		b.Wake()
	}
}

func waitUntilClosing(t testing.TB, box *outbox.Outbox) {
	t.Helper()
	waitUntil(t, func() bool { return outbox.Closing(box) })
}

func waitUntilFlushing(t testing.TB, box *outbox.Outbox) {
	t.Helper()
	waitUntil(t, func() bool { return outbox.Flushing(box) > 0 })
}

func waitUntil(t testing.TB, done func() bool) {
	t.Helper()
	for begun := time.Now(); !done(); runtime.Gosched() {
		if time.Since(begun) > patience {
			t.Fatal("it does not happen")
		}
	}
}

// hold has every INSERT into the table wait, within its transaction and after
// its rows are there, until release. That waiting is true says that one waits.
// It is for databases on which anybody else can write meanwhile.
func hold(t *testing.T, db *gorm.DB, table string) (waiting func() bool, release func()) {
	t.Helper()
	var lock, unlock, waiters string
	switch db.Name() {
	case "postgres":
		execute(t, db, "CREATE FUNCTION held() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NULL; END $$")
		execute(t, db, "CREATE TRIGGER held AFTER INSERT ON "+table+" FOR EACH STATEMENT EXECUTE FUNCTION held()")
		lock, unlock = "SELECT pg_advisory_lock(1)", "SELECT pg_advisory_unlock(1)"
		waiters = "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database WHERE datname = current_database() AND locktype = 'advisory' AND NOT granted"
	case "mysql":
		execute(t, db, "CREATE TRIGGER held AFTER INSERT ON "+table+" FOR EACH ROW BEGIN DO GET_LOCK(DATABASE(), 60); DO RELEASE_LOCK(DATABASE()); END")
		lock, unlock = "DO GET_LOCK(DATABASE(), 60)", "DO RELEASE_LOCK(DATABASE())"
		waiters = "SELECT count(*) FROM information_schema.processlist WHERE db = DATABASE() AND state = 'User lock'"
	}
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pool.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	say := func(text string) {
		if _, err := conn.ExecContext(context.Background(), text); err != nil {
			t.Error(err)
		}
	}
	say(lock)
	release = sync.OnceFunc(func() {
		say(unlock)
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(release)
	return func() bool {
		var n int
		must(t, db.Raw(waiters).Scan(&n))
		return n > 0
	}, release
}
