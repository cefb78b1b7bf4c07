package eventaudit_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/migrate"
	"github.com/eventaudit/eventaudit/repository/memrepo"
)

func TestTheConfigIsEffectiveAndMasked(t *testing.T) {
	t.Parallel()
	audit := eventaudit.Plugin(func(c *eventaudit.Config) {
		c.Redis.URL = "redis://me:geheim@one:6379/2?password=geheim, rediss://two:1,"
		c.CloudWatch.AccessKey, c.CloudWatch.SecretKey = "geheim", "geheim"
		c.CloudWatch.Endpoint = "https://geheim@logs.example?geheim"
	})
	c := audit.Config()
	if text := fmt.Sprintf("%+v", c); strings.Contains(text, "geheim") {
		t.Errorf("a secret is shown: %s", text)
	}
	want := []string{"redis", "redis://***@one:6379/2?***,rediss://two:1,", "https://***@logs.example?***", "***"}
	if diff := cmp.Diff(want, []string{c.ActiveRepo, c.Redis.URL, c.CloudWatch.Endpoint, c.CloudWatch.SecretKey}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	c.Redact.Fields[0] = "changed"
	if audit.Config().Redact.Fields[0] == "changed" {
		t.Error("what Config returns is not the caller's own")
	}
	for _, unclear := range []string{"redis://:12/geheim@one:6379/0", "redis://me:12#geheim@one", "redis://:?geheim@one", "redis://me:12,geheim@one"} {
		c := eventaudit.Plugin(func(c *eventaudit.Config) { c.Redis.URL = unclear }).Config()
		if c.Redis.URL != "***" {
			t.Errorf("%s is shown as %s", unclear, c.Redis.URL)
		}
	}
	if c := eventaudit.Plugin().Config(); c.ActiveRepo != "basic" || c.Redis.URL != "" || c.CloudWatch.AccessKey != "" || c.CloudWatch.Endpoint != "" {
		t.Errorf("with nothing set: %+v", c)
	}
}

func TestModelRulesSayWhatIsAuditedAndWhy(t *testing.T) {
	t.Parallel()
	type Option struct{ ID uint }
	type Order struct{ ID uint }
	db := testdb.New(t, testdb.SQLitePure).Open(t)
	if err := migrate.Up(db); err != nil {
		t.Fatal(err)
	}
	audit := eventaudit.Plugin(eventaudit.WithRepository(memrepo.New(nil)))
	if audit.ModelRules() != nil {
		t.Error("rules before db.Use")
	}
	if _, ok := audit.Outbox(); ok {
		t.Error("an outbox before db.Use")
	}
	if err := db.Use(audit); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := audit.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	if err := db.AutoMigrate(&Option{}, &Order{}); err != nil {
		t.Fatal(err)
	}
	for _, row := range []any{&Option{}, &Order{}} {
		if err := db.Create(row).Error; err != nil {
			t.Fatal(err)
		}
	}
	want := []eventaudit.ModelRule{
		{Object: "Option", Table: "options", ByDefault: true},
		{Object: "Order", Table: "orders", Audited: true},
	}
	if diff := cmp.Diff(want, audit.ModelRules()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if box, ok := audit.Outbox(); !ok || box == nil {
		t.Error("no outbox on the way to another repository")
	}
}
