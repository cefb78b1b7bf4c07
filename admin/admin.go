// Package admin is a web panel for people who have to read the trail: the
// events with filters, the life of a record, what one transaction or request
// did, exports, and the settings.
//
//	panel, err := admin.New(audit, admin.Options{
//		Authorize: func(r *http.Request) error { … },
//		Actor:     func(r *http.Request) string { … },
//	})
//	if err != nil { … }
//	mux.Handle("/audit/", http.StripPrefix("/audit", panel))
//
// It works under any prefix, needs no JavaScript, loads nothing from elsewhere
// and links nothing besides the Auditor. Its pages cost the same at any depth
// of a trail of any size.
//
// # Who may see it
//
// Nobody, unless Options.Authorize says so: every path, the style sheet
// included, answers 403 without telling anything, and the attempt is recorded
// as an event of category "audit" with the outcome "denied". An attack does
// not fill the trail: after twenty of them only one attempt in ten seconds is,
// with the number of those left out.
//
// The panel only reads, unless AuthorizeClear or AuthorizeOutbox let somebody
// do more. Exports and all that is removed are recorded before and after.
package admin

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"time"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/event"
)

// Options say who may see the panel, and how it looks. All but Authorize may be
// left out.
type Options struct {
	// Authorize decides whether a request is served: nil lets it pass, an error
	// is answered with 403 and recorded. It is asked for every request, must be
	// safe for concurrent use, and is required.
	Authorize func(*http.Request) error
	// AuthorizeClear decides who of those may remove events. Default: nobody.
	AuthorizeClear func(*http.Request) error
	// AuthorizeOutbox decides who of those may retry and discard dead letters.
	// Default: nobody.
	AuthorizeOutbox func(*http.Request) error
	// Actor names the sender of a request, in the events that the panel
	// records. Default: the actor in the context (see event.WithActor),
	// otherwise event.ActorAnonymous.
	Actor func(*http.Request) string
	// Enabled serves the panel whatever the setting enable_admin_panel says:
	// the app decides by mounting it.
	Enabled bool
	// Title is what the panel is called. Default: "Audit trail".
	Title string
	// Location is the time zone in which times are shown and filters are read.
	// Default: UTC.
	Location *time.Location
}

// ErrDisabled says that the panel is neither enabled by the settings nor by the
// Options.
var ErrDisabled = errors.New("admin: the panel is off; set enable_admin_panel, or Options.Enabled to serve it whatever the settings say")

// panel is the handler. It is safe for concurrent use.
type panel struct {
	audit   *eventaudit.Auditor
	options Options
	logger  *slog.Logger
	routes  *http.ServeMux
	origin  *http.CrossOriginProtection
	denials *denials
	tails   tails
}

// New returns the panel of the trail. Mount it with http.StripPrefix where it
// is not at the root of its host. The error is ErrDisabled, wraps
// eventaudit.ErrNotInstalled before db.Use, or is a *event.FieldError when an
// option is missing.
func New(audit *eventaudit.Auditor, options Options) (http.Handler, error) {
	switch {
	case audit == nil:
		return nil, &event.FieldError{Field: "audit", Value: "nil", Reason: "is missing; pass what eventaudit.Plugin returned"}
	case options.Authorize == nil:
		return nil, &event.FieldError{Field: "Authorize", Value: "nil", Reason: "is missing; say who may see the trail"}
	case !options.Enabled && !audit.Config().EnableAdminPanel:
		return nil, ErrDisabled
	case audit.Repository() == nil:
		return nil, eventaudit.ErrNotInstalled
	}
	if options.Title == "" {
		options.Title = "Audit trail"
	}
	if options.Location == nil {
		options.Location = time.UTC
	}
	h := &panel{
		audit: audit, options: options, logger: audit.Config().Logger,
		routes: http.NewServeMux(), origin: http.NewCrossOriginProtection(),
		denials: newDenials(time.Now), tails: tails{places: make(chan struct{}, maxTails), stopping: map[*http.Server]chan struct{}{}},
	}
	h.route()
	return h, nil
}

func (h *panel) route() {
	for pattern, handle := range map[string]func(http.ResponseWriter, *http.Request) error{
		"GET /{$}":         soon(h.events),
		"GET /event":       soon(h.event),
		"GET /event.json":  soon(h.eventJSON),
		"GET /record":      soon(h.record),
		"GET /transaction": soon(h.transaction),
		"GET /request":     soon(h.request),
		"GET /settings":    soon(h.settings),
		"GET /clear":       soon(h.confirmClear),
		"POST /clear":      h.clear,
		"POST /export":     h.export,
		"POST /retry":      h.retry,
		"POST /discard":    h.discard,
		"GET /live":        h.live,
	} {
		h.routes.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := handle(w, r); err != nil {
				h.fail(w, r, err)
			}
		})
	}
	for _, name := range assets {
		h.routes.HandleFunc("GET /"+name, func(w http.ResponseWriter, r *http.Request) { serveAsset(w, r, name) })
	}
}

// soon bounds how long a page may take: a question that no index answers reads
// the whole trail.
func soon(handle func(http.ResponseWriter, *http.Request) error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		ctx, cancel := context.WithTimeout(r.Context(), 30*time.Second)
		defer cancel()
		return handle(w, r.WithContext(ctx))
	}
}

// ServeHTTP lets nobody pass who is not authorised, whatever the path.
func (h *panel) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	r = h.identify(r)
	if err := h.options.Authorize(r); err != nil {
		h.deny(w, r, err)
		return
	}
	if err := h.origin.Check(r); err != nil {
		h.deny(w, r, err)
		return
	}
	if r.URL.Path == "" { // the prefix itself: links are relative to the folder
		h.redirect(w, pathOf(r)+"/")
		return
	}
	if _, pattern := h.routes.Handler(r); pattern == "" || path.Clean(r.URL.Path) != r.URL.Path { // it would lead out of the prefix
		h.fail(w, r, errNoPage)
		return
	}
	if _, err := url.ParseQuery(r.URL.RawQuery); err != nil { // half a question has another answer
		h.fail(w, r, &event.FieldError{Field: "address", Value: "", Reason: "cannot be read: " + err.Error()})
		return
	}
	h.routes.ServeHTTP(w, r)
}
