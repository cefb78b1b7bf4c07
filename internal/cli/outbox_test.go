package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/internal/testredis"
)

// status is what `outbox status --json` prints.
type status struct {
	Pending, Dead int
	DeadLetters   []struct{ ID, Reason string } `json:"dead_letters"`
}

func statusOf(t *testing.T, flags ...string) (s status) {
	t.Helper()
	got := callWith(t, "", append(flags, "outbox", "status", "--json")...)
	if err := json.Unmarshal([]byte(got.out), &s); err != nil || got.code != 0 {
		t.Fatalf("status: exit code %d, %s, error %v", got.code, got.err, err)
	}
	return s
}

// The trail is in Redis, and the outbox on the way there.
func TestRelayAndDeadLetters(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t, "--proto-max-bulk-len", "1mb")
	url, db := newDatabase(t, testdb.Postgres)
	settings := filepath.Join(t.TempDir(), "settings.yml")
	if err := os.WriteFile(settings, []byte("event_audit:\n  redis.url: redis://"+server.Addr+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	flags := []string{"--database=" + url, "--config=" + settings, "--as=tester"}
	run := func(code int, args ...string) outcome {
		t.Helper()
		got := callWith(t, "", append(append([]string{}, flags...), args...)...)
		if got.code != code {
			t.Fatalf("%v: exit code %d, want %d: %s", args, got.code, code, got.err)
		}
		return got
	}
	small := strings.TrimSpace(run(0, "events", "create", "--category=custom", "--action=small").out)
	payload := "--payload=\"" + strings.Repeat("a", 2<<20) + `"`
	large := strings.TrimSpace(run(0, "events", "create", "--category=custom", "--action=large", payload).out)
	other := strings.TrimSpace(run(0, "events", "create", "--category=custom", "--action=other", payload).out)
	if s := statusOf(t, flags...); s.Pending != 3 || s.Dead != 0 {
		t.Errorf("before the relay: %+v", s)
	}
	// Nine refusals ago, so that the next one is the last.
	if err := db.Exec("UPDATE event_audit_outbox SET attempts = 9 WHERE event_id IN (?, ?)", large, other).Error; err != nil {
		t.Fatal(err)
	}
	run(0, "relay", "--once")
	if got := run(0, "events", "list"); !strings.Contains(got.out, "small") || strings.Contains(got.out, "large") {
		t.Errorf("the trail has %s (%s is small)", got.out, small)
	}
	s := statusOf(t, flags...)
	if s.Pending != 0 || s.Dead != 2 || s.DeadLetters[0].ID != large || !strings.Contains(s.DeadLetters[0].Reason, "proto-max-bulk-len") {
		t.Fatalf("after the relay: %+v", s)
	}
	if got := run(0, "outbox", "status"); !strings.Contains(got.out, large) {
		t.Errorf("status: %s", got.out)
	}
	for _, args := range [][]string{{"retry", "nobody", large}, {"retry", "nobody"}, {"discard", large, "nobody", other}, {"discard", small, "nobody"}} {
		if got := run(1, append([]string{"outbox"}, args...)...); !strings.Contains(got.err, `"nobody"`) || strings.Contains(got.err, large) {
			t.Errorf("%v: %s", args, got.err)
		}
	}
	if s := statusOf(t, flags...); s.Pending != 0 || s.Dead != 2 {
		t.Errorf("after ids that are none: %+v", s)
	}
	server.Do(t, "CONFIG", "SET", "proto-max-bulk-len", "512mb")
	run(0, "outbox", "retry", large)
	run(0, "relay", "--once")
	if got := run(0, "events", "show", large); !strings.Contains(got.out, "large") {
		t.Errorf("shown %s", got.out[:100])
	}
	run(0, "outbox", "discard", other)
	run(0, "outbox", "retry", "--all") // none
	run(0, "relay", "--once")
	if got := run(0, "events", "list", "--category="+event.CategoryAudit); !strings.Contains(got.out, event.ActionDiscarded) {
		t.Errorf("discarding is not recorded: %s", got.out)
	}
}
