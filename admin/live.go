package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/eventaudit/eventaudit/event"
)

// The live tail.
const (
	// maxTails is how many there may be at once.
	maxTails = 32
	// tailInterval is how often the repository is asked.
	tailInterval = time.Second
	// tailLag is for how long an event may commit later than it says: lists are
	// in the order of timestamps, and the last one seen is not the last to come.
	tailLag = 10 * time.Second
	// tailBack is how far back a tail begins at most.
	tailBack = time.Minute
	// tailPage is how many events are read at once.
	tailPage = 1000
	// tailLife is after which time the browser has to ask anew, so that it is
	// asked again whether it may.
	tailLife = 5 * time.Minute
)

// live sends events as they come, as server-sent events whose data are rows of
// the list. It ends with the request.
func (h *panel) live(w http.ResponseWriter, r *http.Request) error {
	q, err := parseQuery(r.URL.Query(), h.now())
	if err != nil {
		return err
	}
	if r.Method == http.MethodHead { // there is no end to wait for
		w.Header().Set("Content-Type", "text/event-stream")
		return nil
	}
	select {
	case h.tails.places <- struct{}{}:
		defer func() { <-h.tails.places }()
	default:
		w.Header().Set("Retry-After", "60")
		http.Error(w, "Too many people are watching.", http.StatusServiceUnavailable)
		return nil
	}
	ctx, cancel := context.WithTimeout(r.Context(), tailLife)
	defer cancel()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	t := tail{handler: h, query: q, from: since(q, r.Header.Get("Last-Event-ID")), sent: map[string]time.Time{}, out: w, control: http.NewResponseController(w)}
	if err := t.run(ctx, h.tails.until(r)); ctx.Err() == nil && !errors.Is(err, errGone) {
		h.logger.ErrorContext(ctx, "a live tail of the admin panel broke off", "error", err)
	}
	return nil // the browser asks again by itself
}

// tails bounds the live tails, and ends them when their server shuts down, which
// would wait for them otherwise.
type tails struct {
	places chan struct{} // as many as there may be

	mutex    sync.Mutex
	stopping map[*http.Server]chan struct{}
}

// until returns what is closed when the server of the request shuts down.
func (t *tails) until(r *http.Request) <-chan struct{} {
	server, ok := r.Context().Value(http.ServerContextKey).(*http.Server)
	if !ok {
		return nil
	}
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.stopping[server] == nil {
		stop := make(chan struct{})
		t.stopping[server] = stop
		server.RegisterOnShutdown(func() { close(stop) })
	}
	return t.stopping[server]
}

// since returns the moment from which on events are sent: that of the last one
// that the browser has, unless it is long ago. It knows those that it has.
func since(q query, last string) time.Time {
	now := time.Now()
	if last == "" {
		last = string(q.after)
	}
	at, _, err := event.Cursor(last).Position()
	if err != nil || at.After(now) {
		return now
	}
	return later(at.Add(-tailLag), now.Add(-tailBack))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// tail is a live tail.
type tail struct {
	handler *panel
	query   query
	// from is the moment before which everything has been sent; sent are the
	// events after it that have been.
	from    time.Time
	sent    map[string]time.Time
	out     io.Writer
	control *http.ResponseController
}

// run asks and sends until the context or the server ends.
func (t *tail) run(ctx context.Context, stop <-chan struct{}) error {
	if err := t.write("retry: 2000\n\n"); err != nil {
		return err
	}
	again := time.NewTicker(tailInterval)
	defer again.Stop()
	for {
		text, err := t.poll(ctx)
		if err != nil {
			return err
		}
		if err := t.write(text + ":\n\n"); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-stop:
			return errGone
		case <-again.C:
		}
	}
}

// poll returns what has come since, as the stream has it.
func (t *tail) poll(ctx context.Context) (string, error) {
	f, asked, read := t.query.filter, time.Now(), 0
	f.Order, f.Limit, f.From, f.To = event.OldestFirst, tailPage, later(f.From, t.from), time.Time{}
	var text strings.Builder
	for e, err := range t.handler.audit.All(ctx, f) {
		if err != nil {
			return "", err
		}
		if read++; read == tailPage { // there may be more, of which this is the oldest
			asked = e.Timestamp.Add(tailLag)
		}
		if _, known := t.sent[e.ID]; known || !t.query.finds(e) {
			continue
		}
		t.sent[e.ID] = e.Timestamp
		if err := message(&text, e, t.handler.row(e)); err != nil {
			return "", err
		}
	}
	t.from = later(t.from, asked.Add(-tailLag))
	maps.DeleteFunc(t.sent, func(_ string, at time.Time) bool { return at.Before(t.from) })
	return text.String(), nil
}

// finds reports whether the event has the text that is searched.
func (q query) finds(e event.Event) bool {
	return q.text == "" || slices.ContainsFunc(searched, func(name string) bool {
		f, possible := with(event.Filter{}, name, q.text)
		return possible && f.Match(e)
	})
}

// message adds an event to the stream.
func message(stream *strings.Builder, e event.Event, r row) error {
	var text strings.Builder
	if err := templates.ExecuteTemplate(&text, "row", r); err != nil {
		return err
	}
	fmt.Fprintf(stream, "id: %s\ndata: %s\n\n", e.Cursor(), strings.Join(strings.Fields(text.String()), " "))
	return nil
}

// write sends at once, and gives the client a while to take it.
func (t *tail) write(text string) error {
	if err := t.control.SetWriteDeadline(time.Now().Add(tailLag)); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return gone(err)
	}
	if _, err := io.WriteString(t.out, text); err != nil {
		return gone(err)
	}
	return gone(t.control.Flush())
}
