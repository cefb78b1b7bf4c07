package event_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/eventaudit/eventaudit/event"
)

func TestContextValues(t *testing.T) {
	t.Parallel()
	request := event.Request{ID: "req", TraceID: "trace", IPAddress: "::1", UserAgent: "curl"}
	ctx := event.WithActor(t.Context(), "anna")
	ctx = event.WithRequest(ctx, request)
	ctx = event.WithReason(ctx, "ticket")
	ctx = event.WithTenant(ctx, "acme")
	ctx = event.OnBehalfOf(ctx, "bert")
	ctx = event.WithMeta(ctx, "region", "eu")

	got := []any{
		event.ActorFrom(ctx), event.RequestFrom(ctx), event.ReasonFrom(ctx), event.TenantFrom(ctx),
		event.OnBehalfOfFrom(ctx), event.MetaFrom(ctx), event.AuditDisabled(ctx),
	}
	want := []any{"anna", request, "ticket", "acme", "bert", map[string]string{"region": "eu"}, false}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("readers (-want +got):\n%s", diff)
	}
}

func TestContextWithoutValues(t *testing.T) {
	t.Parallel()
	var none context.Context
	for name, ctx := range map[string]context.Context{"background": context.Background(), "nil": none} {
		var e event.Event
		e.FillFrom(ctx)
		if diff := cmp.Diff(event.Event{}, e); diff != "" {
			t.Errorf("%s context fills (-want +got):\n%s", name, diff)
		}
		if event.AuditDisabled(ctx) || event.ActorFrom(ctx) != "" || event.MetaFrom(ctx) != nil {
			t.Errorf("%s context says something", name)
		}
	}
}

func TestContextsNest(t *testing.T) {
	t.Parallel()
	outer := event.WithMeta(event.WithActor(t.Context(), "anna"), "region", "eu")
	inner := event.WithMeta(event.WithMeta(event.WithActor(outer, "bert"), "region", "us"), "job", "7")
	sibling := event.WithoutAudit(outer)

	for _, test := range []struct {
		name  string
		ctx   context.Context
		actor string
		meta  map[string]string
		off   bool
	}{
		{"outer", outer, "anna", map[string]string{"region": "eu"}, false},
		{"inner", inner, "bert", map[string]string{"region": "us", "job": "7"}, false},
		{"sibling", sibling, "anna", map[string]string{"region": "eu"}, true},
		{"below the sibling", event.WithActor(sibling, "carl"), "carl", map[string]string{"region": "eu"}, true},
	} {
		if got := event.ActorFrom(test.ctx); got != test.actor {
			t.Errorf("%s: actor %q, want %q", test.name, got, test.actor)
		}
		if diff := cmp.Diff(test.meta, event.MetaFrom(test.ctx)); diff != "" {
			t.Errorf("%s: meta (-want +got):\n%s", test.name, diff)
		}
		if got := event.AuditDisabled(test.ctx); got != test.off {
			t.Errorf("%s: disabled %t, want %t", test.name, got, test.off)
		}
	}
}

func TestContextFactsCannotBeChangedFromOutside(t *testing.T) {
	t.Parallel()
	ctx := event.WithMeta(t.Context(), "region", "eu")
	event.MetaFrom(ctx)["region"] = "changed"
	var e event.Event
	e.FillFrom(ctx)
	e.Meta["region"] = "changed"
	if diff := cmp.Diff(map[string]string{"region": "eu"}, event.MetaFrom(ctx)); diff != "" {
		t.Errorf("meta (-want +got):\n%s", diff)
	}
}

// A broken header must never make an audited write fail.
func TestContextCleansText(t *testing.T) {
	t.Parallel()
	const broken, clean = "a\xffb", "a\uFFFDb"
	ctx := event.WithActor(t.Context(), broken)
	ctx = event.WithRequest(ctx, event.Request{ID: broken, TraceID: broken, IPAddress: broken, UserAgent: broken})
	ctx = event.WithReason(ctx, broken)
	ctx = event.WithTenant(ctx, broken)
	ctx = event.OnBehalfOf(ctx, broken)
	ctx = event.WithMeta(ctx, broken, broken)

	got := event.Event{Category: "custom", Action: "tested"}
	got.FillFrom(ctx)
	want := event.Event{
		Category: "custom", Action: "tested", Actor: clean, RequestID: clean, TraceID: clean, IPAddress: clean,
		UserAgent: clean, Reason: clean, Tenant: clean, OnBehalfOf: clean, Meta: map[string]string{clean: clean},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("filled event (-want +got):\n%s", diff)
	}
	if err := event.Validate(got); err != nil {
		t.Errorf("Validate: %v", err)
	}
}

func TestFillFromKeepsWhatIsSet(t *testing.T) {
	t.Parallel()
	ctx := event.WithActor(t.Context(), "context")
	ctx = event.WithTenant(ctx, "context")
	ctx = event.WithMeta(event.WithMeta(ctx, "both", "context"), "context", "yes")
	own := map[string]string{"both": "event", "event": "yes"}
	e := event.Event{Actor: "event", Meta: own}
	e.FillFrom(ctx)
	want := event.Event{
		Actor: "event", Tenant: "context",
		Meta: map[string]string{"both": "event", "event": "yes", "context": "yes"},
	}
	if diff := cmp.Diff(want, e); diff != "" {
		t.Errorf("filled event (-want +got):\n%s", diff)
	}
	if len(own) != 2 {
		t.Errorf("FillFrom changed the caller's map: %v", own)
	}
}
