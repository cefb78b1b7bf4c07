// Package outbox carries events from the app's database to a repository that
// is somewhere else, and loses none on the way.
//
// An event is first a row of the outbox table, written in the transaction of
// the change that it is about: it commits with the change or not at all. A
// relay claims committed rows, writes them to the repository, and deletes them
// when the repository has them:
//
//	box, err := outbox.New(db, repo, nil)
//	if err != nil { … }
//	box.Start()
//	defer box.Close(ctx)
//
// Package eventaudit does this for every active repository that is not the
// app's own database. Package migrate creates the tables.
//
// # Guarantees
//
// Every committed event reaches the repository at least once, with the same ID
// each time; repositories pass over an ID that they have. Any number of relays
// may run at once, in any number of processes: a claim keeps them out of each
// other's way, and one that is not kept up (a crash) ends by itself. No clock
// but the database's is asked. A relay sends its batches one after another,
// lowest sequence first.
//
// A repository that cannot be reached is left alone for a while, longer each
// time; its events wait in the outbox for as long as it takes. One that does
// not get done with a batch in time gets smaller ones. An event that the
// repository refuses (see [repository.RejectedError]), or that makes it panic,
// is tried again later and put aside in the dead letter table in the end, where
// Dead, Retry and Discard reach it.
//
// # Limits
//
// MariaDB 10.6, MySQL 8.0, PostgreSQL 12, SQLite 3.35 or newer. With several
// relays, and where an event had to be tried again, the order of arrival is
// not the order of sequence; lists are ordered when they are read.
package outbox

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
)

// The tables that package migrate creates.
const (
	// Table holds the events that the repository does not have yet.
	Table = "event_audit_outbox"
	// DeadLetterTable holds the events that were given up.
	DeadLetterTable = "event_audit_dead_letter"
)

// Options change how an Outbox works. The zero value and nil are fine.
type Options struct {
	// BatchSize is how many events are sent at once. After a batch with which
	// the repository was not done in time they are fewer for a while. Default:
	// 500.
	BatchSize int
	// BatchTimeout is how long the oldest event waits at most for its batch to
	// fill; then the batch goes as it is. Default: one second.
	BatchTimeout time.Duration
	// MaxAttempts is how many times an event may fail, for a reason of its
	// own, before it becomes a dead letter. Default: 10.
	MaxAttempts int
	// PollInterval is how often, give or take a fifth, an idle relay looks for
	// events that nobody woke it for. Default: half of BatchTimeout, but at
	// least 50 milliseconds and at most one second.
	PollInterval time.Duration
	// Logger gets warnings and errors, with the ids of events and never their
	// contents. Default: slog.Default.
	Logger *slog.Logger

	// timing is replaced by tests.
	timing *timing
}

// Outbox is the outbox of one database, on its way to one repository. It is
// safe for concurrent use.
type Outbox struct {
	queue       queue
	destination *destination
	options     Options
	timing      timing
	// size is the relay's alone.
	size size

	// wake says that there may be something to send, hurry that it is not to
	// wait. Both hold one signal for a relay that is busy.
	wake, hurry chan struct{}
	// flushing counts the calls of Flush that are waiting.
	flushing atomic.Int32
	// settled is told whenever a batch has left the outbox.
	settled broadcast

	mutex   sync.Mutex
	running *running
	closed  bool
}

// New returns the outbox of the database that db is connected to, for events
// on their way to the repository. It starts nothing (see Start) and opens
// nothing (see Ready). The error is a *event.FieldError.
//
// GORM itself is passed by: statements go straight to the connection pool of
// db, so that no plugin, callback or dry run of the app has a say in them.
func New(db *gorm.DB, to repository.Repository, opts *Options) (*Outbox, error) {
	if to == nil {
		return nil, &event.FieldError{Field: "repository", Value: "nil", Reason: "is missing; say where the events go"}
	}
	queue, err := newQueue(db)
	if err != nil {
		return nil, err
	}
	options, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Outbox{
		queue:       queue,
		destination: &destination{repository: to, logger: options.Logger},
		options:     options,
		timing:      *options.timing,
		size:        newSize(options.BatchSize),
		wake:        make(chan struct{}, 1),
		hurry:       make(chan struct{}, 1),
	}, nil
}

func (o *Options) withDefaults() (Options, error) {
	var options Options
	if o != nil {
		options = *o
	}
	for _, setting := range []struct {
		field   string
		value   any
		invalid bool
	}{
		{"BatchSize", options.BatchSize, options.BatchSize < 0},
		{"BatchTimeout", options.BatchTimeout, options.BatchTimeout < 0},
		{"MaxAttempts", options.MaxAttempts, options.MaxAttempts < 0},
		{"PollInterval", options.PollInterval, options.PollInterval < 0},
	} {
		if setting.invalid {
			return Options{}, &event.FieldError{Field: setting.field, Value: setting.value, Reason: "is negative; leave it out for the default"}
		}
	}
	if options.BatchSize == 0 {
		options.BatchSize = 500
	}
	if options.BatchTimeout == 0 {
		options.BatchTimeout = time.Second
	}
	if options.MaxAttempts == 0 {
		options.MaxAttempts = 10
	}
	if options.PollInterval == 0 {
		options.PollInterval = min(max(options.BatchTimeout/2, 50*time.Millisecond), time.Second)
	}
	if options.Logger == nil {
		options.Logger = slog.Default()
	}
	if options.timing == nil {
		options.timing = defaultTiming()
	}
	return options, nil
}

// Ready reports whether the tables are there, with the columns that this
// version needs. The error wraps ErrNoTables when they are not.
func (o *Outbox) Ready(ctx context.Context) error {
	for _, table := range []struct {
		name    string
		columns []string
	}{{Table, outboxColumns}, {DeadLetterTable, deadLetterColumns}} {
		missing, err := o.queue.missing(ctx, table.name, table.columns)
		switch {
		case err != nil:
			return fmt.Errorf("outbox: look for table %s: %w", table.name, err)
		case len(missing) > 0:
			return fmt.Errorf("outbox: table %s is not there or lacks %q; %w", table.name, missing, ErrNoTables)
		}
	}
	return nil
}
