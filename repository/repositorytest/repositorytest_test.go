package repositorytest_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
	"github.com/eventaudit/eventaudit/repository/memrepo"
	"github.com/eventaudit/eventaudit/repository/repositorytest"
)

// brokenVariable tells a child process which broken repository to test.
const brokenVariable = "REPOSITORYTEST_BROKEN"

// TestBroken runs the suite against repositories that each break one rule, in
// a child process because there it has to fail.
func TestBroken(t *testing.T) {
	t.Parallel()
	rules := repositorytest.Rules()
	if name := os.Getenv(brokenVariable); name != "" {
		runBroken(t, name)
		return
	}
	for _, m := range mutants() {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			theme, name, _ := strings.Cut(m.caughtBy, "/")
			child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBroken$/^"+theme+"$/^"+name+"$", "-test.timeout=1m")
			child.Env = append(os.Environ(), brokenVariable+"="+m.name)
			output, err := child.CombinedOutput()

			var exit *exec.ExitError
			if !errors.As(err, &exit) {
				t.Fatalf("the suite lets it pass (error %v):\n%s", err, output)
			}
			for _, want := range []string{"--- FAIL: TestBroken/" + m.caughtBy + " ", "the rule: " + rules[m.caughtBy]} {
				if !strings.Contains(string(output), want) {
					t.Errorf("the output lacks %q:\n%s", want, output)
				}
			}
		})
	}
}

func runBroken(t *testing.T, name string) {
	t.Helper()
	all := mutants()
	i := slices.IndexFunc(all, func(m mutant) bool { return m.name == name })
	if i < 0 {
		t.Fatalf("no broken repository is called %q", name)
	}
	repositorytest.Run(t, func(*testing.T) repository.Repository { return all[i].spoil(memrepo.New(nil)) }, all[i].features)
}

// TestEveryCaseBites keeps cases out that no broken repository fails.
func TestEveryCaseBites(t *testing.T) {
	t.Parallel()
	caught := map[string]bool{}
	for _, m := range mutants() {
		caught[m.caughtBy] = true
	}
	for _, name := range repositorytest.CaseNames() {
		if !caught[name] {
			t.Errorf("case %q has no broken repository that it catches", name)
		}
	}
}

// TestFeatures runs the suite against repositories that are allowed what a
// full one is not.
func TestFeatures(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]mutant{
		"no removal": {
			features: repositorytest.Features{NoRemove: true, NoRemoveAll: true},
			spoil:    func(mem *memrepo.Repository) repository.Repository { return twoMethods{mem} },
		},
		"no offset": {
			features: repositorytest.Features{NoOffset: true},
			spoil: func(mem *memrepo.Repository) repository.Repository {
				return &broken{Repository: mem, find: func(ctx context.Context, f event.Filter) events {
					if f.Offset > 0 {
						return repository.Failed(errors.ErrUnsupported)
					}
					return mem.Find(ctx, f)
				}}
			},
		},
		"own sequence": {
			features: repositorytest.Features{OwnSequence: true},
			spoil: func(mem *memrepo.Repository) repository.Repository {
				return storing(func(e *event.Event) { e.Sequence = 0 })(mem)
			},
		},
		"visible later": {
			features: repositorytest.Features{Eventually: untilNil},
			spoil:    func(mem *memrepo.Repository) repository.Repository { return &delayed{Repository: mem} },
		},
		"later contents": {
			features: repositorytest.Features{LaterContents: true, NoRemove: true, NoRemoveAll: true},
			spoil:    keepingBoth(false, 1),
		},
		"removal one by one": {
			spoil: func(mem *memrepo.Repository) repository.Repository { return oneByOne{mem, mem, mem} },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			repositorytest.Run(t, func(*testing.T) repository.Repository { return m.spoil(memrepo.New(nil)) }, m.features)
		})
	}
}

// TestOneFeaturesValue keeps exceptions from being lost in a second value.
func TestOneFeaturesValue(t *testing.T) {
	t.Parallel()
	if os.Getenv(brokenVariable) != "" {
		none := repositorytest.Features{}
		repositorytest.Run(t, func(*testing.T) repository.Repository { return memrepo.New(nil) }, none, none)
		return
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestOneFeaturesValue$")
	child.Env = append(os.Environ(), brokenVariable+"=two features")
	if output, err := child.CombinedOutput(); err == nil || !strings.Contains(string(output), "2 Features given") {
		t.Errorf("error %v, output %s", err, output)
	}
}

// untilNil is an Eventually for a repository in which every look counts.
func untilNil(t testing.TB, check func() error) {
	t.Helper()
	var err error
	for range 10 {
		if err = check(); err == nil {
			return
		}
	}
	t.Fatalf("gave up: %v", err)
}

// TestSampleIsFull keeps the round trip of every field honest when Event gets
// a new one.
func TestSampleIsFull(t *testing.T) {
	t.Parallel()
	sample := reflect.ValueOf(repositorytest.FullEvent())
	for i := range sample.NumField() {
		if sample.Field(i).IsZero() {
			t.Errorf("field %s of the sample event is not set", sample.Type().Field(i).Name)
		}
	}
}
