package event

import (
	"context"
	"maps"
	"strings"
)

// scope is everything the context says about who is acting. One context value
// holds all of it, so that an event costs one look-up.
type scope struct {
	actor, tenant, reason, onBehalfOf string

	request Request
	meta    map[string]string
	off     bool
}

type scopeKey struct{}

// Actors that stand for nobody in particular.
const (
	// ActorSystem is the actor of events whose context names none: background
	// work, or a place where WithActor was forgotten. It is written out, so
	// that filters and people find these events.
	ActorSystem = "system"
	// ActorAnonymous is the actor of requests whose sender is not known.
	ActorAnonymous = "anonymous"
)

func scopeOf(ctx context.Context) scope {
	if ctx != nil {
		if s, ok := ctx.Value(scopeKey{}).(*scope); ok {
			return *s
		}
	}
	return scope{}
}

// with returns a context whose scope is a changed copy of the one in ctx. Text
// that reaches the trail from outside is made valid UTF-8 here, so that a
// broken header can never make an audited write fail.
func with(ctx context.Context, change func(*scope)) context.Context {
	s := scopeOf(ctx)
	change(&s)
	return context.WithValue(ctx, scopeKey{}, &s)
}

func clean(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

// Request is where a deed came from.
type Request struct {
	// ID is shared by all events of one request.
	ID string
	// TraceID is the W3C trace id.
	TraceID string
	// IPAddress and UserAgent are the client's.
	IPAddress, UserAgent string
}

// WithActor returns a context whose events say that actor did it. Recorders put
// ActorSystem where there is none.
func WithActor(ctx context.Context, actor string) context.Context {
	return with(ctx, func(s *scope) { s.actor = clean(actor) })
}

// WithRequest returns a context whose events carry the request.
func WithRequest(ctx context.Context, r Request) context.Context {
	r = Request{ID: clean(r.ID), TraceID: clean(r.TraceID), IPAddress: clean(r.IPAddress), UserAgent: clean(r.UserAgent)}
	return with(ctx, func(s *scope) { s.request = r })
}

// WithReason returns a context whose events say why it was done. Some changes
// are refused without; see ErrReasonRequired.
func WithReason(ctx context.Context, reason string) context.Context {
	return with(ctx, func(s *scope) { s.reason = clean(reason) })
}

// WithTenant returns a context whose events belong to the tenant.
func WithTenant(ctx context.Context, tenant string) context.Context {
	return with(ctx, func(s *scope) { s.tenant = clean(tenant) })
}

// OnBehalfOf returns a context whose events say for whom the actor acts, as
// when support staff work in a customer's account.
func OnBehalfOf(ctx context.Context, principal string) context.Context {
	return with(ctx, func(s *scope) { s.onBehalfOf = clean(principal) })
}

// WithMeta returns a context whose events carry one more fact. Facts set
// further out stay; the same key replaces.
func WithMeta(ctx context.Context, key, value string) context.Context {
	return with(ctx, func(s *scope) {
		meta := maps.Clone(s.meta)
		if meta == nil {
			meta = map[string]string{}
		}
		meta[clean(key)] = clean(value)
		s.meta = meta
	})
}

// WithoutAudit returns a context in which nothing is recorded. Use it for a
// block whose changes are not the business of the trail, such as filling a
// cache table; nothing marks the gap.
func WithoutAudit(ctx context.Context) context.Context {
	return with(ctx, func(s *scope) { s.off = true })
}

// ActorFrom returns the actor set by WithActor.
func ActorFrom(ctx context.Context) string { return scopeOf(ctx).actor }

// RequestFrom returns the request set by WithRequest.
func RequestFrom(ctx context.Context) Request { return scopeOf(ctx).request }

// ReasonFrom returns the reason set by WithReason.
func ReasonFrom(ctx context.Context) string { return scopeOf(ctx).reason }

// TenantFrom returns the tenant set by WithTenant.
func TenantFrom(ctx context.Context) string { return scopeOf(ctx).tenant }

// OnBehalfOfFrom returns the principal set by OnBehalfOf.
func OnBehalfOfFrom(ctx context.Context) string { return scopeOf(ctx).onBehalfOf }

// MetaFrom returns a copy of the facts set by WithMeta.
func MetaFrom(ctx context.Context) map[string]string { return maps.Clone(scopeOf(ctx).meta) }

// AuditDisabled reports whether the context comes from WithoutAudit.
func AuditDisabled(ctx context.Context) bool { return scopeOf(ctx).off }

// FillFrom fills the fields that the context speaks of and the event leaves
// empty. Facts of the context join the event's own Meta, whose keys win.
func (e *Event) FillFrom(ctx context.Context) {
	s := scopeOf(ctx)
	fill := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	fill(&e.Actor, s.actor)
	fill(&e.Tenant, s.tenant)
	fill(&e.Reason, s.reason)
	fill(&e.OnBehalfOf, s.onBehalfOf)
	fill(&e.RequestID, s.request.ID)
	fill(&e.TraceID, s.request.TraceID)
	fill(&e.IPAddress, s.request.IPAddress)
	fill(&e.UserAgent, s.request.UserAgent)
	if len(s.meta) > 0 {
		meta := maps.Clone(s.meta)
		maps.Copy(meta, e.Meta)
		e.Meta = meta
	}
}
