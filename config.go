package eventaudit

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
)

// Config is everything that can be set. Start from DefaultConfig: a Config
// that was put together from nothing is refused by db.Use. Package config
// reads one from a file or from the environment, under the keys named here.
type Config struct {
	// ActiveRepo (active_repo) is where events end up: "basic" is the app's
	// own database; any other name must be registered. Default: "redis" when
	// Redis.URL is set, otherwise "basic".
	ActiveRepo string
	// RestrictAvailableRepos (restrict_available_repos) names the
	// repositories that may be active. Default: all of them.
	RestrictAvailableRepos []string
	// Redis (redis.*) says how to reach Redis.
	Redis repository.RedisSettings
	// CloudWatch (cloudwatch.*) says how to reach AWS CloudWatch Logs.
	CloudWatch repository.CloudWatchSettings
	// Ignore (ignore.*) names what is not recorded.
	Ignore Ignore
	// Track (track.*) names what is recorded, and how much of it.
	Track Track
	// TrackModels (track_models) switches the recording of model changes.
	// Default: true.
	TrackModels bool
	// TrackActions (track_actions) switches the recording of wrapped function
	// calls. Default: true.
	TrackActions bool
	// RequireReason (require_reason) names what is refused unless the context
	// gives a reason, see event.WithReason: changes of models (Go type names or
	// table names, with case) and actions. The error wraps
	// event.ErrReasonRequired. RequireReason, the option, adds to it. Default:
	// none.
	RequireReason []string
	// StorePayloadAndResult (store_payload_and_result) stores the payload and
	// the result of every event. False stores neither, which takes less space
	// and leaves who, what and when. Default: true.
	StorePayloadAndResult bool
	// EnableAdminPanel (enable_admin_panel) lets the web panel be served.
	// Default: false.
	EnableAdminPanel bool
	// OnAuditError (on_audit_error) says what happens to the business
	// statement when its event cannot be written. Default: FailOnError.
	OnAuditError ErrorPolicy
	// OnBypass (on_bypass) says what happens to raw SQL that writes to a
	// tracked table. Default: WarnOnBypass.
	OnBypass BypassPolicy
	// Batch (batch.*) rules the relay to a repository outside of the app's
	// database.
	Batch Batch
	// Relay (relay.*) says where that relay runs.
	Relay Relay
	// Redact (redact.*) says which values are never stored.
	Redact Redact

	// Repository, when set, is used instead of the one named by ActiveRepo.
	// WithRepository sets it.
	Repository repository.Repository
	// Logger gets warnings and errors; event ids, never values. Default:
	// slog.Default. WithLogger sets it.
	Logger *slog.Logger
	// Skip is asked for every event that the other rules let through, but for
	// those about the trail itself (category audit); true drops that event and
	// no other. It must be safe for concurrent use.
	// WithSkip sets it.
	Skip func(context.Context, event.Event) bool
	// OnError is told about every event that was not stored under
	// ContinueOnError, and about failures in the background: events of failed
	// actions that could not be stored in time. It must be safe for concurrent
	// use. WithOnError sets it.
	OnError func(error)
}

// Ignore names what is not recorded.
type Ignore struct {
	// Categories (ignore.categories) are event categories. Default: none.
	Categories []string
	// Actions (ignore.actions) are event actions. Default: the ancestor's
	// list of frequent reads, see DefaultConfig.
	Actions []string
	// Models (ignore.models) are Go type names or table names, with case.
	// Default: "Option"; the first time this default silences a model, a
	// warning names it.
	Models []string
}

// Track names what is recorded, and how much of it.
type Track struct {
	// Models (track.models) are Go type names or table names, with case. When
	// it is not empty only these are recorded, whatever Ignore.Models says.
	// Default: all models.
	Models []string
	// StorePreviousModelState (track.store_previous_model_state) says which
	// columns a "changed" event holds. Default: StateChanged.
	StorePreviousModelState PreviousState
	// MaxRowsPerStatement (track.max_rows_per_statement) is how many rows one
	// statement may change and still have an event for each of them. One that
	// changes more has a single event, event.ActionSummarized, that counts
	// them. Default: 0, all rows are recorded.
	MaxRowsPerStatement int
}

