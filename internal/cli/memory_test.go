package cli_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/export"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

// allowed is how much more memory than an idle process an export may have
// resident, in MiB.
const allowed = 64

// Memory does not grow with what is exported.
func TestExportsInFlatMemory(t *testing.T) {
	t.Parallel()
	const events, size = 40_000, 4 << 10 // two and a half times what is allowed
	url, db := newDatabase(t, testdb.SQLiteCgo)
	for range events / 1000 {
		chunk := many(1000)
		for i := range chunk {
			chunk[i].Payload = event.JSON(fmt.Sprint(i, strings.Repeat("audit ", size/6)))
		}
		fill(t, db, chunk...)
	}
	exporting := func(more ...string) []string { return append([]string{"--database=" + url, "export"}, more...) }
	_, idle := measured(t, nil, exporting("--id=none")...)
	for _, format := range export.Names() {
		file := filepath.Join(t.TempDir(), "trail."+format)
		_, peak := measured(t, nil, exporting("--output="+file)...)
		if peak-idle > allowed {
			t.Errorf("%s: %.0f MiB more than an idle process, want at most %d", format, peak-idle, allowed)
		}
		if info, err := os.Stat(file); err != nil || format != "xlsx" && info.Size() < events*size {
			t.Errorf("%s: the file is not the whole: %v", format, err)
		}
	}
}

// measured runs the command, and returns how long it took and the most memory
// that it had resident, in MiB: the high-water mark that the system keeps,
// looked at until the process is gone.
func measured(t testing.TB, env []string, args ...string) (took time.Duration, peak float64) {
	t.Helper()
	var errors strings.Builder
	c := exec.CommandContext(t.Context(), binary(t), args...)
	c.Env = append(os.Environ(), env...)
	c.Stdout, c.Stderr = io.Discard, &errors
	begun := time.Now()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case err := <-ended:
			if err != nil || peak == 0 {
				t.Fatalf("%v: peak %.0f MiB, %v: %s", args, peak, err, errors.String())
			}
			return time.Since(begun), peak
		case <-look.C:
			peak = max(peak, highWater(c.Process.Pid))
		}
	}
}

// highWater returns the high-water mark of the process, 0 when it has ended.
func highWater(pid int) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, line, found := strings.Cut(string(status), "VmHWM:")
	var kib int
	if _, err := fmt.Sscanf(line, "%d kB", &kib); !found || err != nil {
		return 0
	}
	return float64(kib) / 1024
}
