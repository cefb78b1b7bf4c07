package admin

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"html/template"
	"net/http"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/plain"
	"github.com/eventaudit/eventaudit/repository"
)

//go:embed templates/*.html
var sources embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"plain": plain.Text, "brief": brief, "shown": shown, "block": block, "number": number, "capital": capital,
}).ParseFS(sources, "templates/*.html"))

// frame is what all pages have in common.
type frame struct {
	// Panel is the name of the panel, Heading that of the page.
	Panel, Heading string
	// Actor is who looks at it.
	Actor string
	// Here is the entry of the navigation that the page belongs to.
	Here string
	// Notice is what has just been done.
	Notice string
	// Zone is the time zone of what is shown.
	Zone string
}

func (h *panel) frame(r *http.Request, here, heading string) frame {
	return frame{
		Panel: h.options.Title, Heading: heading, Actor: event.ActorFrom(r.Context()), Here: here,
		Zone: h.options.Location.String(),
	}
}

// show writes a page. It is made as a whole first: half a page is none.
func (h *panel) show(w http.ResponseWriter, status int, name string, data any) error {
	var text bytes.Buffer
	if err := templates.ExecuteTemplate(&text, name, data); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(text.Len()))
	w.WriteHeader(status)
	_, err := w.Write(text.Bytes())
	return gone(err)
}

// errGone says that there is nobody any more to answer to.
var errGone = errors.New("the client is gone")

func gone(err error) error {
	if err == nil {
		return nil
	}
	return errors.Join(errGone, err)
}

// errNoPage says that the address is none of the panel's.
var errNoPage = errors.New("there is no such page")

// fail answers with a page about the error. What the trail itself has to do
// with is logged, and not shown: it may tell where the database is.
func (h *panel) fail(w http.ResponseWriter, r *http.Request, err error) {
	status, heading, text := http.StatusInternalServerError, "The trail did not answer", "The log of the app says why."
	switch {
	case errors.Is(err, errGone), errors.Is(err, context.Canceled) && r.Context().Err() != nil:
		return
	case errors.Is(err, errNoPage):
		status, heading, text = http.StatusNotFound, "There is no such page", ""
	case errors.Is(err, repository.ErrNotFound):
		status, heading, text = http.StatusNotFound, "There is no such event", "It may have been removed."
	case errors.Is(err, event.ErrInvalid):
		status, heading, text = http.StatusBadRequest, "That cannot be asked for", plain.Lines(err.Error())
	case errors.Is(err, errors.ErrUnsupported):
		status, heading, text = http.StatusNotImplemented, "This repository cannot do that", plain.Lines(err.Error())
	case errors.Is(err, context.DeadlineExceeded):
		status, heading, text = http.StatusGatewayTimeout, "That took too long", "Narrow the list by time or by another field."
	}
	if status >= http.StatusInternalServerError {
		h.logger.ErrorContext(r.Context(), "the admin panel cannot answer", "path", r.URL.Path, "error", err)
	}
	page := struct {
		frame
		Text string
	}{h.frame(r, "", heading), text}
	if err := h.show(w, status, "problem.html", page); err != nil && !errors.Is(err, errGone) {
		h.logger.ErrorContext(r.Context(), "the admin panel cannot answer", "path", r.URL.Path, "error", err)
	}
}

// capital returns the words with a capital letter in front.
func capital(words string) string {
	first, size := utf8.DecodeRuneInString(words)
	return string(unicode.ToUpper(first)) + words[size:]
}

// number writes a number with its thousands apart.
func number(n int64) string {
	text := strconv.FormatInt(n, 10)
	for at := len(text) - 3; at > 0 && text[at-1] != '-'; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

// events says how many events.
func events(n int64) string {
	if n == 1 {
		return "1 event"
	}
	return number(n) + " events"
}

// moment is a time on a page.
type moment struct {
	// Date and Clock are what people read, Exact is all of it and Machine the
	// same for programs.
	Date, Clock, Exact, Machine string
}

func (h *panel) moment(t time.Time) moment {
	t = t.In(h.options.Location)
	return moment{t.Format("2006-01-02"), t.Format("15:04:05"), t.Format("2006-01-02 15:04:05.000000 MST"), t.Format(time.RFC3339Nano)}
}
