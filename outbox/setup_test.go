package outbox_test

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/migrate"
	"github.com/eventaudit/eventaudit/outbox"
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
func open(t testing.TB, db *gorm.DB, to *destination, opts *outbox.Options) *outbox.Outbox {
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
func start(t testing.TB, db *gorm.DB, to *destination, opts *outbox.Options) *outbox.Outbox {
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
