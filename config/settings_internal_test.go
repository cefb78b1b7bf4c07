package config

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/eventaudit/eventaudit"
)

var update = flag.Bool("update", false, "write docs/settings.md anew")

func environ(t *testing.T, entries ...string) (eventaudit.Config, error) {
	t.Helper()
	return fromEnviron(func() []string { return entries })
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	defaults := eventaudit.DefaultConfig
	for _, c := range []struct {
		name    string
		entries []string
		edit    func(*eventaudit.Config)
	}{
		{"nothing", nil, func(*eventaudit.Config) {}},
		{"others and tests", []string{"PATH=/bin", "EVENT_AUDIT_TEST_STRICT=1", "event_audit_x=1"}, func(*eventaudit.Config) {}},
		{"empty is not set", []string{"EVENT_AUDIT_REDACT_FIELDS=", "EVENT_AUDIT_BATCH_SIZE=", "EVENT_AUDIT_TRACK_MODELS="}, func(*eventaudit.Config) {}},
		{"a comma alone is an empty list", []string{"EVENT_AUDIT_IGNORE_MODELS=,"}, func(c *eventaudit.Config) { c.Ignore.Models = []string{} }},
		{"commas and spaces", []string{"EVENT_AUDIT_IGNORE_MODELS=A, B  C,"}, func(c *eventaudit.Config) { c.Ignore.Models = []string{"A", "B", "C"} }},
		{"values with equals signs", []string{"EVENT_AUDIT_REDIS_URL=redis://h/?a=b"}, func(c *eventaudit.Config) { c.Redis.URL = "redis://h/?a=b" }},
		{"track_models", []string{"EVENT_AUDIT_TRACK_MODELS=False"}, func(c *eventaudit.Config) { c.TrackModels = false }},
		{"track_models as a digit", []string{"EVENT_AUDIT_TRACK_MODELS=0"}, func(c *eventaudit.Config) { c.TrackModels = false }},
		{"track.models", []string{"EVENT_AUDIT_TRACK_MODELS=Order T"}, func(c *eventaudit.Config) { c.Track.Models = []string{"Order", "T"} }},
		{"track.models of one letter", []string{"EVENT_AUDIT_TRACK_MODELS=T"}, func(c *eventaudit.Config) { c.Track.Models = []string{"T"} }},
		{"previous state", []string{"EVENT_AUDIT_TRACK_STORE_PREVIOUS_MODEL_STATE=true"}, func(c *eventaudit.Config) { c.Track.StorePreviousModelState = eventaudit.StateFull }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := environ(t, c.entries...)
			if err != nil {
				t.Fatal(err)
			}
			want := defaults()
			c.edit(&want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEnvironmentProblems(t *testing.T) {
	t.Parallel()
	_, err := environ(t,
		"EVENT_AUDIT_REDIS_ULR=redis://:hunter2@h", "EVENT_AUDIT_BATCH_TIMEOUT=5", "EVENT_AUDIT_CLOUDWATCH_SECRET_KEY=hunter2",
		"EVENT_AUDIT_REDIS://:hunter2@h=x", "EVENT_AUDIT_BATCH_SIZE=redis://:hunter2@h")
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{
		`EVENT_AUDIT_REDIS_ULR "***" is not a known setting; did you mean EVENT_AUDIT_REDIS_URL?`,
		`EVENT_AUDIT_REDIS*** "***" is not a known setting`,
		`EVENT_AUDIT_BATCH_TIMEOUT "5" is not a duration`,
		`EVENT_AUDIT_BATCH_SIZE "redis://***@h" is not a whole number`,
		`cloudwatch.secret_key "***" is set without cloudwatch.access_key`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error shows the secret: %v", err)
	}
}

func TestEverySettingIsReachedByOneVariable(t *testing.T) {
	t.Parallel()
	names := map[string][]string{}
	for _, s := range settings() {
		names[s.variable()] = append(names[s.variable()], s.key)
	}
	for name, keys := range names {
		if len(keys) > 1 && name != "EVENT_AUDIT_TRACK_MODELS" {
			t.Errorf("%s stands for %q; decide by the value, as with EVENT_AUDIT_TRACK_MODELS", name, keys)
		}
	}
}

func TestDefaultsSurviveBeingWrittenAndRead(t *testing.T) {
	t.Parallel()
	defaults := eventaudit.DefaultConfig()
	for _, s := range settings() {
		written := s.get(defaults)
		var read eventaudit.Config
		if problem := s.set(&read, written); problem != "" {
			t.Errorf("%s: %q %s", s.key, written, problem)
		}
		if got := s.get(read); got != written {
			t.Errorf("%s: %q became %q", s.key, written, got)
		}
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"event_audit.actve_repo":   "event_audit.active_repo",
		"event_audit.Batch.Size":   "event_audit.batch.size",
		"event_audit.redact.field": "event_audit.redact.fields",
		"event_audit.admin_panel":  "event_audit.enable_admin_panel",
	} {
		if got := nearest(name, fileKeys()); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	t.Parallel()
	for pair, want := range map[[2]string]int{
		{"", ""}: 0, {"a", ""}: 1, {"", "ab"}: 2, {"kitten", "sitting"}: 3, {"flaw", "lawn"}: 2, {"same", "same"}: 0,
	} {
		if got := distance(pair[0], pair[1]); got != want {
			t.Errorf("%q: %d, want %d", pair, got, want)
		}
	}
}

func TestSettingsPageIsUpToDate(t *testing.T) {
	t.Parallel()
	const path = "../docs/settings.md"
	if *update {
		if err := os.WriteFile(path, []byte(page()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(page(), string(got)); diff != "" {
		t.Errorf("run go test ./config -update: %s", diff)
	}
}

// page is docs/settings.md.
func page() string {
	var b strings.Builder
	b.WriteString(`# Settings

Written from the table in package config by ` + "`go test ./config -update`" + `; change it there.

In a YAML file the keys live below ` + "`event_audit`" + `, nested or dotted (` + "`config.Load`" + `). In the
environment they are upper case with underscores (` + "`config.FromEnv`" + `). Lists are YAML lists,
or text with commas or spaces between the names; a comma alone is a list without names. Empty
text counts as not set. A key that is not in this table is an error.

| key | variable | default | meaning |
|---|---|---|---|
`)
	defaults := eventaudit.DefaultConfig()
	for _, s := range settings() {
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s |\n", s.key, s.variable(), defaultText(s, defaults), s.meaning)
	}
	b.WriteString(`
` + "`EVENT_AUDIT_TRACK_MODELS`" + ` stands for two keys: a boolean (` + "`true`, `false`, `1`, `0`" + `) sets
` + "`track_models`" + `, anything else ` + "`track.models`" + `.
`)
	return b.String()
}

func defaultText(s setting, defaults eventaudit.Config) string {
	switch value := s.get(defaults); {
	case s.absent != "":
		return s.absent
	case value == "":
		return "none"
	default:
		return "`" + strings.ReplaceAll(value, " ", "` `") + "`"
	}
}
