package admin_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/outbox"
	"github.com/eventaudit/eventaudit/repository"
	"github.com/eventaudit/eventaudit/repository/memrepo"
)

// Invoice has a secret, and Customer owns it.
type Invoice struct {
	ID     uint
	Cents  int64
	Status string
	Token  string
}

// shop is a trail with a bit of everything in it; the ids are those of one
// change and its record.
func shop(t *testing.T) (app trail, change event.Event) {
	t.Helper()
	app = open(t, testdb.SQLitePure, nil)
	if err := app.db.AutoMigrate(&Invoice{}); err != nil {
		t.Fatal(err)
	}
	ctx := event.WithActor(t.Context(), "olga")
	ctx = event.WithRequest(ctx, event.Request{ID: "request-17", TraceID: "trace-17", IPAddress: "192.0.2.7", UserAgent: "Firefox"})
	ctx = event.WithMeta(event.WithReason(ctx, "customer called"), "ticket", "T-1")
	db := app.db.WithContext(ctx)
	invoice := Invoice{Cents: 1900, Status: "open", Token: "geheim"}
	steps := []func() error{
		func() error { return db.Create(&invoice).Error },
		func() error {
			return db.Model(&invoice).Updates(map[string]any{"status": "paid", "cents": 19900, "token": "anders"}).Error
		},
		func() error {
			return app.audit.Record(event.WithActor(ctx, "ben"), event.Event{
				Category: "api", Action: "publish", ActionObject: "Invoice", ActionObjectID: "1",
				Outcome: event.OutcomeDenied, Error: "only clerks may", Payload: event.JSON(map[string]any{"force": true}),
			})
		},
		func() error { return db.Create(&Invoice{Cents: 5}).Error },
		func() error { return db.Delete(&Invoice{ID: 2}).Error },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	return app, app.events(t, event.Filter{Action: event.ActionChanged})[0]
}

func TestEveryPageReadsWell(t *testing.T) {
	t.Parallel()
	app, change := shop(t)
	b := browse(t, app)
	for _, page := range []struct {
		name, address string
		shown         []string
	}{
		{"events", "", []string{"5 events", "olga", "changed", "Invoice 1", "1900 → 19900", "[redacted]", "denied", "only clerks may", "because customer called"}},
		{"nothing", "?actor=nobody", []string{"No event matches", "0 events"}},
		{"wrong", "?from=yesterday&limit=9999&payload=x", []string{"from \"yesterday\" is no time", "limit \"9999\"", "payload"}},
		{"event", "event?id=" + change.ID, []string{"changed Invoice 1", "olga", "customer called", "1900", "19900", "[redacted]", "request-17", "T-1", change.TransactionID, "192.0.2.7"}},
		{"record", "record?object=Invoice&id=1", []string{"State after the last event", "19900", "\"paid\"", "[redacted]", "created", "publish"}},
		{"record at a moment", "record?object=Invoice&id=1&at=" + strings.Replace(app.events(t, event.Filter{Action: event.ActionCreated})[0].Timestamp.Format(time.RFC3339Nano), "+", "%2B", 1), []string{"State at", "1900", "\"open\""}},
		{"record that is gone", "record?object=Invoice&id=2", []string{"It did not exist: deleted by olga"}},
		{"record of nobody", "record?object=Invoice&id=77", []string{"neither the trail nor the table"}},
		{"transaction", "transaction?id=" + change.TransactionID, []string{"Transaction", "olga", "changed", "request-17"}},
		{"request", "request?id=request-17", []string{"Request request-17", "ben", "olga", "5 "}[:3]},
		{"settings", "settings", []string{"redact.fields", "*sqlrepo.Repository", "answers", "Invoice", "There is none"}},
		{"clear", "clear?action=deleted", []string{"Remove 1 event for ever?", "remove 1 event", "deleted"}},
		{"no page", "nowhere", []string{"There is no such page"}},
		{"no event", "event?id=nobody", []string{"There is no such event"}},
	} {
		for _, mode := range []string{"", " dark", " phone"} {
			switch mode {
			case " dark":
				b.dark()
			case " phone":
				b.phone()
			}
		}
		b.open(page.address)
		b.says(page.shown...)
	}
}

func TestEveryPageIsAccessible(t *testing.T) {
	t.Parallel()
	app, change := shop(t)
	b := browse(t, app)
	pages := []string{
		"", "?actor=nobody", "?limit=9999", "?q=olga&range=7d&reason=x", "event?id=" + change.ID, "record?object=Invoice&id=1", "record?object=Invoice&id=2",
		"transaction?id=" + change.TransactionID, "request?id=request-17", "settings", "clear?action=deleted", "nowhere",
	}
	check := func(kind string) {
		for i, page := range pages {
			b.open(page)
			b.accessible()
			b.fits()
			b.picture(fmt.Sprintf("%s-%02d", kind, i))
		}
	}
	check("light")
	b.dark()
	if got := eval[string](b, "getComputedStyle(document.body).backgroundColor"); got != "rgb(20, 23, 26)" {
		t.Errorf("in the dark the paper is %s", got)
	}
	check("dark")
	b.phone()
	check("phone")
}

func TestPagingGoesBothWays(t *testing.T) {
	t.Parallel()
	n := 3000
	if heavy, err := strconv.Atoi(os.Getenv("EVENT_AUDIT_TEST_PANEL_EVENTS")); err == nil {
		n = heavy
	}
	app := open(t, testdb.Postgres, nil)
	middle := fill(t, app.audit.Repository(), n)
	all := make([]string, 0, n)
	for e, err := range app.audit.All(t.Context(), event.Filter{Order: event.NewestFirst}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e.ID)
	}
	b := browse(t, app)
	expect := func(from int) {
		t.Helper()
		if diff := cmp.Diff(all[from:min(from+50, n)], b.ids()); diff != "" {
			t.Fatalf("the page from event %d on (-want +got):\n%s", from, diff)
		}
	}
	b.open("")
	if n > 10_000 {
		b.says("more than 10,000 events")
	} else {
		b.says("3,000 events")
	}
	pages := min(n/50, 100)
	for page := range pages {
		expect(page * 50)
		if page < pages-1 {
			b.follow("a[rel=next]")
		}
	}
	for page := pages - 2; page >= 0; page-- {
		b.follow("a[rel=prev]")
		expect(page * 50)
	}
	b.follow("a[rel=last]")
	expect(n - 50)
	b.follow("a[rel=prev]")
	expect(n - 100)
	b.follow("a[rel=first]")
	expect(0)
	at := slices.Index(all, middle.ID)
	b.open("?after=" + string(middle.Cursor()))
	for range 20 {
		expect(at + 1)
		b.follow("a[rel=next]")
		at += 50
	}
	for range 20 {
		b.follow("a[rel=prev]")
		at -= 50
		expect(at + 1)
	}
	// A page that has lost its neighbours shows the first page in full.
	b.open("?before=" + string(app.events(t, event.Filter{ID: all[10]})[0].Cursor()))
	expect(0)
}