// PreviousState says which columns a "changed" event holds.
type PreviousState string

// The previous states. In files and the environment "true" stands for
// StateFull and "false" for StateOff.
const (
	// StateOff stores the new values of the changed columns only.
	StateOff PreviousState = "off"
	// StateChanged stores the changed columns, old and new.
	StateChanged PreviousState = "changed"
	// StateFull stores the whole row, old and new.
	StateFull PreviousState = "full"
)

// ErrorPolicy says what happens to the business statement when its event
// cannot be written.
type ErrorPolicy string

// The error policies.
const (
	// FailOnError makes the business statement fail too and rolls its
	// transaction back: no change without an event.
	FailOnError ErrorPolicy = "fail"
	// ContinueOnError keeps the business statement; the loss is logged,
	// counted and passed to OnError.
	ContinueOnError ErrorPolicy = "continue"
)

// BypassPolicy says what happens to raw SQL that writes to a tracked table.
type BypassPolicy string

// The bypass policies.
const (
	IgnoreBypass BypassPolicy = "ignore"
	WarnOnBypass BypassPolicy = "warn"
	RecordBypass BypassPolicy = "record"
	RefuseBypass BypassPolicy = "refuse"
)

// Batch rules the relay.
type Batch struct {
	// Size (batch.size) is how many events are sent at once. Default: 500.
	Size int
	// Timeout (batch.timeout) is how long the oldest event waits at most for
	// the batch to fill. Default: one second.
	Timeout time.Duration
}

// Relay says where the relay runs.
type Relay struct {
	// Enabled (relay.enabled) runs the relay in this process. Default: true.
	Enabled bool
}

// Redact says which values are never stored. The change of such a value stays
// visible as "[redacted]".
type Redact struct {
	// Fields (redact.fields) are patterns of column names and JSON keys,
	// without case; "*" stands for any run of characters, and card_number for
	// CardNumber and card-number, too. A setting replaces the default, see
	// DefaultConfig. Struct tags of the model add to it: audit:"redact"
	// (stored as "[redacted]"), audit:"-" (not stored at all) and
	// audit:"ignore" (a change of it alone makes no event).
	Fields []string
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{
		Ignore: Ignore{
			Actions: []string{
				"resource_view_list", "editable_config_list", "editable_config_change",
				"get_site_user", "ckanext_pages_list", "user_show", "package_search",
				"package_show", "task_status_update", "task_status_show",
			},
			Models: []string{"Option"},
		},
		Track:                 Track{StorePreviousModelState: StateChanged},
		TrackModels:           true,
		TrackActions:          true,
		StorePayloadAndResult: true,
		OnAuditError:          FailOnError,
		OnBypass:              WarnOnBypass,
		Batch:                 Batch{Size: 500, Timeout: time.Second},
		Relay:                 Relay{Enabled: true},
		Redact: Redact{Fields: []string{
			"password*", "*_password", "passwd", "passphrase", "*secret*",
			"token", "*_token", "api_key", "apikey", "*_api_key",
			"private_key", "*_private_key", "ssn", "*_ssn",
			"credit_card*", "card_number", "cvv", "cvc", "pin", "*_pin",
			"otp", "*_otp",
		}},
	}
}

// Option edits a Config. Options are applied in order to DefaultConfig.
type Option func(*Config)

// WithConfig replaces the whole Config.
func WithConfig(c Config) Option { return func(into *Config) { *into = c } }

// WithRepository sets Config.Repository.
func WithRepository(r repository.Repository) Option {
	return func(c *Config) { c.Repository = r }
}

// RequireReason adds to Config.RequireReason: models by Go type or table name,
// and actions.
func RequireReason(names ...string) Option {
	return func(c *Config) { c.RequireReason = append(slices.Clone(c.RequireReason), names...) }
}

// WithLogger sets Config.Logger.
func WithLogger(l *slog.Logger) Option { return func(c *Config) { c.Logger = l } }

// WithSkip sets Config.Skip.
func WithSkip(skip func(context.Context, event.Event) bool) Option {
	return func(c *Config) { c.Skip = skip }
}

// WithOnError sets Config.OnError.
func WithOnError(report func(error)) Option {
	return func(c *Config) { c.OnError = report }
}
