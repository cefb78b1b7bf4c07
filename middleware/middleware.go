// Package middleware fills the context of HTTP requests with what the trail
// asks: who is acting, and where the request came from.
//
//	handler := middleware.HTTP(middleware.Options{
//		Actor: func(r *http.Request) string { return userOf(r.Context()) },
//	})(mux)
//
// Handlers pass the context on, as to db.WithContext(r.Context()), and every
// event has the actor, request id, trace id, client address and user agent.
//
// It is an ordinary func(http.Handler) http.Handler: chi and the standard
// library take it as it is; docs/context.md shows gin, echo and fiber.
package middleware

import (
	"cmp"
	"net/http"
	"net/netip"
	"strings"

	"github.com/eventaudit/eventaudit/event"
)

// Options say what is known about the app's requests. The zero value is fine:
// who it is has been said in front of the middleware or is not known, and no
// proxy is trusted.
type Options struct {
	// Actor returns who sends the request; empty is the actor that the context
	// has already, or else event.ActorAnonymous. What it returns is taken for
	// true, so that it has to be behind whatever checks the sender's identity:
	// the middleware goes inside of that. Default: the actor of the context, or
	// else event.ActorAnonymous.
	Actor func(*http.Request) string
	// OnBehalfOf returns for whom the actor acts, as when support staff work in
	// a customer's account; empty is nobody else. Default: nobody else.
	OnBehalfOf func(*http.Request) string
	// Tenant returns whom the request belongs to. Default: none.
	Tenant func(*http.Request) string
	// TrustedProxies are the addresses of the app's own proxies. Only what they
	// say in X-Forwarded-For is believed, and of that only what their
	// predecessors did not make up. Default: none; the client is the peer.
	TrustedProxies []netip.Prefix
	// RequestIDHeader is the header that a request id comes and goes in.
	// Default: X-Request-ID.
	RequestIDHeader string
	// IgnoreRequestID gives each request an id of its own, whatever the header
	// says. Without it a client can choose the id, and give two requests the
	// same; one that is longer than 128 bytes, or has others than letters,
	// digits and -_.:/+=@, is replaced. Default: false.
	IgnoreRequestID bool
}

// HTTP returns the middleware. It is safe for concurrent use if the functions
// in the options are; they are called once for each request.
//
// The response carries the request id in the same header. The trace id is that
// of a W3C traceparent header, if there is a valid one.
func HTTP(o Options) func(http.Handler) http.Handler {
	if o.RequestIDHeader == "" {
		o.RequestIDHeader = "X-Request-ID"
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			request := o.request(r)
			w.Header().Set(o.RequestIDHeader, request.ID)
			ctx := event.WithRequest(r.Context(), request)
			ctx = event.WithActor(ctx, cmp.Or(ask(o.Actor, r), event.ActorFrom(ctx), event.ActorAnonymous))
			if principal := ask(o.OnBehalfOf, r); principal != "" {
				ctx = event.OnBehalfOf(ctx, principal)
			}
			if tenant := ask(o.Tenant, r); tenant != "" {
				ctx = event.WithTenant(ctx, tenant)
			}
			next.ServeHTTP(w, r.WithContext(ctx))
		})
	}
}

func ask(resolve func(*http.Request) string, r *http.Request) string {
	if resolve == nil {
		return ""
	}
	return resolve(r)
}

func (o *Options) request(r *http.Request) event.Request {
	client := event.Request{ID: r.Header.Get(o.RequestIDHeader), UserAgent: shorten(r.UserAgent())}
	if o.IgnoreRequestID || !wellFormed(client.ID) {
		client.ID = event.NewID()
	}
	client.TraceID, _ = traceID(r.Header.Values("Traceparent"))
	if address := clientAddress(r.RemoteAddr, r.Header.Values("X-Forwarded-For"), o.TrustedProxies); address.IsValid() {
		client.IPAddress = address.String()
	}
	return client
}

// shorten keeps a user agent from filling the trail.
func shorten(userAgent string) string {
	const most = 512
	if len(userAgent) <= most {
		return userAgent
	}
	return strings.ToValidUTF8(userAgent[:most], "")
}

// wellFormed reports whether the id can go into headers, logs and the trail as
// it is.
func wellFormed(id string) bool {
	const others = "-_.:/+=@"
	if id == "" || len(id) > 128 {
		return false
	}
	for _, c := range []byte(id) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if digit := '0' <= c && c <= '9'; !letter && !digit && strings.IndexByte(others, c) < 0 {
			return false
		}
	}
	return true
}