func TestAFilterIsInTheAddress(t *testing.T) {
	t.Parallel()
	app := open(t, testdb.SQLitePure, nil)
	app.write(t, series(300)...)
	b := browse(t, app)
	b.open("")
	b.fill("[name=actor]", "ben")
	b.fill("[name=category]", "auth")
	b.follow(".filter .primary")
	if q := b.query(); q.Get("actor") != "ben" || q.Get("category") != "auth" {
		t.Errorf("the address asks for %v", q)
	}
	want := b.ids()
	if len(want) != 25 {
		t.Errorf("%d events of ben's", len(want))
	}
	b.says("25 events")
	other := browse(t, app) // somebody else opens the address
	other.open("?" + b.query().Encode())
	if diff := cmp.Diff(want, other.ids()); diff != "" {
		t.Errorf("the shared address shows something else: %s", diff)
	}
	b.follow(".chip") // without the category
	if q := b.query(); q.Get("category") != "" || q.Get("actor") != "ben" {
		t.Errorf("without the category the address asks for %v", q)
	}
	e := app.events(t, event.Filter{Limit: 1})[0]
	b.fill("[name=q]", e.ActionObjectID)
	b.follow(".filter .primary")
	if got := b.ids(); len(got) != 0 {
		t.Errorf("an event of olga's among those of ben: %v", got)
	}
	for _, id := range []string{e.ID, e.ActionObjectID} {
		b.open("?q=" + id)
		if got := b.ids(); !cmp.Equal(got, []string{e.ID}) {
			t.Errorf("search for %s finds %v", id, got)
		}
	}
	b.open("?limit=25")
	b.follow(".histogram svg > a:last-of-type")
	if q := b.query(); q.Get("from") == "" || q.Get("to") == "" || q.Get("limit") != "25" {
		t.Errorf("a bar leads to %v", q)
	}
	if n := len(b.ids()); n == 0 || n > 25 {
		t.Errorf("a bar leads to %d events", n)
	}
	b.follow(".quick a:nth-child(3)")
	if q := b.query(); q.Get("range") != "7d" || q.Get("from") != "" {
		t.Errorf("a quick range leads to %v", q)
	}
}

