package admin_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"html"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/admin"
	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/export"
	"github.com/eventaudit/eventaudit/internal/testdb"
	"github.com/eventaudit/eventaudit/repository/memrepo"
)

func TestEveryFormatIsExported(t *testing.T) {
	t.Parallel()
	app := open(t, testdb.SQLitePure, nil)
	app.write(t, series(500)...)
	names := export.Names()
	for _, name := range names {
		answer := app.ask(t, post("export", url.Values{"format": {name}, "actor": {"olga"}, "limit": {"25"}}))
		if answer.Code != http.StatusOK || !strings.HasSuffix(answer.Header().Get("Content-Disposition"), "."+name+`"`) {
			t.Errorf("%s: %d %v", name, answer.Code, answer.Header())
		}
		format, err := export.Lookup(name)
		if err != nil || answer.Header().Get("Content-Type") != format.MediaType {
			t.Errorf("%s is sent as %s", name, answer.Header().Get("Content-Type"))
		}
		if n := strings.Count(answer.Body.String(), "olga"); n != 167 {
			t.Errorf("%s has %d events", name, n)
		}
	}
	if n := app.count(t, event.Filter{Action: event.ActionExported, Outcome: event.OutcomeSuccess}); n != int64(len(names)) {
		t.Errorf("%d exports were recorded", n)
	}
	for _, form := range []url.Values{{"format": {"exe"}}, {"format": {"csv"}, "from": {"x"}}} {
		if answer := app.ask(t, post("export", form)); answer.Code != http.StatusBadRequest || answer.Header().Get("Content-Disposition") != "" {
			t.Errorf("export of %v: %d", form, answer.Code)
		}
	}
	if answer := app.ask(t, httptest.NewRequest(http.MethodGet, at("export?format=csv"), nil)); answer.Code != http.StatusNotFound {
		t.Errorf("a link exports: %d", answer.Code)
	}
}

// A search is exported as it is shown, all of its pages.
func TestASearchIsExported(t *testing.T) {
	t.Parallel()
	app := open(t, testdb.SQLitePure, nil)
	events := series(1000)
	for i := range events {
		events[i].TransactionID = "the transaction"
	}
	app.write(t, append(events, series(5)...)...)
	answer := app.ask(t, post("export", url.Values{"format": {"jsonl"}, "q": {"the transaction"}}))
	var got, want []string
	for line := range strings.Lines(answer.Body.String()) {
		var e event.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		got = append(got, e.ID)
	}
	for _, e := range events {
		want = append(want, e.ID)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The clock of a server may be ahead. What the page has is exported.
func TestEventsAheadAreExported(t *testing.T) {
	t.Parallel()
	app := open(t, testdb.SQLitePure, nil)
	ahead := series(1)
	ahead[0].Timestamp = time.Now().Add(2 * time.Minute)
	app.write(t, ahead...)
	yesterday := time.Now().UTC().AddDate(0, 0, -1).Format(time.DateOnly)
	for _, form := range []url.Values{{"format": {"jsonl"}}, {"format": {"jsonl"}, "from": {yesterday}}, {"format": {"jsonl"}, "q": {ahead[0].ID}}} {
		answer := app.ask(t, post("export", form))
		if lines := strings.Count(answer.Body.String(), "\n"); answer.Code != http.StatusOK || !strings.Contains(answer.Body.String(), ahead[0].ID) || lines > 7 {
			t.Errorf("%v: %d %s", form, answer.Code, answer.Body)
		}
		if own := strings.Count(answer.Body.String(), event.ActionExporting); own != strings.Count(answer.Body.String(), event.ActionExported) {
			t.Errorf("%v has its own beginning: %s", form, answer.Body)
		}
	}
	later := url.Values{"format": {"csv"}, "from": {time.Now().UTC().AddDate(0, 0, 3).Format(time.DateOnly)}}
	if answer := app.ask(t, post("export", later)); answer.Code != http.StatusOK || strings.Count(answer.Body.String(), "\n") != 1 {
		t.Errorf("%d %s", answer.Code, answer.Body)
	}
}

// failing is a repository that breaks off.
type failing struct{ *memrepo.Repository }

var errBroken = errors.New("secret host db-7.internal is down")

func (f failing) Find(ctx context.Context, filter event.Filter) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		for e, err := range f.Repository.Find(ctx, filter) {
			if !yield(e, err) {
				return
			}
		}
		yield(event.Event{}, errBroken)
	}
}

// Half an export is not to be taken for a whole one, and an error of the
// repository is for the log, not for the page.
func TestAnErrorOfTheRepositoryIsNotShown(t *testing.T) {
	t.Parallel()
	memory := failing{memrepo.New(nil)}
	app := open(t, testdb.SQLitePure, nil, eventaudit.WithRepository(memory))
	app.write(t, series(2000)...)
	if answer := app.ask(t, get("")); answer.Code != http.StatusInternalServerError || strings.Contains(answer.Body.String(), "db-7") {
		t.Errorf("%d %s", answer.Code, answer.Body)
	}
	server := httptest.NewServer(app.panel)
	t.Cleanup(server.Close)
	answer, err := http.PostForm(server.URL+at("export"), url.Values{"format": {"csv"}})
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close() //nolint:errcheck // it breaks off
	if _, err := io.ReadAll(answer.Body); err == nil {
		t.Error("the download did not break off")
	}
}

