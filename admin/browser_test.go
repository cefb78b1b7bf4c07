package admin_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/eventaudit/eventaudit/internal/testdb"
)

// tab is a page in a real browser.
type tab struct {
	t    *testing.T
	ctx  context.Context
	base string

	mutex sync.Mutex
	// wrong is what no page may do: errors, dialogs, requests to elsewhere.
	wrong []string
}

// chromium returns the program, or skips the test where there is none.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if testdb.Strict() {
		t.Fatalf("chromium is not installed and %s=1 forbids to skip; install it", testdb.StrictVariable)
	}
	t.Skip("chromium is not installed; install it to run the tests in a browser")
	return ""
}

// browse opens a browser on the panel.
func browse(t *testing.T, app trail) *tab {
	t.Helper()
	return browseWith(t, app, chromedp.Headless)
}

func browseWith(t *testing.T, app trail, option chromedp.ExecAllocatorOption) *tab {
	t.Helper()
	program := chromium(t)
	server := httptest.NewServer(app.panel)
	t.Cleanup(server.Close)
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program), chromedp.Flag("no-sandbox", true), chromedp.Flag("disable-gpu", true),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.UserDataDir(t.TempDir()), chromedp.WSURLReadTimeout(time.Minute), option)
	allocator, cancel := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	b := &tab{t: t, ctx: ctx, base: server.URL + at("")}
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(1280, 900)); err != nil { // the browser lives as long as this context
		t.Fatal(err)
	}
	if err := chromedp.Listen(ctx, b.watch); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		b.mutex.Lock()
		defer b.mutex.Unlock()
		for _, problem := range b.wrong {
			t.Error(problem)
		}
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
		defer cancel()
		if err := chromedp.Cancel(ending); err != nil {
			t.Log("the browser does not close:", err)
		}
	})
	return b
}

// watch notes what no page may do.
func (b *tab) watch(what any) {
	problem := ""
	switch e := what.(type) {
	case *page.EventJavascriptDialogOpening:
		problem = "a dialog opened: " + e.Message
	case *runtime.EventExceptionThrown:
		problem = "a script failed: " + e.ExceptionDetails.Text
	case *log.EventEntryAdded:
		if strings.Contains(e.Entry.Text, "Content Security Policy") {
			problem = "the policy was broken: " + e.Entry.Text
		}
	case *network.EventRequestWillBeSent:
		if host := e.Request.URL; !strings.HasPrefix(host, strings.TrimSuffix(b.base, at(""))) && !strings.HasPrefix(host, "data:") {
			problem = "a request went to " + host
		}
	}
	if problem != "" {
		b.mutex.Lock()
		defer b.mutex.Unlock()
		b.wrong = append(b.wrong, problem)
	}
}

// forget takes note that something was meant to go wrong.
func (b *tab) forget() (was []string) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	was, b.wrong = b.wrong, nil
	return was
}

func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// command is an action that sends one command of the protocol.
func command[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, params)
		return err
	})
}

// open goes to a page of the panel.
func (b *tab) open(page string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.base + page))
}

// without switches scripts off.
func (b *tab) withoutScripts() {
	b.t.Helper()
	b.do(command(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}))
}

// dark switches to the dark scheme.
func (b *tab) dark() {
	b.t.Helper()
	b.do(command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}},
	}))
}

// phone makes the window as small as a phone.
func (b *tab) phone() {
	b.t.Helper()
	b.do(chromedp.EmulateViewport(375, 812, chromedp.EmulateMobile))
}

// downloads keeps files in the folder.
func (b *tab) downloads(folder string) {
	b.t.Helper()
	b.do(command(browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{Behavior: "allow", DownloadPath: folder}))
}

// eval returns what the expression yields.
func eval[T any](b *tab, expression string) (value T) {
	b.t.Helper()
	text, err := b.json(expression)
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		b.t.Fatalf("%s: %v in %s", expression, err, text)
	}
	return value
}