func TestTheTailShowsWhatComes(t *testing.T) {
	t.Parallel()
	app := open(t, testdb.SQLitePure, nil)
	app.write(t, series(3)...)
	b := browse(t, app)
	b.open("?category=custom")
	b.until("!document.getElementById('live').hidden")
	eval[bool](b, "(() => { document.getElementById('live').click(); return true })()")
	b.until("document.getElementById('live-state').textContent === 'watching'")
	for i := range 3 {
		e := event.New("custom", fmt.Sprintf("<b>deed %d</b>", i))
		other := event.New("other", "not asked for")
		if err := app.audit.Record(t.Context(), e, other); err != nil {
			t.Fatal(err)
		}
		b.until(fmt.Sprintf("document.querySelector('#rows > tr').innerText.includes('<b>deed %d</b>')", i))
	}
	late := event.New("custom", "committed late")
	late.Timestamp = time.Now().Add(-3 * time.Second)
	app.write(t, late)
	b.until("document.querySelector('#rows > tr').innerText.includes('committed late')")
	if n := len(b.ids()); n != 4 {
		t.Errorf("%d rows", n)
	}
	b.says("4 new events")
	eval[bool](b, "(() => { document.getElementById('live').click(); return true })()")
	b.until("document.getElementById('live').getAttribute('aria-pressed') === 'false'")
}

