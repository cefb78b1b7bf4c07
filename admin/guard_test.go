package admin_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/admin"
	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

// at is the path of the panel's page as a browser asks for it.
func at(page string) string { return (&url.URL{Path: prefix}).EscapedPath() + "/" + page }

func get(page string) *http.Request { return httptest.NewRequest(http.MethodGet, at(page), nil) }

func post(page string, form url.Values) *http.Request {
	r := httptest.NewRequest(http.MethodPost, at(page), strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

func TestNewRefusesWhatCannotBeMeant(t *testing.T) {
	t.Parallel()
	app := open(t, testdb.SQLitePure, nil)
	var wrong *event.FieldError
	if _, err := admin.New(app.audit, admin.Options{Enabled: true}); !errors.As(err, &wrong) || wrong.Field != "Authorize" {
		t.Errorf("without Authorize: %v", err)
	}
	if _, err := admin.New(nil, admin.Options{Enabled: true, Authorize: anybody}); !errors.As(err, &wrong) || wrong.Field != "audit" {
		t.Errorf("without a trail: %v", err)
	}
	if _, err := admin.New(app.audit, admin.Options{Authorize: anybody}); !errors.Is(err, admin.ErrDisabled) {
		t.Errorf("not enabled: %v", err)
	}
	enabled := eventaudit.Plugin(func(c *eventaudit.Config) { c.EnableAdminPanel = true })
	if _, err := admin.New(enabled, admin.Options{Authorize: anybody}); !errors.Is(err, eventaudit.ErrNotInstalled) {
		t.Errorf("before db.Use: %v", err)
	}
	byConfig := open(t, testdb.SQLitePure, nil, func(c *eventaudit.Config) { c.EnableAdminPanel = true })
	if _, err := admin.New(byConfig.audit, admin.Options{Authorize: anybody}); err != nil {
		t.Errorf("enabled by the settings: %v", err)
	}
}

// pages are all the paths that there are.
var pages = []string{
	"", "event?id=x", "event.json?id=x", "record?object=a&id=b", "transaction?id=a", "request?id=a", "settings", "clear", "live",
	"style.css", "panel.js", "icon.svg",
}

func TestNobodyPassesUnauthorized(t *testing.T) {
	t.Parallel()
	app := open(t, testdb.SQLitePure, func(o *admin.Options) { o.Authorize = onlyWithKey })
	app.write(t, event.New("custom", "secret_deed"))
	var requests []*http.Request
	for _, page := range append([]string{"no such page", "static/style.css", "../"}, pages...) {
		requests = append(requests, get(strings.ReplaceAll(page, " ", "%20")), httptest.NewRequest(http.MethodOptions, at(strings.ReplaceAll(page, " ", "%20")), nil))
	}
	for _, page := range []string{"clear", "export", "retry", "discard"} {
		requests = append(requests, post(page, url.Values{"format": {"csv"}}))
	}
	for _, r := range requests {
		answer := app.ask(t, r)
		if answer.Code != http.StatusForbidden || answer.Body.String() != "Forbidden\n" {
			t.Errorf("%s %s: %d %s", r.Method, r.URL, answer.Code, answer.Body)
		}
		if answer.Header().Get("ETag")+answer.Header().Get("Location")+answer.Header().Get("Allow") != "" {
			t.Errorf("%s %s tells %v", r.Method, r.URL, answer.Header())
		}
	}
	if answer := app.ask(t, get(""), "X-Key", "open"); answer.Code != http.StatusOK || !strings.Contains(answer.Body.String(), "secret_deed") {
		t.Errorf("with the key: %d", answer.Code)
	}
}

func TestADeniedAttemptIsRecorded(t *testing.T) {
	t.Parallel()
	app := open(t, testdb.SQLitePure, func(o *admin.Options) {
		o.Authorize = onlyWithKey
		o.Actor = func(r *http.Request) string { return r.Header.Get("X-User") }
	})
	long := strings.Repeat("a", 5000)
	app.ask(t, get("settings?token=geheim"), "X-User", "eve", "User-Agent", long)
	app.ask(t, get(long))
	app.ask(t, get(""), "X-Key", "open", "Sec-Fetch-Site", "cross-site") // reading is harmless
	app.ask(t, post("export", url.Values{"format": {"csv"}}), "X-Key", "open", "X-User", "olga", "Sec-Fetch-Site", "cross-site")
	events := app.events(t, event.Filter{Category: event.CategoryAudit})
	if len(events) != 3 {
		t.Fatalf("%d events: %v", len(events), events)
	}
	for i, want := range []struct{ actor, why, payload string }{
		{"eve", "no key", `{"method":"GET","path":"/settings"}`},
		{event.ActorAnonymous, "no key", `{"method":"GET","path":"/` + strings.Repeat("a", 199) + `…"}`},
		{"olga", "cross-origin request detected", `{"method":"POST","path":"/export"}`},
	} {
		e := events[i]
		if e.Action != event.ActionAccessing || e.Outcome != event.OutcomeDenied || e.Actor != want.actor || !strings.Contains(e.Error, want.why) || string(e.Payload) != want.payload {
			t.Errorf("event %d: %+v %s", i, e, e.Payload)
		}
		if e.IPAddress != "192.0.2.1" || len(e.UserAgent) > 510 {
			t.Errorf("event %d comes from %s with %s", i, e.IPAddress, e.UserAgent)
		}
	}
}

func TestAFloodOfAttemptsDoesNotFillTheTrail(t *testing.T) {
	t.Parallel()
	app := open(t, testdb.SQLitePure, func(o *admin.Options) { o.Authorize = onlyWithKey })
	for range 500 {
		app.ask(t, get(""))
	}
	// Slow machines let one more pass every ten seconds.
	if n := app.count(t, event.Filter{Outcome: event.OutcomeDenied}); n < 20 || n > 30 {
		t.Errorf("%d of 500 attempts were recorded", n)
	}
}

// What is left out is counted by the next attempt that is recorded.
func TestAttemptsThatAreNotRecordedAreCounted(t *testing.T) {
	t.Parallel()
	app := open(t, testdb.SQLitePure, nil)
	synctest.Test(t, func(t *testing.T) {
		panel := panelOf(t, app.audit, func(o *admin.Options) { o.Authorize = onlyWithKey })
		for range 25 {
			panel.ServeHTTP(httptest.NewRecorder(), get(""))
		}
		<-time.After(10 * time.Second)
		panel.ServeHTTP(httptest.NewRecorder(), get(""))
	})
	events := app.events(t, event.Filter{Outcome: event.OutcomeDenied})
	if n := len(events); n != 21 || !strings.Contains(fmt.Sprint(string(events[n-1].Payload)), `"unrecorded_attempts":5`) {
		t.Errorf("%d events", n)
	}
}

func TestNobodyRemovesWhoMayNot(t *testing.T) {
	t.Parallel()
	app := open(t, testdb.SQLitePure, func(o *admin.Options) { o.AuthorizeClear, o.AuthorizeOutbox = nil, nil })
	app.write(t, series(3)...)
	for _, r := range []*http.Request{get("clear"), post("clear", url.Values{"phrase": {"remove 3 events"}, "to": {"2027-01-01"}}), post("discard", url.Values{"id": {"x"}, "phrase": {"discard"}}), post("retry", url.Values{"id": {"x"}})} {
		if answer := app.ask(t, r); answer.Code != http.StatusForbidden {
			t.Errorf("%s %s: %d", r.Method, r.URL, answer.Code)
		}
	}
	if n := app.count(t, event.Filter{Outcome: event.OutcomeDenied, Actor: "tester"}); n != 4 {
		t.Errorf("%d attempts were recorded", n)
	}
	if n := app.count(t, event.Filter{ActionObject: "Order"}); n != 3 {
		t.Errorf("%d events are left", n)
	}
	if page := app.ask(t, get("")).Body.String(); strings.Contains(page, "Remove…") {
		t.Error("the page offers what is not allowed")
	}
}

func TestEveryAnswerIsSecured(t *testing.T) {
	t.Parallel()
	app := open(t, testdb.SQLitePure, nil)
	for _, page := range pages {
		if page == "live" {
			continue
		}
		h := app.ask(t, get(page)).Header()
		for _, name := range []string{"Content-Security-Policy", "X-Frame-Options", "X-Content-Type-Options", "Referrer-Policy", "Cache-Control"} {
			if h.Get(name) == "" {
				t.Errorf("%s: no %s", page, name)
			}
		}
		if policy := h.Get("Content-Security-Policy"); strings.Contains(policy, "unsafe") || !strings.Contains(policy, "default-src 'none'") {
			t.Errorf("%s: %s", page, policy)
		}
	}
}

func TestThePrefixItselfLeadsToThePanel(t *testing.T) {
	t.Parallel()
	app := open(t, testdb.SQLitePure, nil)
	r := httptest.NewRequest(http.MethodGet, strings.TrimSuffix(at(""), "/"), nil)
	if answer := app.ask(t, r); answer.Code != http.StatusSeeOther || answer.Header().Get("Location") != "./audit/" {
		t.Errorf("%d to %q", answer.Code, answer.Header().Get("Location"))
	}
}

// A question that is only half understood is not answered, and no address leads
// out of the prefix.
func TestAddressesThatAreBroken(t *testing.T) {
	t.Parallel()
	app := open(t, testdb.SQLitePure, nil)
	app.write(t, series(1)...)
	for _, page := range []string{"?actor=a;b", "?actor=100%", "event?id=%zz"} {
		path, query, _ := strings.Cut(page, "?")
		r := get(path)
		r.URL.RawQuery = query
		if answer := app.ask(t, r); answer.Code != http.StatusBadRequest || !strings.Contains(answer.Body.String(), "cannot be read") {
			t.Errorf("%s: %d", page, answer.Code)
		}
	}
	for _, page := range []string{"/event?id=1", "./event?id=1", "x/../event?id=1"} {
		answer := app.ask(t, get(page))
		if answer.Code != http.StatusNotFound || answer.Header().Get("Location") != "" {
			t.Errorf("%s: %d %v", page, answer.Code, answer.Header())
		}
	}
}

// Who asks only for the head of the tail does not wait for its end.
func TestTheHeadOfTheTail(t *testing.T) {
	t.Parallel()
	app := open(t, testdb.SQLitePure, nil)
	answer := app.ask(t, httptest.NewRequest(http.MethodHead, at("live"), nil))
	if answer.Code != http.StatusOK || answer.Header().Get("Content-Type") != "text/event-stream" {
		t.Errorf("%d %v", answer.Code, answer.Header())
	}
}
