package admin_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

// hostile are values that want to be more than text.
var hostile = []struct{ name, value string }{
	{"script", `<script>window.pwned=1</script>`},
	{"image", `"><img src=x onerror=window.pwned=1>`},
	{"single quotes", `'><svg onload='window.pwned=1'>`},
	{"attribute", `x" autofocus onfocus="window.pwned=1`},
	{"address", `javascript:window.pwned=1`},
	{"data address", `data:text/html,<script>window.pwned=1</script>`},
	{"end of everything", `</bdi></td></tr></table></title></textarea></style></script><script>window.pwned=1</script>`},
	{"template", `{{.}}${window.pwned=1}`},
	{"style", `</style><style>*{display:none}`},
	{"comment", `<!-- ]]> --!>`},
	{"entity", `&lt;script&gt;&#x3c;`},
	{"frame", `<iframe src="javascript:window.pwned=1"></iframe><base href="https://evil.example/"><meta http-equiv=refresh content=0>`},
	{"controls", "a\x01b\x1b[2Jc\x7f\td\r\ne"},
	{"from right to left", "invoice\u202egnp.exe\u202c \u2067abc\u2069 \u200f\u200e\u061c"},
	{"nothing to see", "a\u200bb\u2060c\ufeffd\u00ade"},
	{"Hebrew and Arabic", "שלום عليكم"},
	{"long", strings.Repeat("all of this is one long value, ", 4000)},
	{"long word", strings.Repeat("W", 100_000)},
	{"stacked marks", "Z" + strings.Repeat("\u0353\u0321", 400)},
	{"path", `../../etc/passwd?x=1&y=2#z%0d%0aSet-Cookie:a=b`},
}

// everywhere returns an event with the value in every field.
func everywhere(value string) event.Event {
	e := event.New(value, value)
	e.Actor, e.ActionObject, e.ActionObjectID, e.TargetType, e.TargetID = value, value, value, value, value
	e.Error, e.TransactionID, e.RequestID, e.TraceID, e.Tenant, e.Reason = value, value, value, value, value, value
	e.OnBehalfOf, e.IPAddress, e.UserAgent, e.Meta = value, value, value, map[string]string{value: value}
	e.Outcome = event.OutcomeFailure
	e.Payload, e.Result = event.JSON(map[string]any{value: value}), event.JSON(value)
	if len(value) <= event.MaxIDLength {
		e.ID = "id " + value
	}
	return e
}

// aboutRow returns a change of a row whose columns are named and filled so.
func aboutRow(value string) event.Event {
	e := everywhere(value)
	e.ID, e.Category, e.Action, e.Payload = event.NewID(), event.CategoryModel, event.ActionChanged, nil
	e.TargetType, e.TargetID = "", ""
	e.Result = event.JSON(map[string]any{"old": map[string]any{value: value}, "new": map[string]any{value: "new " + value}})
	return e
}

// inert checks that the page is what the panel made of it, and no more.
func (b *tab) inert(name string) {
	b.t.Helper()
	for what, expression := range map[string]string{
		"a script ran":                 "window.pwned !== undefined",
		"there is a script":            "document.querySelectorAll('script').length !== 1",
		"there is a foreign element":   "document.querySelector('img, iframe, object, embed, base, style, [http-equiv], main svg svg, body script') !== null",
		"there is a handler":           "[...document.querySelectorAll('*')].some((e) => [...e.attributes].some((a) => a.name.startsWith('on') || a.name === 'style'))",
		"a link leads elsewhere":       "[...document.querySelectorAll('a, form, [formaction]')].some((e) => new URL(e.href?.baseVal ?? e.href ?? e.action ?? '', location.href).origin !== location.origin)",
		"something hidden is in it":    `/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/.test(document.querySelector('main').innerText + document.title)`,
		"the frame of the page is off": "document.querySelectorAll('header.top, main#main, footer.bottom').length !== 3",
	} {
		if eval[bool](b, expression) {
			b.t.Errorf("%s at %.200s: %s", name, b.location(), what)
		}
	}
	b.fits()
}

