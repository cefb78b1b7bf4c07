package eventaudit

import (
	"context"
	"errors"
	"io"
	"reflect"
	"sync"
	"sync/atomic"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/hooks"
	"github.com/eventaudit/eventaudit/outbox"
	"github.com/eventaudit/eventaudit/repository"
	"github.com/eventaudit/eventaudit/repository/sqlrepo"
)

// trail is the inside of an installed Auditor.
type trail struct {
	config Config
	rules  *rules
	// repository is where the events end up and are read from.
	repository repository.Repository
	// inbox is the table in the app's database that events are written to,
	// in the transaction of their change.
	inbox inbox
	// outbox carries them on to the repository; nil when the inbox is the
	// repository itself.
	outbox *outbox.Outbox
	// opened says that the repository is ours to close, and closing closes it
	// once: what a second Close of another's does is not known.
	opened  bool
	closing sync.Once
	// transactions names the transactions that events are part of.
	transactions *hooks.Transactions
	// reader reads rows as events have them.
	reader *hooks.Reader
	// models are those that were met, by object.
	models sync.Map
	// late holds what has to wait for a transaction to end.
	late late
	// lostEvents counts what was given up.
	lostEvents atomic.Int64
}

// inbox takes complete events through a connection or transaction; with none
// it commits them at once.
type inbox interface {
	Insert(ctx context.Context, conn gorm.ConnPool, events []event.Event) error
	// InsertNew takes events whose ids were made for them.
	InsertNew(ctx context.Context, conn gorm.ConnPool, events []event.Event) error
	Ready(ctx context.Context) error
}

// ownTable is the event table in the app's database as an inbox.
type ownTable struct{ *sqlrepo.Repository }

func (t ownTable) Insert(ctx context.Context, conn gorm.ConnPool, events []event.Event) error {
	if conn == nil {
		return t.Write(ctx, events...)
	}
	return t.Repository.Insert(ctx, conn, events)
}

// queue is the outbox as an inbox. It takes any id; the repository behind it
// passes over those that it has.
type queue struct{ *outbox.Outbox }

func (q queue) InsertNew(ctx context.Context, conn gorm.ConnPool, events []event.Event) error {
	return q.Insert(ctx, conn, events)
}

func newTrail(db *gorm.DB, config Config) (*trail, error) {
	rules, err := newRules(config)
	if err != nil {
		return nil, err
	}
	t := &trail{config: config, rules: rules, repository: config.Repository, transactions: &hooks.Transactions{}}
	if t.reader, err = hooks.NewReader(db, config.Redact.Fields); err != nil {
		return nil, err
	}
	if t.repository == nil {
		t.opened = true
		if t.repository, err = repository.Open(db.Statement.Context, config.activeRepo(), repository.Settings{
			Database: db, Redis: config.Redis, CloudWatch: config.CloudWatch,
			Restrict: config.RestrictAvailableRepos, Logger: config.Logger,
		}); err != nil {
			return nil, err
		}
	}
	if own, ok := t.repository.(*sqlrepo.Repository); ok && own.Within(db) {
		t.inbox = ownTable{own}
		return t, nil
	}
	t.outbox, err = outbox.New(db, t.repository, &outbox.Options{
		BatchSize: config.Batch.Size, BatchTimeout: config.Batch.Timeout, Logger: config.Logger,
	})
	if err != nil {
		return nil, errors.Join(err, t.closeRepository())
	}
	t.inbox = queue{t.outbox}
	return t, nil
}

// met remembers a model.
func (t *trail) met(object string, model reflect.Type) { t.models.Store(object, model) }

// start runs the relay, where there is one for this process to run.
func (t *trail) start() {
	if t.outbox != nil && t.config.Relay.Enabled {
		t.outbox.Start()
	}
}

// committed is told that a transaction may have committed events; nil when
// nobody waits for them.
func (t *trail) committed() func() {
	if t.outbox == nil {
		return nil
	}
	return t.outbox.Wake
}

// closeRepository closes the repository if it was opened here and is not
// closed yet.
func (t *trail) closeRepository() (err error) {
	if closer, ok := t.repository.(io.Closer); ok && t.opened {
		t.closing.Do(func() { err = closer.Close() })
	}
	return err
}

// lost reports events that were given up.
func (t *trail) lost(ctx context.Context, err error) {
	var loss *LostError
	if errors.As(err, &loss) {
		t.lostEvents.Add(int64(len(loss.EventIDs)))
		t.config.Logger.ErrorContext(ctx, "audit events lost", "events", len(loss.EventIDs), "event_ids", loss.EventIDs, "error", loss.Err)
	} else {
		t.config.Logger.ErrorContext(ctx, "audit events lost", "error", err)
	}
	if t.config.OnError != nil {
		t.config.OnError(err)
	}
}
