package eventaudit

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/hooks"
	"github.com/eventaudit/eventaudit/internal/redact"
)

// rules decide what is recorded.
type rules struct {
	config Config
	logger *slog.Logger
	mask   *redact.Matcher
	// byDefault says that ignore.models is the default, not a user's choice.
	byDefault bool

	mutex  sync.Mutex
	warned map[string]bool
	seen   map[string]bool
	// decisions are by object and table.
	decisions map[[2]string]ModelRule
	once      sync.Once
}

func newRules(config Config) (*rules, error) {
	mask, err := redact.New(config.Redact.Fields)
	if err != nil {
		return nil, err
	}
	return &rules{
		config: config, logger: config.Logger, mask: mask,
		byDefault: slices.Equal(config.Ignore.Models, DefaultConfig().Ignore.Models),
		warned:    map[string]bool{}, seen: map[string]bool{}, decisions: map[[2]string]ModelRule{},
	}, nil
}

// ownTables is the prefix of the tables that hold the trail itself.
const ownTables = "event_audit_"

// audited decides about a model, once. Either name of it counts.
func (r *rules) audited(object, table string) bool {
	if strings.HasPrefix(table, ownTables) {
		return false
	}
	audited := r.audits(object, table)
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.seen[object], r.seen[table] = true, true
	r.decisions[[2]string{object, table}] = ModelRule{
		Object: object, Table: table, Audited: audited,
		ByDefault: !audited && r.models() && len(r.config.Track.Models) == 0 && r.byDefault,
	}
	return audited
}

// decided returns the decisions, sorted.
func (r *rules) decided() []ModelRule {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return slices.SortedFunc(maps.Values(r.decisions), func(a, b ModelRule) int {
		return cmp.Or(strings.Compare(a.Object, b.Object), strings.Compare(a.Table, b.Table))
	})
}

func (r *rules) audits(object, table string) bool {
	if !r.models() {
		return false
	}
	named := func(list []string) bool { return slices.Contains(list, object) || slices.Contains(list, table) }
	if len(r.config.Track.Models) > 0 {
		return named(r.config.Track.Models)
	}
	if !named(r.config.Ignore.Models) {
		return true
	}
	if r.byDefault {
		r.warnOnce("ignored "+object, "model is not audited because the default of ignore.models names it; set ignore.models to silence this warning, or to an empty list to audit the model",
			"model", object, "table", table)
	}
	return false
}

// models reports whether any model may be audited.
func (r *rules) models() bool {
	return r.config.TrackModels && !slices.Contains(r.config.Ignore.Categories, event.CategoryModel)
}

// onBypass returns the policy for raw SQL. There is none to bypass where no
// model is audited.
func (r *rules) onBypass() hooks.Bypass {
	if !r.models() {
		return hooks.BypassIgnore
	}
	return hooks.Bypass(r.config.OnBypass)
}

// keeps reports whether an event passes the rules about events. What is done to
// the trail itself always does: nobody empties it without a trace.
func (r *rules) keeps(ctx context.Context, e event.Event) bool {
	if e.Category == event.CategoryAudit {
		return true
	}
	return r.tracks(e.Category, e.Action) && (r.config.Skip == nil || !r.config.Skip(ctx, e))
}

// tracks reports whether events of the category and action may be recorded.
func (r *rules) tracks(category, action string) bool {
	switch {
	case category == event.CategoryModel && !r.config.TrackModels,
		category == event.CategoryAction && !r.config.TrackActions,
		slices.Contains(r.config.Ignore.Categories, category),
		slices.Contains(r.config.Ignore.Actions, action):
		return false
	}
	return true
}

// warnUnseen names, once, the entries of track.models and require_reason that
// nothing matched.
func (r *rules) warnUnseen() {
	r.once.Do(func() {
		for _, name := range r.config.Track.Models {
			if !r.saw(name) {
				r.logger.Warn("no change of this model was seen; if the name in track.models is misspelt, its changes are not audited (names are Go types or tables, with case)",
					"track.models", name)
			}
		}
		for _, name := range r.config.RequireReason {
			if !r.saw(name) {
				r.logger.Warn("nothing of this name was seen; if the name in require_reason is misspelt, no reason is required (names are Go types, tables or actions, with case)",
					"require_reason", name)
			}
		}
	})
}

func (r *rules) saw(name string) bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.seen[name]
}

func (r *rules) warnOnce(key, message string, args ...any) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if !r.warned[key] {
		r.warned[key] = true
		r.logger.Warn(message, args...)
	}
}
