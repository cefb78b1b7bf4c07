package export_test

import (
	"errors"
	"io"
	"iter"
	"os"
	"path/filepath"
	"testing"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/export"
)

// ids is a format of an app's own: the IDs, one on each line.
type ids struct{}

func newIDs(export.Options) export.Exporter { return ids{} }

func (ids) Export(w io.Writer, events iter.Seq2[event.Event, error]) error {
	for e, err := range events {
		if err != nil {
			return err
		}
		if _, err := io.WriteString(w, e.ID+"\n"); err != nil {
			return err
		}
	}
	return nil
}

func TestWriteFile(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	name := filepath.Join(folder, "trail.txt")
	for _, events := range [][]event.Event{sample(), sample()[:1]} { // the second one in place of the first
		if err := export.WriteFile(name, ids{}, all(events)); err != nil {
			t.Fatal(err)
		}
		want := ""
		for _, e := range events {
			want += e.ID + "\n"
		}
		contains(t, name, want)
	}
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want one that only the owner may read", info.Mode())
	}
	alone(t, folder, "trail.txt")
}

// What was there stays when an export fails, and nothing else is left.
func TestWriteFileThatFails(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	name := filepath.Join(folder, "trail.txt")
	if err := os.WriteFile(name, []byte("before"), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("the database went away")
	err := export.WriteFile(name, ids{}, func(yield func(event.Event, error) bool) {
		if yield(sample()[0], nil) {
			yield(event.Event{}, broken)
		}
	})
	if !errors.Is(err, broken) {
		t.Errorf("error %v, want that of the events", err)
	}
	contains(t, name, "before")
	alone(t, folder, "trail.txt")
}

func TestWriteFileBehindALink(t *testing.T) {
	t.Parallel()
	folder, elsewhere := t.TempDir(), t.TempDir()
	name, link := filepath.Join(elsewhere, "trail.txt"), filepath.Join(folder, "link.txt")
	if err := errors.Join(os.WriteFile(name, nil, 0o600), os.Symlink(name, link)); err != nil {
		t.Fatal(err)
	}
	if err := export.WriteFile(link, ids{}, all(sample()[1:2])); err != nil {
		t.Fatal(err)
	}
	contains(t, name, "ancestor\n")
	alone(t, folder, "link.txt")
	alone(t, elsewhere, "trail.txt")
}

// A device or a folder is not renamed over.
func TestWriteFileToNoFile(t *testing.T) {
	t.Parallel()
	for _, name := range []string{os.DevNull, t.TempDir()} {
		var problem *event.FieldError
		if err := export.WriteFile(name, ids{}, all(sample())); !errors.As(err, &problem) || problem.Field != "output" {
			t.Errorf("WriteFile to %s: error %v, want a FieldError for output", name, err)
		}
	}
	if err := export.WriteFile(filepath.Join(t.TempDir(), "no", "trail.txt"), ids{}, all(sample())); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("WriteFile into a folder that is not there: error %v", err)
	}
}

func contains(t *testing.T, name, want string) {
	t.Helper()
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s holds %q, want %q", name, got, want)
	}
}

// alone checks that the folder holds that file and no other.
func alone(t *testing.T, folder, name string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0].Name() != name {
		t.Errorf("%s holds %v, want %s alone", folder, entries, name)
	}
}
