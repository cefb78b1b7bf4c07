package admin

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/eventaudit/eventaudit/event"
)

// secure sets what the browser is to hold the page to: nothing from elsewhere,
// nothing inline, in nobody's frame, kept nowhere.
//
// The referrer stays within the panel's own host, rather than nowhere: without
// it browsers hide the origin of forms, too, which the check against requests
// from other sites needs on hosts without TLS.
func secure(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("X-Robots-Tag", "noindex")
	h.Set("Cache-Control", "private, no-store")
}

// identify returns the request with a context that says who sent it, for the
// events that are recorded on its behalf. What a middleware has said counts.
func (h *panel) identify(r *http.Request) *http.Request {
	ctx := r.Context()
	actor := event.ActorFrom(ctx)
	if h.options.Actor != nil {
		actor = h.options.Actor(r)
	}
	if actor == "" {
		actor = event.ActorAnonymous
	}
	ctx = event.WithActor(ctx, actor)
	if from := event.RequestFrom(ctx); from == (event.Request{}) {
		from.IPAddress, from.UserAgent = r.RemoteAddr, cut(r.UserAgent(), maxUserAgent)
		if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
			from.IPAddress = host
		}
		ctx = event.WithRequest(ctx, from)
	}
	return r.WithContext(ctx)
}

const (
	maxUserAgent = 500
	maxPath      = 200
)

// deny answers 403 and records the attempt.
func (h *panel) deny(w http.ResponseWriter, r *http.Request, why error) {
	h.recordDenial(r, event.ActionAccessing, why)
	http.Error(w, "Forbidden", http.StatusForbidden)
}

// recordDenial records an attempt, unless too many have just been.
func (h *panel) recordDenial(r *http.Request, action string, why error) {
	unrecorded, now := h.denials.take()
	if !now {
		return
	}
	attempt := map[string]any{"method": cut(r.Method, maxPath), "path": cut(r.URL.Path, maxPath)}
	if unrecorded > 0 {
		attempt["unrecorded_attempts"] = unrecorded
	}
	// The sender may hang up, and is recorded all the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), 5*time.Second)
	defer cancel()
	err := h.audit.Record(ctx, event.Event{
		Category: event.CategoryAudit, Action: action, Outcome: event.OutcomeDenied,
		Error: cut(strings.ToValidUTF8(why.Error(), "\uFFFD"), maxUserAgent), Payload: event.JSON(attempt),
	})
	if err != nil {
		h.logger.ErrorContext(ctx, "a denied attempt to use the admin panel was not recorded", "error", err)
	}
}

// denials bounds how many denied attempts are recorded: a burst, and then one
// in each interval.
type denials struct {
	now func() time.Time

	mutex      sync.Mutex
	left       int
	refilled   time.Time
	unrecorded int
}

const (
	denialBurst    = 20
	denialInterval = 10 * time.Second
)

func newDenials(now func() time.Time) *denials {
	return &denials{now: now, left: denialBurst, refilled: now()}
}

// take reports whether an attempt is to be recorded, and how many before it
// were not.
func (d *denials) take() (unrecorded int, record bool) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if more := int(d.now().Sub(d.refilled) / denialInterval); more > 0 {
		d.left = min(d.left+more, denialBurst)
		d.refilled = d.refilled.Add(time.Duration(more) * denialInterval)
	}
	if d.left == 0 {
		d.unrecorded++
		return 0, false
	}
	d.left--
	unrecorded, d.unrecorded = d.unrecorded, 0
	return unrecorded, true
}

// errNotAllowed is the reason where nobody may.
var errNotAllowed = errors.New("the panel was not set up to allow that")

// may reports whether the sender may do what the option rules.
func may(option func(*http.Request) error, r *http.Request) error {
	if option == nil {
		return errNotAllowed
	}
	return option(r)
}

// redirect sends the browser to an address relative to the page. Go's own
// Redirect would make it absolute, without the prefix.
func (h *panel) redirect(w http.ResponseWriter, to string) {
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}

// pathOf returns the last part of the path as the browser sent it.
func pathOf(r *http.Request) string {
	sent, err := url.ParseRequestURI(r.RequestURI)
	if err != nil {
		return "."
	}
	path := strings.TrimSuffix(sent.EscapedPath(), "/")
	return "./" + path[strings.LastIndex(path, "/")+1:]
}

// cut shortens text to so many bytes, give or take a character.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