func TestAnExportIsDownloaded(t *testing.T) {
	t.Parallel()
	app := open(t, testdb.SQLitePure, nil)
	app.write(t, series(2000)...)
	b := browse(t, app)
	folder := t.TempDir()
	b.downloads(folder)
	b.open("?actor=kim")
	eval[bool](b, "(() => { document.querySelector('.export select').value = 'jsonl'; document.querySelector('.export button').click(); return true })()")
	var file string
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(30 * time.Second); file == "" && time.Now().Before(deadline); <-again.C {
		found, err := filepath.Glob(filepath.Join(folder, "events-*.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		file = strings.Join(found, "")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if lines, kims := strings.Count(string(text), "\n"), strings.Count(string(text), `"actor":"kim"`); lines != 666 || kims != 666 {
		t.Errorf("%d lines, %d of kim's", lines, kims)
	}
	recorded := app.events(t, event.Filter{Category: event.CategoryAudit})
	if len(recorded) != 2 || recorded[0].Action != event.ActionExporting || recorded[1].Action != event.ActionExported || recorded[1].Actor != "tester" || string(recorded[1].Result) != `{"count":666}` {
		t.Errorf("recorded: %v", recorded)
	}
}

func TestClearIsConfirmed(t *testing.T) {
	t.Parallel()
	app := open(t, testdb.SQLitePure, nil)
	app.write(t, series(90)...)
	b := browse(t, app)
	b.open("?actor=kim")
	b.follow(".tools .danger")
	b.says("Remove 30 events for ever?", "remove 30 events")
	b.fill("#phrase", "yes")
	b.follow(".confirm button")
	b.says("Nothing was removed")
	if n := app.count(t, event.Filter{}); n != 90 {
		t.Fatalf("%d events are left", n)
	}
	b.fill("#phrase", "remove 30 events")
	b.follow(".confirm button")
	b.says("30 events removed")
	if kims, others := app.count(t, event.Filter{Actor: "kim"}), app.count(t, event.Filter{ActionObject: "Order"}); kims != 0 || others != 60 {
		t.Errorf("%d events of kim's are left, %d in all", kims, others)
	}
	recorded := app.events(t, event.Filter{Category: event.CategoryAudit})
	if len(recorded) != 2 || recorded[1].Action != event.ActionCleared || !strings.Contains(string(recorded[1].Payload), `"actor":"kim"`) || string(recorded[1].Result) != `{"count":30}` {
		t.Errorf("recorded: %v", recorded)
	}
	b.forget() // the browser's own note of the answer 409
}

// Another site cannot make a browser remove anything.
func TestAnotherSiteCannotPost(t *testing.T) {
	t.Parallel()
	app := open(t, testdb.SQLitePure, nil)
	app.write(t, series(3)...)
	b := browse(t, app)
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<form method="post" action="%sclear"><input name="to" value="2100-01-01"><input name="phrase" value="remove 3 events"><button id="go">Go</button></form>`, b.base) //nolint:errcheck // the test will tell
	}))
	t.Cleanup(evil.Close)
	b.do(chromedp.Navigate(strings.Replace(evil.URL, "127.0.0.1", "localhost", 1)))
	b.follow("#go")
	b.says("Forbidden")
	b.forget() // that was the other site
	if n := app.count(t, event.Filter{ActionObject: "Order"}); n != 3 {
		t.Errorf("%d events are left", n)
	}
	if n := app.count(t, event.Filter{Action: event.ActionAccessing, Outcome: event.OutcomeDenied}); n != 1 {
		t.Errorf("%d attempts were recorded", n)
	}
}

func TestEverythingWorksWithoutScripts(t *testing.T) {
	t.Parallel()
	app, change := shop(t)
	app.write(t, series(120)...)
	b := browse(t, app)
	b.withoutScripts()
	b.open("")
	if eval[bool](b, "!document.getElementById('live').hidden") {
		t.Error("the tail is offered, which needs a script")
	}
	first := b.ids()
	b.follow("a[rel=next]")
	b.follow("a[rel=prev]")
	if diff := cmp.Diff(first, b.ids()); diff != "" {
		t.Errorf("there and back: %s", diff)
	}
	b.open("?action=changed&object=")
	b.open("?action=changed&actor=olga&action_object=Invoice")
	b.follow("#rows .time a")
	b.says("19900", change.ID)
	b.follow(".crumbs a:nth-of-type(2)")
	b.says("Life", "State after the last event")
	b.follow(".timeline li:last-child .head .find")
	b.says("State at")
	b.open("clear?actor=ben")
	b.says("for ever?")
	b.open("settings")
	b.says("redact.fields")
	b.open("?category=auth")
	b.follow(".tools .danger")
	n := app.count(t, event.Filter{Category: "auth"})
	b.fill("#phrase", fmt.Sprintf("remove %d events", n))
	b.follow(".confirm button")
	b.says("events removed")
	b.forget()
}

// Letters that a repository refuses can be tried again, and lost on purpose.
func TestDeadLettersAreRetriedAndDiscarded(t *testing.T) {
	t.Parallel()
	picky := &picky{Repository: memrepo.New(nil)}
	app := open(t, testdb.SQLitePure, nil, eventaudit.WithRepository(picky), func(c *eventaudit.Config) { c.Relay.Enabled = false })
	for _, action := range []string{"refused one", "refused two"} {
		if err := app.audit.Record(t.Context(), event.New("custom", action)); err != nil {
			t.Fatal(err)
		}
	}
	box, err := outbox.New(app.db, picky, &outbox.Options{MaxAttempts: 1})
	if err != nil {
		t.Fatal(err)
	}
	flush := func() {
		t.Helper()
		box.Start()
		if err := box.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	flush()
	t.Cleanup(func() {
		if err := box.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	b := browse(t, app)
	b.open("settings")
	b.says("Dead letters", "refused one", "refused two", "not today")
	b.accessible()
	b.fill("[name=phrase]", "please")
	eval[bool](b, "(() => { document.querySelector('[name=id]').checked = true; return true })()")
	b.follow("[formaction=discard]")
	b.says("That cannot be asked for")
	b.forget()
	b.open("settings")
	b.fill("[name=phrase]", "discard")
	eval[bool](b, "(() => { document.querySelector('[name=id]').checked = true; return true })()")
	b.follow("[formaction=discard]")
	b.says("The dead letters were removed.", "refused two")
	if strings.Contains(b.text(), "refused one") {
		t.Error("the letter is still there")
	}
	eval[bool](b, "(() => { document.querySelector('[name=id]').checked = true; return true })()")
	b.follow("form[action=retry] button:not([formaction])")
	b.says("The dead letters are in the outbox again.")
	flush()
	recorded := app.count(t, event.Filter{Action: event.ActionDiscarded, Actor: "tester"}) + app.count(t, event.Filter{Action: event.ActionRetried, Actor: "tester"})
	if recorded != 2 {
		t.Errorf("%d of two deeds were recorded", recorded)
	}
}

// picky refuses some events.
type picky struct{ *memrepo.Repository }

func (p *picky) Write(ctx context.Context, events ...event.Event) error {
	rejected := &repository.RejectedError{Err: errors.New("not today")}
	var fine []event.Event
	for _, e := range events {
		if strings.HasPrefix(e.Action, "refused") {
			rejected.IDs = append(rejected.IDs, e.ID)
		} else {
			fine = append(fine, e)
		}
	}
	if err := p.Repository.Write(ctx, fine...); err != nil || len(rejected.IDs) == 0 {
		return err
	}
	return rejected
}
