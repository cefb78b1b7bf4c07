package main

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
	"github.com/eventaudit/eventaudit/repository/repositorytest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	repositorytest.Run(t, func(t *testing.T) repository.Repository {
		return reopen(t, filepath.Join(t.TempDir(), "audit.jsonl"))
	}, repositorytest.Features{NoRemove: true, NoRemoveAll: true})
}

func TestEventsOutliveTheProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	e := deed("anna", event.ActionCreated, "Order", "1")
	for range 2 { // the second time the ID is stored already
		if err := reopen(t, path).Write(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	n, err := repository.Count(t.Context(), reopen(t, path), event.Filter{})
	if err != nil || n != 1 {
		t.Errorf("%d events after reopening (%v), want 1", n, err)
	}
}

func TestBrokenFileIsNamed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	if err := os.WriteFile(path, []byte("{}\nno JSON\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("Open: error %v, want one that names %s", err, path)
	}
}

func TestFailedWriteLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	repo := reopen(t, path)
	if err := repo.Close(); err != nil {
		t.Fatal(err)
	}
	e := deed("anna", event.ActionCreated, "Order", "1")
	if err := repo.Write(t.Context(), e); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Write to a closed file: error %v, want os.ErrClosed", err)
	}
	if _, err := repository.Get(t.Context(), reopen(t, path), e.ID); !errors.Is(err, repository.ErrNotFound) {
		t.Errorf("Get: error %v, want repository.ErrNotFound", err)
	}
}

func TestRun(t *testing.T) {
	t.Setenv("MYCUSTOM_FILE", filepath.Join(t.TempDir(), "audit.jsonl"))
	var out strings.Builder
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	got := regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`).ReplaceAllString(out.String(), "2025-03-01 12:00:00")
	want := `TIME                 ACTOR  ACTION   OBJECT   ID
2025-03-01 12:00:00  anna   deleted  Invoice  77
2025-03-01 12:00:00  anna   created  Order    1
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
}

// reopen opens the file as another process would, until the test ends.
func reopen(t *testing.T, path string) *Repository {
	t.Helper()
	repo, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := repo.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
	})
	return repo
}