func TestHostileEventsAreInert(t *testing.T) {
	t.Parallel()
	app := open(t, testdb.SQLitePure, nil)
	b := browse(t, app)
	for _, h := range hostile {
		e, row := everywhere(h.value), aboutRow(h.value)
		app.write(t, e, row)
		same := func(page, id string) string { return page + "?" + url.Values{"id": {id}}.Encode() }
		record := "record?" + url.Values{"object": {h.value}, "id": {h.value}}.Encode()
		for _, page := range []string{
			same("event", e.ID), same("event", row.ID), record, same("transaction", h.value), same("request", h.value),
			"?" + url.Values{"q": {e.ID}}.Encode(), "", "clear?" + url.Values{"id": {e.ID}}.Encode(),
		} {
			if len(page) > 60_000 { // browsers and servers do not take that
				continue
			}
			b.open(page)
			b.inert(h.name)
		}
		b.open(same("event", e.ID))
		if shown := b.text(); len(h.value) < 200 && !strings.Contains(h.value, "\n") && !strings.ContainsFunc(h.value, func(r rune) bool { return r == 0x202e || r < ' ' || r == 0x200b }) && !strings.Contains(shown, h.value) {
			t.Errorf("%s is not shown as it is:\n%s", h.name, shown)
		}
	}
	b.open("?limit=200")
	b.inert("all of them")
	b.accessible()
	b.picture("hostile")
	b.phone()
	b.open("?limit=200")
	b.inert("all of them on a phone")
	b.picture("hostile-phone")
}

func TestHostileAddressesAreInert(t *testing.T) {
	t.Parallel()
	app := open(t, testdb.SQLitePure, nil)
	app.write(t, series(3)...)
	b := browse(t, app)
	for _, h := range hostile {
		fields, every := url.Values{}, url.Values{}
		for _, name := range append(event.FilterFields(), "q") {
			value := h.value[:min(len(h.value), 200)]
			every.Set(name, value)
			if name != "outcome" {
				fields.Set(name, value)
			}
		}
		b.open("?" + fields.Encode())
		b.inert(h.name + " in every field")
		for _, name := range []string{"outcome", "from", "to", "range", "limit", "after", "before", "oldest", "no such parameter"} {
			value := h.value[:min(len(h.value), 5000)]
			every.Set(name, value)
			b.open("?" + url.Values{name: {value}}.Encode())
			b.inert(h.name + " in " + name)
		}
		b.open("?" + every.Encode())
		b.inert(h.name + " in every parameter")
		b.open("?" + url.Values{h.value[:min(len(h.value), 5000)]: {"x"}}.Encode())
		b.inert(h.name + " as a parameter")
		for _, page := range []string{"event?id=", "transaction?id=", "request?id=", "record?object=x&at=x&id=", "record?object=x&id=x&at=", "settings?done=", "clear?actor="} {
			b.open(page + url.QueryEscape(h.value[:min(len(h.value), 5000)]))
			b.inert(h.name + " in " + page)
		}
	}
	b.open("?actor=%ff%fe")
	b.inert("broken text")
	b.says("actor")
}

// The live tail brings rows into a page that is there already.
func TestHostileEventsAreInertInTheTail(t *testing.T) {
	t.Parallel()
	app := open(t, testdb.SQLitePure, nil)
	b := browse(t, app)
	b.open("")
	b.until("!document.getElementById('live').hidden")
	eval[bool](b, "(() => { document.getElementById('live').click(); return true })()")
	b.until("document.getElementById('live-state').textContent === 'watching'")
	for _, h := range hostile {
		app.write(t, everywhere(h.value), aboutRow(h.value))
	}
	b.until(fmt.Sprintf("document.querySelectorAll('#rows > tr').length === %d", 2*len(hostile)))
	b.inert("the tail")
}