func TestTailsAreBoundedAndEndWithTheServer(t *testing.T) {
	t.Parallel()
	app := open(t, testdb.SQLitePure, nil)
	server := httptest.NewServer(app.panel)
	tail := func() *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+at("live"), nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { answer.Body.Close() }) //nolint:errcheck // it has ended
		return answer
	}
	var first *http.Response
	for i := range 32 {
		answer := tail()
		if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "text/event-stream" {
			t.Fatalf("tail %d: %d", i, answer.StatusCode)
		}
		if i == 0 {
			first = answer
		}
	}
	if answer := tail(); answer.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("one too many: %d", answer.StatusCode)
	}
	if err := app.audit.Record(t.Context(), event.New("custom", "<deed>")); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(first.Body)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "data:") {
		continue
	}
	if !strings.Contains(lines.Text(), "&lt;deed&gt;") {
		t.Errorf("the tail says %q", lines.Text())
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := server.Config.Shutdown(ctx); err != nil {
		t.Errorf("the server does not end: %v", err)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("the server took %v to end", took)
	}
	server.Close()
}

// The page shows every setting that there is.
func TestTheSettingsAreAllShown(t *testing.T) {
	t.Parallel()
	app := open(t, testdb.SQLitePure, nil, func(c *eventaudit.Config) {
		c.CloudWatch.AccessKey, c.CloudWatch.SecretKey = "geheim", "geheim"
		c.Redis.URL, c.ActiveRepo = "redis://:geheim@localhost", "basic"
		c.Redact.Fields = append(slices.Clone(c.Redact.Fields), "diagnosis")
	})
	page := app.ask(t, get("settings")).Body.String()
	table, err := os.ReadFile("../docs/settings.md")
	if err != nil {
		t.Fatal(err)
	}
	keys := regexp.MustCompile("(?m)^\\| `([a-z_.]+)`").FindAllStringSubmatch(string(table), -1)
	if len(keys) < 20 {
		t.Fatalf("the documentation has %d keys", len(keys))
	}
	for _, key := range keys {
		if !strings.Contains(page, `role="rowheader">`+key[1]+"<") {
			t.Errorf("%s is not shown", key[1])
		}
	}
	if strings.Contains(page, "geheim") || !strings.Contains(page, "***") || !strings.Contains(page, "diagnosis") {
		t.Error("a secret is shown, or a setting is not")
	}
}

// The links of a page lead to the events that have the very value, whatever
// blanks it has.
func TestLinksFindExactlyTheValue(t *testing.T) {
	t.Parallel()
	app := open(t, testdb.SQLitePure, nil)
	for _, actor := range []string{"bob", " bob", "bob ", " ", "\tbob"} {
		e := series(1)[0]
		e.Actor = actor
		app.write(t, e)
		find := "./?" + url.Values{"actor": {actor}}.Encode()
		if page := app.ask(t, get("event?id="+e.ID)).Body.String(); !strings.Contains(html.UnescapeString(page), `href="`+find+`"`) {
			t.Errorf("the event of %q does not lead to %s", actor, find)
		}
	}
	for _, e := range app.events(t, event.Filter{}) {
		page := app.ask(t, get("?"+url.Values{"actor": {e.Actor}}.Encode())).Body.String()
		if n := strings.Count(page, `href="event?id=`); n != 1 || !strings.Contains(page, e.ID) {
			t.Errorf("the link to the events of %q shows %d, or another's", e.Actor, n)
		}
	}
}

func TestItWorksAtTheRoot(t *testing.T) {
	t.Parallel()
	app := open(t, testdb.SQLitePure, nil)
	app.write(t, series(3)...)
	panel, err := admin.New(app.audit, admin.Options{Authorize: anybody, Enabled: true})
	if err != nil {
		t.Fatal(err)
	}
	answer := httptest.NewRecorder()
	panel.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/", nil))
	if answer.Code != http.StatusOK {
		t.Errorf("%d", answer.Code)
	}
	for _, link := range regexp.MustCompile(`(?:href|src|action)="([^"]*)"`).FindAllStringSubmatch(answer.Body.String(), -1) {
		if strings.HasPrefix(link[1], "/") || strings.Contains(link[1], "://") {
			t.Errorf("%s is not relative", link[1])
		}
	}
}

// An asset that the browser has is not sent again, but is asked about.
func TestAssetsAreKept(t *testing.T) {
	t.Parallel()
	app := open(t, testdb.SQLitePure, nil)
	first := app.ask(t, get("style.css"))
	again := app.ask(t, get("style.css"), "If-None-Match", first.Header().Get("ETag"))
	if first.Code != http.StatusOK || again.Code != http.StatusNotModified || first.Header().Get("Cache-Control") != "private, no-cache" {
		t.Errorf("%d, then %d, %v", first.Code, again.Code, first.Header())
	}
}
