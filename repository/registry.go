package repository

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/eventaudit/eventaudit/event"
)

// Settings are what an Opener may need to know.
type Settings struct {
	// Database is the app's *gorm.DB, for repositories that live in it.
	Database any
	// Redis and CloudWatch are the settings of the same name.
	Redis      RedisSettings
	CloudWatch CloudWatchSettings
	// Restrict names the repositories that may be opened; empty allows all.
	Restrict []string
	// Logger is never nil when eventaudit opens the repository.
	Logger *slog.Logger
}

// RedisSettings say how to reach Redis.
type RedisSettings struct {
	// URL is redis://, rediss://, or a comma list of them for a cluster. It
	// may hold a password and is masked in every message.
	URL string
}

// CloudWatchSettings say how to reach AWS CloudWatch Logs.
type CloudWatchSettings struct {
	// AccessKey and SecretKey are static credentials, both or none. Default:
	// the AWS default credential chain.
	AccessKey, SecretKey string
	// Region defaults to the AWS default.
	Region string
	// LogGroup defaults to "/event-audit".
	LogGroup string
	// LogStream is the prefix of the stream names; each writer has its own
	// stream. It defaults to "event-audit-stream".
	LogStream string
	// Endpoint replaces the AWS endpoint, for private endpoints and tests.
	Endpoint string
}

// Opener opens a repository. It is called once per Auditor.
type Opener func(ctx context.Context, s Settings) (Repository, error)

// Registry knows repositories by name. The zero value is not usable; see
// NewRegistry. It is safe for concurrent use.
type Registry struct {
	mutex   sync.RWMutex
	openers map[string]Opener
}

// NewRegistry returns an empty registry, apart from the default one.
func NewRegistry() *Registry {
	return &Registry{openers: map[string]Opener{}}
}

// Register makes the repository known under the name. It panics when the name
// is empty or taken or open is nil, as database/sql does for drivers.
func (r *Registry) Register(name string, open Opener) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	switch {
	case name == "":
		panic("repository: Register with an empty name")
	case open == nil:
		panic("repository: Register of " + name + " with a nil opener")
	case r.openers[name] != nil:
		panic("repository: Register called twice for " + name)
	}
	r.openers[name] = open
}

// Names returns the registered names, sorted.
func (r *Registry) Names() []string {
	r.mutex.RLock()
	defer r.mutex.RUnlock()
	return slices.Sorted(maps.Keys(r.openers))
}

// Open opens the repository of that name. The error wraps event.ErrInvalid and
// either ErrRestricted or ErrUnknown when the name cannot be opened.
func (r *Registry) Open(ctx context.Context, name string, s Settings) (Repository, error) {
	if err := r.Check(name, s.Restrict); err != nil {
		return nil, err
	}
	r.mutex.RLock()
	open := r.openers[name]
	r.mutex.RUnlock()
	return open(ctx, s)
}

// Check reports whether Open would find the name, without opening anything.
func (r *Registry) Check(name string, restrict []string) error {
	if len(restrict) > 0 && !slices.Contains(restrict, name) {
		return &nameError{
			kind: ErrRestricted,
			FieldError: event.FieldError{
				Field: "active_repo", Value: name,
				Reason: fmt.Sprintf("is not in restrict_available_repos (%s); choose one of these or add it there", strings.Join(restrict, ", ")),
			},
		}
	}
	names := r.Names()
	if !slices.Contains(names, name) {
		return &nameError{
			kind: ErrUnknown,
			FieldError: event.FieldError{
				Field: "active_repo", Value: name,
				Reason: fmt.Sprintf("is not a registered repository (registered: %s); %s", strings.Join(names, ", "), missingImport(name)),
			},
		}
	}
	return nil
}

func missingImport(name string) string {
	if leaf, ok := leaves[name]; ok {
		return fmt.Sprintf("forgotten import? add _ %q", "github.com/eventaudit/eventaudit/repository/"+leaf)
	}
	return "correct the name, or register it with repository.Register before db.Use"
}

// leaves are the packages that register a name of ours on import.
var leaves = map[string]string{
	"basic": "sqlrepo", "postgres": "sqlrepo", "redis": "redisrepo",
	"cloudwatch": "cloudwatchrepo", "memory": "memrepo",
}

// nameError is a *event.FieldError that also says of which kind it is.
type nameError struct {
	event.FieldError
	kind error
}

func (e *nameError) Unwrap() []error { return []error{e.kind, &e.FieldError} }

// Default is the registry that Register, Open and Names use. Leaf packages
// register themselves on it when they are imported.
var Default = NewRegistry()

// Register makes the repository known to the default registry.
func Register(name string, open Opener) { Default.Register(name, open) }

// Open opens a repository of the default registry.
func Open(ctx context.Context, name string, s Settings) (Repository, error) {
	return Default.Open(ctx, name, s)
}

// Names returns the names in the default registry, sorted.
func Names() []string { return Default.Names() }
