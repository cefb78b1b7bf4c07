package config_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/config"
	"github.com/eventaudit/eventaudit/event"
)

func load(t *testing.T, content string) (eventaudit.Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "app.yml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return config.Load(path)
}

func TestLoadReadsEverySetting(t *testing.T) {
	t.Parallel()
	got, err := load(t, `
event_audit:
  active_repo: redis
  restrict_available_repos: [redis, basic]
  redis:
    url: redis://:secret@localhost:6379/1
  cloudwatch:
    access_key: AKIA
    secret_key: hidden
    region: eu-north-1
    log_group: /group
    log_stream: stream
    endpoint: http://localhost:4566
  ignore:
    categories: [api]
    actions: created, changed  deleted
    models: []
  track:
    models: [Order, "order lines"]
    store_previous_model_state: full
  track_models: true
  track_actions: false
  store_payload_and_result: "false"
  enable_admin_panel: TRUE
  on_audit_error: continue
  on_bypass: refuse
  batch: {size: 7, timeout: 250ms}
  relay.enabled: false
event_audit.redact.fields: [pin]
the_rest_of_the_app:
  redis: {ulr: ignored}
`)
	if err != nil {
		t.Fatal(err)
	}
	want := eventaudit.DefaultConfig()
	want.ActiveRepo = "redis"
	want.RestrictAvailableRepos = []string{"redis", "basic"}
	want.Redis.URL = "redis://:secret@localhost:6379/1"
	want.CloudWatch.AccessKey, want.CloudWatch.SecretKey = "AKIA", "hidden"
	want.CloudWatch.Region, want.CloudWatch.Endpoint = "eu-north-1", "http://localhost:4566"
	want.CloudWatch.LogGroup, want.CloudWatch.LogStream = "/group", "stream"
	want.Ignore = eventaudit.Ignore{
		Categories: []string{"api"}, Actions: []string{"created", "changed", "deleted"}, Models: []string{},
	}
	want.Track = eventaudit.Track{Models: []string{"Order", "order lines"}, StorePreviousModelState: eventaudit.StateFull}
	want.TrackActions, want.StorePayloadAndResult, want.EnableAdminPanel = false, false, true
	want.OnAuditError, want.OnBypass = eventaudit.ContinueOnError, eventaudit.RefuseBypass
	want.Batch = eventaudit.Batch{Size: 7, Timeout: 250 * time.Millisecond}
	want.Relay.Enabled = false
	want.Redact.Fields = []string{"pin"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestNothingSetGivesTheDefaults(t *testing.T) {
	t.Parallel()
	for _, content := range []string{"", "---\n", "other: 1", "event_audit:", "event_audit: {}", "event_audit: {redis: , active_repo: }", `event_audit: {redact.fields: "", batch: ""}`} {
		got, err := load(t, content)
		if err != nil {
			t.Errorf("%q: %v", content, err)
		}
		if diff := cmp.Diff(eventaudit.DefaultConfig(), got); diff != "" {
			t.Errorf("%q: %s", content, diff)
		}
	}
}

func TestPreviousStateTakesBooleans(t *testing.T) {
	t.Parallel()
	for written, want := range map[string]eventaudit.PreviousState{
		"true": eventaudit.StateFull, "false": eventaudit.StateOff, `"True"`: eventaudit.StateFull,
		"off": eventaudit.StateOff, "changed": eventaudit.StateChanged, "full": eventaudit.StateFull,
	} {
		got, err := load(t, "event_audit.track.store_previous_model_state: "+written)
		if err != nil || got.Track.StorePreviousModelState != want {
			t.Errorf("%s: %q, %v; want %q", written, got.Track.StorePreviousModelState, err, want)
		}
	}
}

func TestEveryProblemIsReportedAtOnce(t *testing.T) {
	t.Parallel()
	_, err := load(t, `
event_audit:
  batch: {size: many, timeout: "5", sise: 3}
  relay: true
  on_bypass: shout
  redis: {url: [a]}
  track_actions: maybe
  ignore.models: 5
  ignore: {actions: [1], models: [Twice]}
  active_repo: 12
event_audit.nonsense: {deep: 1}
`)
	if !errors.Is(err, event.ErrInvalid) {
		t.Errorf("error %v does not wrap event.ErrInvalid", err)
	}
	for _, want := range []string{
		`event_audit.batch.size "many" is not a whole number`,
		`event_audit.batch.timeout "5" is not a duration; write a number with its unit, for example 500ms or 1s`,
		`event_audit.batch.sise "***" is not a known setting; did you mean event_audit.batch.size?`,
		`event_audit.relay "***" is a section`,
		`on_bypass "shout" is unknown`,
		`event_audit.redis.url "***" is not text`,
		`event_audit.track_actions "maybe" is not a boolean`,
		`event_audit.ignore.actions "[1]" has an element that is not text`,
		`event_audit.ignore.models "***" is set twice`,
		`event_audit.active_repo "12" is not text`,
		`event_audit.nonsense "***" is not a known setting`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in\n%v", want, err)
		}
	}
	var field *event.FieldError
	if !errors.As(err, &field) {
		t.Errorf("no *event.FieldError in %v", err)
	}
}

func TestFileThatCannotBeReadIsNamed(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing.yml")
	if _, err := config.Load(missing); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), missing) {
		t.Errorf("error = %v", err)
	}
	for content, want := range map[string]string{
		"event_audit: [":      "app.yml cannot be read as YAML near line 1",
		"just text":           "app.yml",
		"event_audit: [1, 2]": "event_audit \"***\" is a section",
	} {
		if _, err := load(t, content); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error = %v; want %q in it", content, err, want)
		}
	}
}

