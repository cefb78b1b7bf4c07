package config

import (
	"slices"
	"strings"
	"time"

	"github.com/eventaudit/eventaudit"
)

// setting is one key. The table in settings drives reading, suggestions and
// the page about settings.
type setting struct {
	key string
	// absent says what happens without the key, where the default is not the
	// whole answer.
	absent  string
	meaning string
	secret  bool // the value is never shown
	field
}

const variablePrefix = "EVENT_AUDIT_"

// variable is the name in the environment.
func (s setting) variable() string {
	return variablePrefix + strings.ToUpper(strings.ReplaceAll(s.key, ".", "_"))
}

// settings returns all of them, in the order of the documentation.
func settings() []setting {
	type config = eventaudit.Config
	return []setting{
		{
			key: "active_repo", absent: "`redis` when `redis.url` is set, otherwise `basic`",
			meaning: "Where events end up: `basic` is the app's own database; `redis`, `cloudwatch` or any registered name.",
			field:   text(func(c *config) *string { return &c.ActiveRepo }),
		},
		{
			key: "restrict_available_repos", absent: "all",
			meaning: "The repositories that may be active.",
			field:   list(func(c *config) *[]string { return &c.RestrictAvailableRepos }),
		},
		{
			key: "redis.url", secret: true,
			meaning: "`redis://` or `rediss://`, or several with commas between them for a cluster.",
			field:   text(func(c *config) *string { return &c.Redis.URL }),
		},
		{
			key: "cloudwatch.access_key", secret: true, absent: "the AWS default credential chain",
			meaning: "Static credentials; needs the secret key too.",
			field:   text(func(c *config) *string { return &c.CloudWatch.AccessKey }),
		},
		{
			key: "cloudwatch.secret_key", secret: true, absent: "the AWS default credential chain",
			meaning: "Static credentials; needs the access key too.",
			field:   text(func(c *config) *string { return &c.CloudWatch.SecretKey }),
		},
		{
			key: "cloudwatch.region", absent: "the AWS default",
			meaning: "The AWS region.",
			field:   text(func(c *config) *string { return &c.CloudWatch.Region }),
		},
		{
			key: "cloudwatch.log_group", absent: "`/event-audit`",
			meaning: "The log group.",
			field:   text(func(c *config) *string { return &c.CloudWatch.LogGroup }),
		},
		{
			key: "cloudwatch.log_stream", absent: "`event-audit-stream`",
			meaning: "The prefix of the stream names; each writer has its own stream.",
			field:   text(func(c *config) *string { return &c.CloudWatch.LogStream }),
		},
		{
			key: "cloudwatch.endpoint", absent: "the AWS endpoint",
			meaning: "For private endpoints and tests.",
			field:   text(func(c *config) *string { return &c.CloudWatch.Endpoint }),
		},
		{
			key:     "ignore.categories",
			meaning: "Event categories that are not recorded. What is done to the trail itself (`audit`) always is.",
			field:   list(func(c *config) *[]string { return &c.Ignore.Categories }),
		},
		{
			key:     "ignore.actions",
			meaning: "Event actions that are not recorded. A setting replaces the default.",
			field:   list(func(c *config) *[]string { return &c.Ignore.Actions }),
		},
		{
			key:     "ignore.models",
			meaning: "Go type names or table names, with case, that are not recorded. A setting replaces the default.",
			field:   list(func(c *config) *[]string { return &c.Ignore.Models }),
		},
		{
			key: "track.models", absent: "all",
			meaning: "Go type names or table names, with case: only these are recorded, whatever `ignore.models` says.",
			field:   list(func(c *config) *[]string { return &c.Track.Models }),
		},
		{
			key:     "track.store_previous_model_state",
			meaning: "`off` stores the new values of the changed columns, `changed` the old ones too, `full` both whole rows; `true` and `false` mean `full` and `off`.",
			field:   previousState(func(c *config) *eventaudit.PreviousState { return &c.Track.StorePreviousModelState }),
		},
		{
			key: "track.max_rows_per_statement", absent: "`0`, no limit",
			meaning: "A statement that changes more rows than this has one `summarized` event that counts them, instead of an event for each.",
			field:   number(func(c *config) *int { return &c.Track.MaxRowsPerStatement }),
		},
		{
			key:     "track_models",
			meaning: "`false` switches the recording of model changes off.",
			field:   boolean(func(c *config) *bool { return &c.TrackModels }),
		},
		{
			key:     "track_actions",
			meaning: "`false` switches the recording of wrapped function calls off.",
			field:   boolean(func(c *config) *bool { return &c.TrackActions }),
		},
		{
			key: "require_reason", absent: "none",
			meaning: "Models (Go type names or table names, with case) and actions that are refused unless the context gives a reason.",
			field:   list(func(c *config) *[]string { return &c.RequireReason }),
		},
		{
			key:     "store_payload_and_result",
			meaning: "`false` stores neither payload nor result, which takes less space.",
			field:   boolean(func(c *config) *bool { return &c.StorePayloadAndResult }),
		},
		{
			key:     "enable_admin_panel",
			meaning: "Lets the web panel be served.",
			field:   boolean(func(c *config) *bool { return &c.EnableAdminPanel }),
		},
		{
			key:     "on_audit_error",
			meaning: "When an event cannot be written, `fail` makes the business statement fail too; `continue` keeps it, and logs and counts the loss.",
			field:   text(func(c *config) *eventaudit.ErrorPolicy { return &c.OnAuditError }),
		},
		{
			key:     "on_bypass",
			meaning: "Raw SQL that writes to a tracked table: `ignore`, `warn`, `record` or `refuse` it.",
			field:   text(func(c *config) *eventaudit.BypassPolicy { return &c.OnBypass }),
		},
		{
			key:     "batch.size",
			meaning: "How many events the relay sends at once.",
			field:   number(func(c *config) *int { return &c.Batch.Size }),
		},
		{
			key:     "batch.timeout",
			meaning: "How long the oldest event waits at most for the batch to fill.",
			field:   duration(func(c *config) *time.Duration { return &c.Batch.Timeout }),
		},
		{
			key:     "relay.enabled",
			meaning: "Runs the relay in this process; otherwise `eventaudit relay` runs it apart.",
			field:   boolean(func(c *config) *bool { return &c.Relay.Enabled }),
		},
		{
			key:     "redact.fields",
			meaning: "Column names and JSON keys, without case, with `*` for any run of characters, whose values are never stored; `card_number` stands for `CardNumber` and `card-number`, too. A setting replaces the default.",
			field:   list(func(c *config) *[]string { return &c.Redact.Fields }),
		},
	}
}

// lookUp finds the setting with that key.
func lookUp(key string) (setting, bool) {
	all := settings()
	i := slices.IndexFunc(all, func(s setting) bool { return s.key == key })
	if i < 0 {
		return setting{}, false
	}
	return all[i], true
}

// isSection reports whether settings live below the key.
func isSection(key string) bool {
	return slices.ContainsFunc(settings(), func(s setting) bool { return strings.HasPrefix(s.key, key+".") })
}
