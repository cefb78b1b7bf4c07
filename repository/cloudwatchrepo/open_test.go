package cloudwatchrepo_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
	"github.com/eventaudit/eventaudit/repository/cloudwatchrepo"
	"github.com/eventaudit/eventaudit/repository/cloudwatchrepo/cloudwatchtest"
)

// settings lead to the server.
func settings(server *cloudwatchtest.Server) repository.CloudWatchSettings {
	return repository.CloudWatchSettings{
		AccessKey: cloudwatchtest.AccessKey, SecretKey: cloudwatchtest.SecretKey,
		Region: "eu-north-1", Endpoint: server.URL,
	}
}

func TestOpenByName(t *testing.T) {
	t.Parallel()
	server := start(t, nil)
	r, err := repository.Open(t.Context(), "cloudwatch", repository.Settings{CloudWatch: settings(server), Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	write(t, r, some(3, time.Now())...)
	if got := ids(t, r, event.Filter{}); len(got) != 3 {
		t.Errorf("%q are there", got)
	}
	if err := repository.Ping(t.Context(), r); err != nil {
		t.Errorf("Ping: %v", err)
	}
	if g, _ := server.Group(cloudwatchrepo.DefaultGroup); len(g.Streams) != 1 || !strings.HasPrefix(g.Streams[0], cloudwatchrepo.DefaultStream+"/events/") {
		t.Errorf("streams %q", g.Streams)
	}
	named := settings(server)
	named.LogGroup, named.LogStream = "/shop/audit", "shop"
	if r, err = repository.Open(t.Context(), "cloudwatch", repository.Settings{CloudWatch: named, Logger: quiet}); err != nil {
		t.Fatal(err)
	}
	write(t, r, some(1, time.Now())...)
	if g, _ := server.Group("/shop/audit"); len(g.Streams) != 1 || !strings.HasPrefix(g.Streams[0], "shop/events/") {
		t.Errorf("streams %q", g.Streams)
	}
}

// The credentials and the region that are not in the settings come from where
// AWS keeps them.
func TestOpenWithTheDefaultChain(t *testing.T) {
	server := start(t, nil)
	t.Setenv("AWS_ACCESS_KEY_ID", cloudwatchtest.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", cloudwatchtest.SecretKey)
	t.Setenv("AWS_REGION", "eu-west-1")
	r, err := repository.Open(t.Context(), "cloudwatch", repository.Settings{
		CloudWatch: repository.CloudWatchSettings{Endpoint: server.URL}, Logger: quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	write(t, r, some(1, time.Now())...)
}

// A service that is away is no reason not to start.
func TestOpenWithoutCloudWatch(t *testing.T) {
	t.Parallel()
	server := start(t, nil)
	server.Inject(cloudwatchtest.Fault{Kind: cloudwatchtest.DenyAccess})
	r, err := repository.Open(t.Context(), "cloudwatch", repository.Settings{CloudWatch: settings(server), Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Write(t.Context(), some(1, time.Now())...); err == nil {
		t.Error("no error")
	}
	server.Heal()
	write(t, r, some(1, time.Now())...)
}

func TestWrongSettings(t *testing.T) {
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_DEFAULT_REGION", "")
	t.Setenv("AWS_CONFIG_FILE", t.TempDir()+"/none")
	for field, change := range map[string]func(*repository.CloudWatchSettings){
		"cloudwatch.access_key": func(s *repository.CloudWatchSettings) { s.AccessKey = "" },
		"cloudwatch.region":     func(s *repository.CloudWatchSettings) { s.Region = "" },
		"cloudwatch.endpoint":   func(s *repository.CloudWatchSettings) { s.Endpoint = "http://me:hunter2@localhost" },
		"log_group":             func(s *repository.CloudWatchSettings) { s.LogGroup = "a b" },
		"log_stream":            func(s *repository.CloudWatchSettings) { s.LogStream = "a:b" },
	} {
		s := repository.CloudWatchSettings{AccessKey: "AKIA", SecretKey: "hunter2", Region: "eu-north-1"}
		change(&s)
		_, err := repository.Open(t.Context(), "cloudwatch", repository.Settings{CloudWatch: s, Logger: quiet})
		if broken := new(event.FieldError); !errors.As(err, &broken) || broken.Field != field || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("error %v, want one about %s", err, field)
		}
	}
	for _, endpoint := range []string{"localhost:4566", "ftp://localhost", "http://", "http://a b"} {
		s := repository.CloudWatchSettings{Region: "eu-north-1", Endpoint: endpoint}
		_, err := repository.Open(t.Context(), "cloudwatch", repository.Settings{CloudWatch: s, Logger: quiet})
		if broken := new(event.FieldError); !errors.As(err, &broken) || broken.Field != "cloudwatch.endpoint" {
			t.Errorf("%q: error %v, want one about cloudwatch.endpoint", endpoint, err)
		}
	}
}
