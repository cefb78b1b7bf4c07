package admin

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/outbox"
	"github.com/eventaudit/eventaudit/repository"
)

// settingsPage is what the trail is set to, and how it does.
type settingsPage struct {
	frame
	Settings []setting
	Models   []eventaudit.ModelRule
	// Repository is what the events end up in, Trouble why it does not answer.
	Repository, Trouble string
	Powers              []string
	Lost                int64
	Outbox              *outboxState
	MayAct              bool
}

// setting is one key.
type setting struct {
	Key, Value string
	Changed    bool
}

// outboxState is what is on its way.
type outboxState struct {
	outbox.Stats
	Trouble, LastError string
	Oldest, Lag        string
	LastSuccess        moment
	Letters            []letter
	// More says that there are others.
	More bool
}

// letter is a dead letter.
type letter struct {
	ID      string
	What    string
	Reason  value
	Tries   int
	First   moment
	Last    moment
	Unknown bool // it could not be read
}

// lettersShown is how many dead letters the page has.
const lettersShown = 50

// settings shows how the trail is set up.
func (h *panel) settings(w http.ResponseWriter, r *http.Request) error {
	repo := h.audit.Repository()
	page := settingsPage{
		frame:    h.frame(r, "settings", "Settings"),
		Settings: settingsOf(h.audit.Config()), Models: h.audit.ModelRules(),
		Repository: fmt.Sprintf("%T", repo), Powers: powers(repo),
		MayAct: may(h.options.AuthorizeOutbox, r) == nil,
	}
	page.Notice = notices[r.URL.Query().Get("done")]
	if err := repository.Ping(r.Context(), repo); err != nil {
		page.Trouble = "It does not answer; the log of the app says why."
		h.logger.ErrorContext(r.Context(), "the repository of the trail does not answer", "error", err)
	}
	stats, err := h.audit.Stats(r.Context())
	if err != nil {
		h.logger.ErrorContext(r.Context(), "the outbox does not answer", "error", err)
	}
	page.Lost = stats.Lost
	if box, ok := h.audit.Outbox(); ok {
		if page.Outbox, err = h.outboxOf(r, box, stats.Stats, err); err != nil {
			return err
		}
	}
	return h.show(w, http.StatusOK, "settings.html", page)
}

// notices are what a redirect to the page says.
var notices = map[string]string{
	"retried":   "The dead letters are in the outbox again.",
	"discarded": "The dead letters were removed.",
	"none":      "There was no such dead letter.",
}

func (h *panel) outboxOf(r *http.Request, box *outbox.Outbox, stats outbox.Stats, failed error) (*outboxState, error) {
	state := &outboxState{Stats: stats, Oldest: stats.OldestPending.String(), Lag: stats.Lag.String()}
	if stats.LastError != nil {
		state.LastError = "The log of the app says why."
	}
	if !stats.LastSuccess.IsZero() {
		state.LastSuccess = h.moment(stats.LastSuccess)
	}
	if failed != nil {
		state.Trouble = "It does not answer; the log of the app says why."
		return state, nil
	}
	for dead, err := range box.Dead(r.Context()) {
		if err != nil {
			return nil, err
		}
		if len(state.Letters) == lettersShown {
			state.More = true
			break
		}
		state.Letters = append(state.Letters, h.letter(dead))
	}
	return state, nil
}

func (h *panel) letter(dead outbox.DeadLetter) letter {
	e := dead.Event
	return letter{
		ID: e.ID, What: strings.TrimSpace(brief(e.Action) + " " + brief(e.ActionObject) + " " + brief(e.ActionObjectID)),
		Reason: shown(dead.Reason), Tries: dead.Attempts, First: h.moment(dead.FirstFailure), Last: h.moment(dead.LastFailure),
		Unknown: e.Category == "",
	}
}

// powers are what the repository can do besides writing and finding.
func powers(r repository.Repository) (can []string) {
	add := func(name string, ok bool) {
		if ok {
			can = append(can, name)
		}
	}
	_, get := r.(repository.Getter)
	_, count := r.(repository.Counter)
	_, remove := r.(repository.FilterRemover)
	_, spread := r.(repository.Histogrammer)
	add("get by id", get)
	add("count", count)
	add("histogram", spread)
	add("remove by filter", remove)
	return can
}

// settingsOf lists the settings by their keys. Config has masked the secrets.
func settingsOf(c eventaudit.Config) []setting {
	byDefault := eventaudit.DefaultConfig()
	byDefault.ActiveRepo = "basic" // where nothing else is set
	defaults := values(byDefault)
	settings := values(c)
	for i := range settings {
		settings[i].Changed = settings[i].Value != defaults[i].Value
	}
	return settings
}

func values(c eventaudit.Config) []setting {
	list := func(words []string) string { return strings.Join(slices.Sorted(slices.Values(words)), ", ") }
	return []setting{
		{Key: "active_repo", Value: c.ActiveRepo},
		{Key: "restrict_available_repos", Value: list(c.RestrictAvailableRepos)},
		{Key: "redis.url", Value: c.Redis.URL},
		{Key: "cloudwatch.access_key", Value: c.CloudWatch.AccessKey},
		{Key: "cloudwatch.secret_key", Value: c.CloudWatch.SecretKey},
		{Key: "cloudwatch.region", Value: c.CloudWatch.Region},
		{Key: "cloudwatch.log_group", Value: c.CloudWatch.LogGroup},
		{Key: "cloudwatch.log_stream", Value: c.CloudWatch.LogStream},
		{Key: "cloudwatch.endpoint", Value: c.CloudWatch.Endpoint},
		{Key: "ignore.categories", Value: list(c.Ignore.Categories)},
		{Key: "ignore.actions", Value: list(c.Ignore.Actions)},
		{Key: "ignore.models", Value: list(c.Ignore.Models)},
		{Key: "track.models", Value: list(c.Track.Models)},
		{Key: "track.store_previous_model_state", Value: string(c.Track.StorePreviousModelState)},
		{Key: "track.max_rows_per_statement", Value: strconv.Itoa(c.Track.MaxRowsPerStatement)},
		{Key: "track_models", Value: strconv.FormatBool(c.TrackModels)},
		{Key: "track_actions", Value: strconv.FormatBool(c.TrackActions)},
		{Key: "require_reason", Value: list(c.RequireReason)},
		{Key: "store_payload_and_result", Value: strconv.FormatBool(c.StorePayloadAndResult)},
		{Key: "enable_admin_panel", Value: strconv.FormatBool(c.EnableAdminPanel)},
		{Key: "on_audit_error", Value: string(c.OnAuditError)},
		{Key: "on_bypass", Value: string(c.OnBypass)},
		{Key: "batch.size", Value: strconv.Itoa(c.Batch.Size)},
		{Key: "batch.timeout", Value: c.Batch.Timeout.String()},
		{Key: "relay.enabled", Value: strconv.FormatBool(c.Relay.Enabled)},
		{Key: "redact.fields", Value: list(c.Redact.Fields)},
	}
}
