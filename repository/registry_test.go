package repository_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
	"github.com/eventaudit/eventaudit/repository/memrepo"
)

func openMemory(context.Context, repository.Settings) (repository.Repository, error) {
	return memrepo.New(nil), nil
}

func TestRegisterPanics(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		register func(*repository.Registry)
		want     string
	}{
		{"empty name", func(r *repository.Registry) { r.Register("", openMemory) }, "empty name"},
		{"nil opener", func(r *repository.Registry) { r.Register("mine", nil) }, "nil opener"},
		{"taken name", func(r *repository.Registry) {
			r.Register("mine", openMemory)
			r.Register("mine", openMemory)
		}, "called twice for mine"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, test.want) {
					t.Errorf("panic %q, want one that says %q", got, test.want)
				}
			}()
			test.register(repository.NewRegistry())
		})
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	registry := repository.NewRegistry()
	broken := errors.New("no connection")
	var got repository.Settings
	registry.Register("good", func(_ context.Context, s repository.Settings) (repository.Repository, error) {
		got = s
		return memrepo.New(nil), nil
	})
	registry.Register("bad", func(context.Context, repository.Settings) (repository.Repository, error) { return nil, broken })

	settings := repository.Settings{
		Redis: repository.RedisSettings{URL: "redis://localhost"}, Restrict: []string{"good", "bad"},
	}
	repo, err := registry.Open(t.Context(), "good", settings)
	if err != nil || repo == nil {
		t.Fatalf("Open = %v, %v", repo, err)
	}
	if diff := cmp.Diff(settings, got); diff != "" {
		t.Errorf("settings that reach the opener (-want +got):\n%s", diff)
	}
	if _, err := registry.Open(t.Context(), "bad", settings); !errors.Is(err, broken) {
		t.Errorf("error %v, want the opener's", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	registry := repository.NewRegistry()
	registry.Register("zebra", openMemory)
	registry.Register("mine", openMemory)
	for _, test := range []struct {
		test, name string
		restrict   []string
		kind       error
		says       []string
	}{
		{"unknown", "mein", nil, repository.ErrUnknown, []string{`active_repo "mein"`, "mine, zebra", "repository.Register"}},
		{"empty", "", nil, repository.ErrUnknown, []string{`active_repo ""`, "mine, zebra"}},
		{"forgotten import", "redis", nil, repository.ErrUnknown, []string{`import? add _ "github.com/eventaudit/eventaudit/repository/redisrepo"`}},
		{"forgotten import of an alias", "postgres", nil, repository.ErrUnknown, []string{"repository/sqlrepo"}},
		{"restricted", "mine", []string{"zebra", "redis"}, repository.ErrRestricted, []string{"restrict_available_repos", "zebra, redis"}},
		{"restricted and unknown", "other", []string{"mine"}, repository.ErrRestricted, []string{"restrict_available_repos"}},
		{"allowed and unknown", "other", []string{"other"}, repository.ErrUnknown, []string{"mine, zebra"}},
	} {
		t.Run(test.test, func(t *testing.T) {
			t.Parallel()
			repo, err := registry.Open(t.Context(), test.name, repository.Settings{Restrict: test.restrict})
			if repo != nil {
				t.Error("a repository comes with the error")
			}
			var broken *event.FieldError
			if !errors.Is(err, test.kind) || !errors.Is(err, event.ErrInvalid) || !errors.As(err, &broken) {
				t.Fatalf("error %v, want a *event.FieldError that wraps %v", err, test.kind)
			}
			if broken.Field != "active_repo" || broken.Value != test.name {
				t.Errorf("the error is about %s %q", broken.Field, broken.Value)
			}
			for _, part := range test.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q lacks %q", err, part)
				}
			}
			if check := registry.Check(test.name, test.restrict); fmt.Sprint(check) != fmt.Sprint(err) {
				t.Errorf("Check says %v, Open %v", check, err)
			}
		})
	}
}

func TestRegistriesAreApart(t *testing.T) {
	t.Parallel()
	one, other := repository.NewRegistry(), repository.NewRegistry()
	one.Register("mine", openMemory)
	other.Register("mine", openMemory)
	other.Register("another", openMemory)
	if diff := cmp.Diff([]string{"mine"}, one.Names()); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"another", "mine"}, other.Names()); diff != "" {
		t.Errorf("names of the other (-want +got):\n%s", diff)
	}
	if slices.Contains(repository.Names(), "mine") {
		t.Error("the default registry knows the name of another")
	}
}

// The default registry is the one that leaves register themselves on.
func TestDefaultRegistry(t *testing.T) {
	t.Parallel()
	name := "registry-test-" + event.NewID() // the default registry outlives the test
	repository.Register(name, openMemory)
	for _, want := range []string{name, "memory"} {
		if !slices.Contains(repository.Names(), want) {
			t.Errorf("names %q lack %q", repository.Names(), want)
		}
		if repo, err := repository.Open(t.Context(), want, repository.Settings{}); err != nil || repo == nil {
			t.Errorf("Open(%q) = %v, %v", want, repo, err)
		}
	}
}

func TestRegistryIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	registry := repository.NewRegistry()
	const goroutines, each = 8, 50
	var group sync.WaitGroup
	for g := range goroutines {
		group.Go(func() {
			for i := range each {
				name := fmt.Sprintf("%d-%d", g, i)
				registry.Register(name, openMemory)
				if _, err := registry.Open(t.Context(), name, repository.Settings{}); err != nil {
					t.Errorf("Open right after Register: %v", err)
				}
				registry.Names()
			}
		})
	}
	group.Wait()
	if n := len(registry.Names()); n != goroutines*each {
		t.Errorf("%d names, want %d", n, goroutines*each)
	}
}
