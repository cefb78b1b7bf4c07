package admin

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"net/http"
	"time"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/export"
	"github.com/eventaudit/eventaudit/internal/deed"
)

// export sends the events that the form asks for as a file, as they are read.
// It is a POST, since it is recorded: no link of another site's may cause that.
//
// A download that fails breaks off, so that the browser does not take it for
// the whole.
func (h *panel) export(w http.ResponseWriter, r *http.Request) error {
	name, q, err := h.exportForm(w, r)
	if err != nil {
		return err
	}
	format, err := export.Lookup(name)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", format.MediaType)
	w.Header().Set("Content-Disposition", `attachment; filename="events-`+h.now().Format("20060102-150405")+`.`+name+`"`)
	out := &patient{w, http.NewResponseController(w), false}
	narrowing := deed.Narrowing(q.filter)
	if q.text != "" {
		narrowing[paramText] = q.text
	}
	d := deed.Deed{Before: event.ActionExporting, After: event.ActionExported, Facts: map[string]any{"filter": narrowing, "format": name}}
	begun := time.Now().Truncate(time.Microsecond)
	if err := h.bound(r.Context(), &q.filter, begun); err != nil {
		return err
	}
	_, err = deed.Record(r.Context(), h.audit, d, func() (n int64, err error) {
		events := counted(r.Context(), without(h.all(r.Context(), q), begun, event.JSON(d.Facts)), &n)
		return n, format.New(export.Options{Location: h.options.Location}).Export(out, events)
	})
	if err != nil && out.began {
		h.logger.ErrorContext(r.Context(), "an export from the admin panel broke off", "error", err)
		panic(http.ErrAbortHandler)
	}
	if err != nil {
		w.Header().Del("Content-Disposition")
	}
	return err
}

// maxForm is how large a form may be.
const maxForm = 1 << 20

func (h *panel) exportForm(w http.ResponseWriter, r *http.Request) (format string, q query, err error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return "", q, unreadable(err)
	}
	format = r.PostForm.Get("format")
	r.PostForm.Del("format")
	q, err = parseQuery(r.PostForm, h.now())
	return format, q, err
}

// bound ends the filter with what there is now, which may be ahead of the clock:
// an export that follows a busy trail would not end.
func (h *panel) bound(ctx context.Context, f *event.Filter, now time.Time) error {
	newest, end := *f, now
	newest.Order, newest.Limit = event.NewestFirst, 1
	for e, err := range h.audit.Repository().Find(ctx, newest) {
		if err != nil {
			return err
		}
		if last := e.Timestamp.Add(time.Microsecond); last.After(now) {
			end = last
		}
		break
	}
	if end.UTC().Year() < 10000 && (f.From.IsZero() || end.After(f.From)) && (f.To.IsZero() || f.To.After(end)) {
		f.To = end
	}
	return nil
}

// without leaves out the events that tell of this export: those with these facts
// since it began.
func without(events iter.Seq2[event.Event, error], begun time.Time, facts []byte) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		for e, err := range events {
			own := err == nil && e.Category == event.CategoryAudit && e.Action == event.ActionExporting &&
				!e.Timestamp.Before(begun) && bytes.Equal(e.Payload, facts)
			if !own && !yield(e, err) {
				return
			}
		}
	}
}

// counted counts the events as they pass, and ends them when the client is gone.
func counted(ctx context.Context, events iter.Seq2[event.Event, error], n *int64) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		for e, err := range events {
			if ended := ctx.Err(); ended != nil {
				e, err = event.Event{}, ended
			}
			if err == nil {
				*n++
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// patient gives the client a while for each part of a download, however long
// all of it takes.
type patient struct {
	to      io.Writer
	control *http.ResponseController
	began   bool
}

func (p *patient) Write(part []byte) (int, error) {
	p.began = true
	if err := p.control.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return 0, err
	}
	return p.to.Write(part)
}