func (b *tab) json(expression string) (string, error) {
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	wrapped := "(async () => JSON.stringify((await (" + expression + ")) ?? null))()"
	return chromedp.Run(ctx, chromedp.Evaluate[string](wrapped, chromedp.EvalAwaitPromise))
}

// until waits for the condition. A page that is being left has none.
func (b *tab) until(condition string) {
	b.t.Helper()
	last := ""
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); <-again.C {
		text, err := b.json(condition)
		if err == nil && text == "true" {
			return
		}
		last = fmt.Sprint(text, err)
	}
	b.t.Fatalf("it never came to %s; at the end %s at %s", condition, last, b.location())
}

// follow clicks a link or button, and waits for the page that it leads to.
func (b *tab) follow(selector string) {
	b.t.Helper()
	eval[bool](b, "window.left = true")
	if !eval[bool](b, fmt.Sprintf("(() => { const e = document.querySelector(%q); if (e) e.dispatchEvent(new MouseEvent('click', {bubbles: true, cancelable: true})); return !!e })()", selector)) {
		b.t.Fatalf("there is no %s at %s", selector, b.location())
	}
	b.until("!window.left && document.readyState === 'complete'")
}

// fill types into a field.
func (b *tab) fill(selector, text string) {
	b.t.Helper()
	eval[bool](b, fmt.Sprintf("(() => { document.querySelector(%q).value = %s; return true })()", selector, quoted(text)))
}

func quoted(text string) string {
	raw, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

func (b *tab) location() string {
	text, err := b.json("location.href")
	if err != nil {
		return err.Error()
	}
	return text
}

// query is the part of the address behind the question mark.
func (b *tab) query() url.Values {
	b.t.Helper()
	values, err := url.ParseQuery(strings.TrimPrefix(eval[string](b, "location.search"), "?"))
	if err != nil {
		b.t.Fatal(err)
	}
	return values
}

// ids are the events on the page.
func (b *tab) ids() []string {
	b.t.Helper()
	return eval[[]string](b, "[...document.querySelectorAll('#rows > tr')].map((row) => row.dataset.id)")
}

// text is what is seen of the page.
func (b *tab) text() string {
	b.t.Helper()
	return eval[string](b, "document.body.innerText")
}

// says checks that the page shows each of the texts.
func (b *tab) says(texts ...string) {
	b.t.Helper()
	shown := b.text()
	for _, text := range texts {
		if !strings.Contains(shown, text) {
			b.t.Errorf("%s does not show %q:\n%.2000s", b.location(), text, shown)
		}
	}
}

// fits checks that nothing hangs out of the window.
func (b *tab) fits() {
	b.t.Helper()
	if wide := eval[int](b, "document.documentElement.scrollWidth - document.documentElement.clientWidth"); wide > 0 {
		b.t.Errorf("%s is %d pixels too wide", b.location(), wide)
	}
}

// picture keeps a screenshot where the variable says so, for people to look at.
func (b *tab) picture(name string) {
	b.t.Helper()
	folder := os.Getenv("EVENT_AUDIT_TEST_PICTURES")
	if folder == "" {
		return
	}
	raw, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, name+".png"), raw, 0o600)
	}
	if err != nil {
		b.t.Error(err)
	}
}

// violations are what axe-core finds wrong, of the serious kind.
func (b *tab) accessible() {
	b.t.Helper()
	source, err := os.ReadFile("testdata/axe.min.js")
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.json("(() => {" + string(source) + "; return typeof axe })()"); err != nil {
		b.t.Fatal(err)
	}
	found := eval[[]string](b, `(async () => {
		const result = await axe.run(document, {resultTypes: ["violations", "passes"]});
		if (result.passes.length < 10) return ["axe-core looked at nothing"];
		return result.violations.filter((v) => v.impact === "serious" || v.impact === "critical")
			.map((v) => v.id + ": " + v.help + " " + v.nodes.slice(0, 3).map((n) => n.html.slice(0, 200) + " " + n.failureSummary).join("; "));
	})()`)
	for _, violation := range found {
		b.t.Errorf("%s: %s", b.location(), violation)
	}
}
