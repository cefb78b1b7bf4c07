package eventaudit

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/redact"
)

// Validate reports every setting that cannot work, alone or together with
// another, each as a *event.FieldError, joined. It reaches nothing outside.
func (c Config) Validate() error {
	var problems []error
	broken := func(field string, value any, reason string) {
		problems = append(problems, &event.FieldError{Field: field, Value: value, Reason: reason})
	}
	oneOf(broken, "track.store_previous_model_state", c.Track.StorePreviousModelState, StateOff, StateChanged, StateFull)
	oneOf(broken, "on_audit_error", c.OnAuditError, FailOnError, ContinueOnError)
	oneOf(broken, "on_bypass", c.OnBypass, IgnoreBypass, WarnOnBypass, RecordBypass, RefuseBypass)
	if c.Track.MaxRowsPerStatement < 0 {
		broken("track.max_rows_per_statement", c.Track.MaxRowsPerStatement, "is negative; set how many rows of a statement are recorded one by one, or 0 for all")
	}
	if c.Batch.Size < 1 {
		broken("batch.size", c.Batch.Size, "is not positive; set how many events the relay sends at once (default 500)")
	}
	if c.Batch.Timeout <= 0 {
		broken("batch.timeout", c.Batch.Timeout, "is not positive; set how long an event waits at most (default 1s)")
	}
	if _, err := redact.New(c.Redact.Fields); err != nil {
		problems = append(problems, err)
	}
	for _, list := range []struct {
		field string
		names []string
	}{
		{"restrict_available_repos", c.RestrictAvailableRepos},
		{"ignore.categories", c.Ignore.Categories},
		{"ignore.actions", c.Ignore.Actions},
		{"ignore.models", c.Ignore.Models},
		{"track.models", c.Track.Models},
		{"require_reason", c.RequireReason},
	} {
		for _, name := range list.names {
			if name == "" || strings.TrimSpace(name) != name {
				broken(list.field, name, "is empty or has spaces around it; remove them")
			}
		}
	}
	for _, name := range c.RequireReason {
		if slices.Contains(c.Ignore.Actions, name) || slices.Contains(c.Ignore.Models, name) && !slices.Contains(c.Track.Models, name) {
			broken("require_reason", name, "is ignored by ignore.actions or ignore.models, so that nothing would ask for the reason; remove it from one of the two")
		}
	}
	if !c.TrackModels && len(c.Track.Models) > 0 {
		broken("track.models", strings.Join(c.Track.Models, ", "), "contradicts track_models = false; remove one of the two")
	}
	if (c.CloudWatch.AccessKey == "") != (c.CloudWatch.SecretKey == "") {
		field, other := "cloudwatch.access_key", "cloudwatch.secret_key"
		if c.CloudWatch.SecretKey != "" {
			field, other = other, field
		}
		broken(field, "***", fmt.Sprintf("is set without %s; set both, or none for the AWS default credential chain", other))
	}
	if c.ActiveRepo == "redis" && c.Redis.URL == "" && c.Repository == nil {
		broken("active_repo", "redis", "needs redis.url; set it, for example to redis://localhost:6379")
	}
	return errors.Join(problems...)
}

func oneOf[T ~string](broken func(string, any, string), field string, value T, allowed ...T) {
	if slices.Contains(allowed, value) {
		return
	}
	reason := fmt.Sprintf("is unknown; use one of %q", allowed)
	if value == "" {
		reason = fmt.Sprintf("is empty; start from eventaudit.DefaultConfig(), or use one of %q", allowed)
	}
	broken(field, string(value), reason)
}

// activeRepo is the name of the repository to open, chosen from the settings
// alone.
func (c Config) activeRepo() string {
	switch {
	case c.ActiveRepo != "":
		return c.ActiveRepo
	case c.Redis.URL != "":
		return "redis"
	default:
		return "basic"
	}
}
