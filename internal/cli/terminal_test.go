package cli_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

// TestMain gives the tests a folder for the binary.
func TestMain(m *testing.M) {
	var err error
	if folder, err = os.MkdirTemp("", "eventaudit-cli-"); err != nil {
		panic(err)
	}
	code := m.Run()
	if err := os.RemoveAll(folder); err != nil {
		panic(err)
	}
	os.Exit(code)
}

var folder string

// build builds the binary once.
var build = sync.OnceValues(func() (string, error) {
	path := filepath.Join(folder, "eventaudit")
	out, err := exec.Command("go", "build", "-o", path, "github.com/eventaudit/eventaudit/cmd/eventaudit").CombinedOutput()
	if err != nil {
		return "", errors.New(string(out))
	}
	return path, nil
})

// binary is the command as users have it.
func binary(t testing.TB) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// many returns events that are enough to watch.
func many(n int) []event.Event {
	events := make([]event.Event, n)
	for i := range events {
		events[i] = event.New("model", "created")
		events[i].Payload = event.JSON(strings.Repeat("audit ", 50))
	}
	return events
}

// terminal is a command that runs in a terminal of its own.
type terminal struct {
	*exec.Cmd
	screen io.ReadWriteCloser
	shown  bytes.Buffer
}

func inTerminal(t *testing.T, args ...string) *terminal {
	t.Helper()
	c := &terminal{Cmd: exec.CommandContext(t.Context(), binary(t), args...)}
	screen, err := pty.Start(c.Cmd)
	if err != nil {
		t.Fatal(err)
	}
	c.screen = screen
	t.Cleanup(func() { c.screen.Close() }) //nolint:errcheck,gosec // the end of the test
	return c
}

// until reads what is shown until the text is, or the command has ended.
func (c *terminal) until(t *testing.T, text string) {
	t.Helper()
	some := make([]byte, 4096)
	for !strings.Contains(c.shown.String(), text) {
		n, err := c.screen.Read(some)
		c.shown.Write(some[:n])
		if err != nil {
			t.Fatalf("the command has ended and did not show %q: %s", text, c.shown.String())
		}
	}
}

// ended reads the rest and returns the exit code.
func (c *terminal) ended(t *testing.T) int {
	t.Helper()
	// A terminal whose program has ended answers with an error of its own.
	rest, err := io.ReadAll(c.screen)
	c.shown.Write(rest)
	var broken *os.PathError
	if err != nil && !errors.As(err, &broken) {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := c.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return c.ProcessState.ExitCode()
}

// A terminal shows how far an export is, and ctrl-C ends it cleanly.
func TestTerminal(t *testing.T) {
	t.Parallel()
	url, db := newDatabase(t, testdb.SQLiteCgo)
	for range 20 {
		fill(t, db, many(5000)...)
	}
	file := filepath.Join(t.TempDir(), "trail.csv")
	args := []string{"--database=" + url, "export", "--output=" + file}

	c := inTerminal(t, args...)
	c.until(t, " %, ")
	if _, err := c.screen.Write([]byte{3}); err != nil { // ctrl-C
		t.Fatal(err)
	}
	if code := c.ended(t); code != 1 || !strings.Contains(c.shown.String(), "interrupted") {
		t.Errorf("after ctrl-C: exit code %d, %q", code, c.shown.String())
	}
	if left, err := os.ReadDir(filepath.Dir(file)); err != nil || len(left) > 0 {
		t.Errorf("%v is left (error %v)", left, err)
	}
	ended := stored(t, db, event.Filter{Action: event.ActionExported})
	if len(ended) != 1 || ended[0].Outcome != event.OutcomeFailure {
		t.Errorf("recorded %+v, want one failure", ended)
	}

	c = inTerminal(t, args...)
	c.until(t, "events in ")
	if code := c.ended(t); code != 0 || !strings.Contains(c.shown.String(), "/s, ") || !strings.Contains(c.shown.String(), " left") {
		t.Errorf("exit code %d, %q", code, c.shown.String())
	}
	if info, err := os.Stat(file); err != nil || info.Size() < 100_000*300 {
		t.Errorf("the file: %v (error %v)", info, err)
	}

	quiet := exec.CommandContext(t.Context(), binary(t), args...)
	if out, err := quiet.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("in a pipe it says %q (error %v), want nothing", out, err)
	}
}

// Only a terminal gets colours, and only without NO_COLOR.
func TestColours(t *testing.T) {
	t.Parallel()
	url, db := newDatabase(t, testdb.SQLiteCgo)
	fill(t, db, many(3)...)
	args := []string{"--database=" + url, "events", "list"}
	c := inTerminal(t, args...)
	if code := c.ended(t); code != 0 || !strings.Contains(c.shown.String(), "\x1b[32m") {
		t.Errorf("a terminal: exit code %d, %q", code, c.shown.String())
	}
	if got := done(t, url, "events", "list"); strings.Contains(got, "\x1b") {
		t.Errorf("a pipe gets %q", got)
	}
}

// A disk that is full is named, and nothing is left on it.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	url, db := newDatabase(t, testdb.SQLiteCgo)
	fill(t, db, many(2000)...)
	disk := t.TempDir()
	for _, format := range []string{"csv", "xlsx"} {
		// A disk of 64 KiB in a mount namespace of its own, which anybody may have.
		script := `mount -t tmpfs -o size=64k tmpfs "$1" && "$2" --database="$3" export --output="$1/trail.` + format + `"; code=$?; ls -A "$1"; exit $code`
		namespace := []string{"--mount"}
		if os.Geteuid() != 0 {
			namespace = append(namespace, "--map-root-user")
		}
		c := exec.CommandContext(t.Context(), "unshare", append(namespace, "sh", "-c", script, "sh", disk, binary(t), url)...)
		c.WaitDelay = time.Minute
		out, err := c.CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(string(out), "no space left") || strings.Contains(string(out), ".partial\n") {
			t.Errorf("%s: %v, %s", format, err, out)
		}
	}
}
