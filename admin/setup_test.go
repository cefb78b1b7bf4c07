package admin_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/admin"
	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/migrate"
	"github.com/eventaudit/eventaudit/repository"
)

// prefix is where the tests mount the panel.
const prefix = "/back office/audit"

// trail is an app with a panel.
type trail struct {
	db    *gorm.DB
	audit *eventaudit.Auditor
	panel http.Handler
}

// anybody lets every request pass.
func anybody(*http.Request) error { return nil }

// open returns an app on a fresh database. Nil edit leaves the options as they
// are: everybody may do everything.
func open(t testing.TB, kind testdb.Kind, edit func(*admin.Options), opts ...eventaudit.Option) trail {
	t.Helper()
	db := testdb.New(t, kind).Open(t)
	if err := migrate.Up(db); err != nil {
		t.Fatal(err)
	}
	quiet := eventaudit.WithLogger(slog.New(slog.DiscardHandler))
	audit := eventaudit.Plugin(append([]eventaudit.Option{quiet}, opts...)...)
	if err := db.Use(audit); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := audit.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return trail{db, audit, panelOf(t, audit, edit)}
}

func panelOf(t testing.TB, audit *eventaudit.Auditor, edit func(*admin.Options)) http.Handler {
	t.Helper()
	options := admin.Options{
		Authorize: anybody, AuthorizeClear: anybody, AuthorizeOutbox: anybody,
		Actor: func(*http.Request) string { return "tester" }, Enabled: true,
	}
	if edit != nil {
		edit(&options)
	}
	panel, err := admin.New(audit, options)
	if err != nil {
		t.Fatal(err)
	}
	return http.StripPrefix(prefix, panel)
}

// onlyWithKey lets requests pass that bring the key.
func onlyWithKey(r *http.Request) error {
	if r.Header.Get("X-Key") != "open" {
		return errors.New("no key")
	}
	return nil
}

// write stores events as they are.
func (a trail) write(t testing.TB, events ...event.Event) {
	t.Helper()
	if err := a.audit.Repository().Write(t.Context(), events...); err != nil {
		t.Fatal(err)
	}
}

// events returns what matches, oldest first.
func (a trail) events(t testing.TB, f event.Filter) []event.Event {
	t.Helper()
	events, err := a.audit.Events(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// count returns how many events match.
func (a trail) count(t testing.TB, f event.Filter) int64 {
	t.Helper()
	n, err := repository.Count(t.Context(), a.audit.Repository(), f)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// ask sends a request to the panel; headers are pairs.
func (a trail) ask(t testing.TB, r *http.Request, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer := httptest.NewRecorder()
	a.panel.ServeHTTP(answer, r)
	return answer
}

// noon is the time of the first event of a series.
var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// series returns so many events, a minute apart.
func series(n int) []event.Event {
	events := make([]event.Event, n)
	for i := range events {
		e := event.New([]string{"model", "model", "api", "auth"}[i%4], []string{"created", "changed", "deleted"}[i%3])
		e.Timestamp = noon.Add(time.Duration(i) * time.Minute)
		e.Actor = []string{"olga", "ben", "kim"}[i%3]
		e.ActionObject, e.ActionObjectID = "Order", event.NewID()
		events[i] = e
	}
	return events
}