func TestSecretsAreNeverShown(t *testing.T) {
	t.Parallel()
	const secret = "hunter2"
	for _, content := range []string{
		"event_audit.redis.url: redis://:hunter2@h\nevent_audit.active_repo: 1",
		"event_audit.redis.url: {hunter2: 1}",
		"event_audit.redis.url: [hunter2]",
		"event_audit.redis.url: *hunter2",
		"event_audit.redis.url: !hunter2 x\nevent_audit.x: 1",
		"event_audit.redis.url: 'hunter2",
		"event_audit.redis.url: a: hunter2",
		"event_audit.redis.ulr: redis://:hunter2@h",
		"event_audit.redis.ulr: {hunter2: 1}",
		"event_audit: {redis: {'redis://:hunter2@h'}}",
		"event_audit: {redis: 'redis://:hunter2@h'}",
		"event_audit: 'redis://:hunter2@h'",
		"event_audit.active_repo: [redis://:hunter2@h]",
		"event_audit.batch.size: redis://me:hunter2@h",
		"event_audit.cloudwatch.secret_key: hunter2",
		"event_audit.cloudwatch.access_key: hunter2",
		"event_audit.cloudwatch: {secret_key: {hunter2: hunter2}, access_key: [hunter2]}",
		"hunter2",
		"- hunter2",
	} {
		_, err := load(t, content)
		if err == nil {
			t.Errorf("%q was accepted", content)
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("%q: the error shows the secret: %v", content, err)
		}
	}
}

func TestFromEnvReadsTheEnvironment(t *testing.T) {
	t.Setenv("EVENT_AUDIT_BATCH_SIZE", "3")
	t.Setenv("EVENT_AUDIT_TEST_ANYTHING", "is for tests")
	got, err := config.FromEnv()
	if err != nil {
		t.Fatal(err)
	}
	want := eventaudit.DefaultConfig()
	want.Batch.Size = 3
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// FuzzLoad puts the secret into a value of any shape; it must be accepted or
// refused without a word of it.
func FuzzLoad(f *testing.F) {
	for _, around := range [][2]string{
		{"redis://:", "@localhost"}, {"{", "}"}, {"[", ""}, {"'", ""}, {"&", " x"}, {"!", " x"}, {"*", ""}, {"{a: ", "}"}, {"\"\\x", "\""},
	} {
		f.Add(around[0], around[1])
	}
	path := filepath.Join(f.TempDir(), "app.yml")
	f.Fuzz(func(t *testing.T, before, after string) {
		if strings.ContainsAny(before+after, "\n\r\u0085\u2028\u2029") {
			return // the secret might become a key, or the value of another one
		}
		content := "event_audit:\n  batch: {size: wrong}\n  redis:\n    url: " + before + "hunter2" + after + "\n"
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := config.Load(path); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", content, err)
		}
	})
}

// FuzzLoadAnything looks for panics.
func FuzzLoadAnything(f *testing.F) {
	for _, content := range []string{
		"event_audit: {batch: {size: 1}}", "event_audit.redis: {1: {2: 3}, [a]: b}", "? {a: b}\n: 2024-01-01",
		"a: &a [*a]", "<<: {event_audit: {x: .nan}}", "event_audit: !!binary YQ==", "event_audit: {~: 1, true: 2}",
	} {
		f.Add(content)
	}
	path := filepath.Join(f.TempDir(), "app.yml")
	f.Fuzz(func(t *testing.T, content string) {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if c, err := config.Load(path); err == nil && c.Validate() != nil {
			t.Errorf("%q gives a Config that is not valid: %v", content, c.Validate())
		}
	})
}
