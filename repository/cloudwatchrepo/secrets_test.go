package cloudwatchrepo_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/repository"
	"github.com/eventaudit/eventaudit/repository/cloudwatchrepo"
	"github.com/eventaudit/eventaudit/repository/cloudwatchrepo/cloudwatchtest"
)

// No error and no line of the log holds a key, a token, or an event, although
// AWS repeats them in its answers.
func TestNothingTellsSecrets(t *testing.T) {
	t.Parallel()
	const token, payload = "session-token-4711", "payload-0815"
	server := start(t, nil)
	var texts bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&locked{writer: &texts}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	client := server.Client(impatient, func(o *cloudwatchlogs.Options) {
		o.Credentials = credentials.NewStaticCredentialsProvider(cloudwatchtest.AccessKey, cloudwatchtest.SecretKey, token)
	})
	e := some(1, time.Now())[0]
	e.Actor, e.Payload = payload, json.RawMessage(`{"iban":"`+payload+strings.Repeat("x", 20_000)+`"}`)
	failures := 0
	run := func(client cloudwatchrepo.Client) {
		r, err := cloudwatchrepo.New(client, &cloudwatchrepo.Options{CreateGroup: true, MaxEventBytes: 16 << 10, Logger: logger})
		if err != nil {
			t.Fatal(err)
		}
		cloudwatchrepo.Hurry(r, time.Second)
		_, count := repository.Count(t.Context(), r, event.Filter{Actor: payload})
		for _, err := range []error{r.Write(t.Context(), e), count, r.Ping(t.Context()), r.RemoveAll(t.Context())} {
			if err != nil {
				failures++
				logger.Error("failed", "error", err)
			}
		}
	}
	run(client)
	for kind := cloudwatchtest.Throttle; kind <= cloudwatchtest.VanishStream; kind++ {
		server.Inject(cloudwatchtest.Fault{Kind: kind, Times: 30}) // without an end empty pages have none
		run(client)
		server.Heal()
	}
	run(&picky{Client: client, bad: payload})
	run(server.Client(impatient, func(o *cloudwatchlogs.Options) {
		o.Credentials = credentials.NewStaticCredentialsProvider("AKIAOTHER", cloudwatchtest.SecretKey, token)
	}))
	if failures < 20 {
		t.Errorf("only %d calls failed: %s", failures, texts.String())
	}
	for _, secret := range []string{cloudwatchtest.SecretKey, token, payload, "Signature="} {
		if strings.Contains(texts.String(), secret) {
			t.Errorf("%s is in %s", secret, texts.String())
		}
	}
	if original := (&types.InvalidParameterException{Message: &e.Actor}); !strings.Contains(fmt.Sprint(original), payload) {
		t.Error("the SDK does not repeat messages any more, and this test shows nothing")
	}
}

// locked is a writer for several goroutines.
type locked struct {
	mutex  sync.Mutex
	writer *bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.writer.Write(p)
}
