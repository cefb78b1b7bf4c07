package eventaudit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/hooks"
	"github.com/eventaudit/eventaudit/repository"
)

// Name is the name of the plugin in gorm.Config.Plugins.
const Name = "eventaudit"

// ErrNotInstalled says that an Auditor was used before db.Use installed it.
var ErrNotInstalled = errors.New("eventaudit: the plugin is not installed; call db.Use first")

// Auditor is an installed audit trail: the GORM plugin, the recorder of custom
// events, and the way to read them back. It is safe for concurrent use.
// Several databases, each with its own Auditor, work side by side.
type Auditor struct {
	config Config

	mutex sync.RWMutex
	trail *trail // nil until db.Use
}

var (
	_ gorm.Plugin          = (*Auditor)(nil)
	_ event.ActionRecorder = (*Auditor)(nil)
)

// Plugin returns an Auditor to be passed to db.Use. The options edit
// DefaultConfig; db.Use says what is wrong with the result.
func Plugin(opts ...Option) *Auditor {
	config := DefaultConfig()
	for _, edit := range opts {
		edit(&config)
	}
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	return &Auditor{config: config}
}

// From returns the Auditor installed on db.
func From(db *gorm.DB) (*Auditor, bool) {
	a, ok := db.Config.Plugins[Name].(*Auditor)
	return a, ok
}

// Name returns the plugin's name; GORM asks for it.
func (a *Auditor) Name() string { return Name }

// Initialize installs the trail on db; db.Use calls it. Everything is checked
// before anything is registered, and all problems are reported at once. The
// error wraps event.ErrInvalid for a wrong setting, repository.ErrUnknown or
// repository.ErrRestricted for a repository that cannot be used, and
// sqlrepo.ErrNoTables or outbox.ErrNoTables when migrate.Up was not called.
func (a *Auditor) Initialize(db *gorm.DB) error {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	t := a.trail
	if t == nil { // dbresolver initializes a plugin again for each of its pools
		var err error
		if t, err = open(db, a.config); err != nil {
			return fmt.Errorf("eventaudit: %w", err)
		}
	}
	err := hooks.Register(db, captured{t}, &hooks.Options{
		Audited:      t.rules.audited,
		State:        hooks.State(a.config.Track.StorePreviousModelState),
		MaxRows:      a.config.Track.MaxRowsPerStatement,
		Redact:       a.config.Redact.Fields,
		Continue:     a.config.OnAuditError == ContinueOnError,
		Lost:         t.lost,
		Committed:    t.committed(),
		Permit:       t.rules.permit,
		Follow:       t.follow,
		Met:          t.met,
		Transactions: t.transactions,
		OnBypass:     t.rules.onBypass(),
		Logger:       a.config.Logger,
	})
	if err != nil {
		return fmt.Errorf("eventaudit: %w", err)
	}
	if a.trail == nil {
		t.start()
	}
	a.trail = t
	return nil
}

// open checks the settings and the database, and joins all that is wrong.
func open(db *gorm.DB, config Config) (*trail, error) {
	problems := []error{config.Validate()}
	name := config.activeRepo()
	if config.Repository == nil {
		problems = append(problems, repository.Default.Check(name, config.RestrictAvailableRepos))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	t, err := newTrail(db, config)
	if err != nil {
		return nil, err
	}
	if err := t.inbox.Ready(db.Statement.Context); err != nil {
		return nil, errors.Join(err, t.closeRepository())
	}
	config.Logger.Info("audit trail installed", "active_repo", name, "on_audit_error", string(config.OnAuditError))
	return t, nil
}

// installed returns the trail, or ErrNotInstalled.
func (a *Auditor) installed() (*trail, error) {
	a.mutex.RLock()
	defer a.mutex.RUnlock()
	if a.trail == nil {
		return nil, ErrNotInstalled
	}
	return a.trail, nil
}

// Repository returns where the events end up, nil before db.Use.
func (a *Auditor) Repository() repository.Repository {
	t, err := a.installed()
	if err != nil {
		return nil
	}
	return t.repository
}

// Flush waits until everything that was committed before the call has reached
// the repository, or was given up as a dead letter. Events in the app's own
// database are there already. When the context ends first, the error is an
// *outbox.PendingError that says how many events are left.
//
// The first Flush also warns of names in track.models that no change has
// matched, which may be misspelt.
func (a *Auditor) Flush(ctx context.Context) error {
	t, err := a.installed()
	if err != nil {
		return err
	}
	t.rules.warnUnseen()
	if err := t.late.wait(ctx); err != nil || t.outbox == nil {
		return errors.Join(err, ctx.Err())
	}
	return t.outbox.Flush(ctx)
}

// Close ends what the Auditor runs in the background. The relay to a
// repository outside of the app's database finishes what is on its way, until
// the context ends; what is left waits in the outbox for the next relay. Call
// Flush first to have it empty. Changes made through GORM later are still
// recorded. Close may be called more than once, and before db.Use.
func (a *Auditor) Close(ctx context.Context) error {
	t, err := a.installed()
	if err != nil {
		return nil // nothing was started
	}
	t.rules.warnUnseen()
	late := t.late.wait(ctx)
	if t.outbox == nil {
		return late
	}
	return errors.Join(late, t.outbox.Close(ctx), t.closeRepository())
}
