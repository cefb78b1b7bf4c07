package admin

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/deed"
	"github.com/eventaudit/eventaudit/outbox"
)

// discardPhrase is what has to be typed to lose a dead letter.
const discardPhrase = "discard"

// retry puts dead letters back into the outbox.
func (h *panel) retry(w http.ResponseWriter, r *http.Request) error {
	return h.letters(w, r, "retried", deed.Deed{Before: event.ActionRetrying, After: event.ActionRetried}, (*outbox.Outbox).Retry)
}

// discard removes dead letters for ever, if that was confirmed.
func (h *panel) discard(w http.ResponseWriter, r *http.Request) error {
	return h.letters(w, r, "discarded", deed.Deed{Before: event.ActionDiscarding, After: event.ActionDiscarded}, (*outbox.Outbox).Discard)
}

// letters does something to the dead letters that the form names, which is
// recorded, and leads back to the settings.
func (h *panel) letters(w http.ResponseWriter, r *http.Request, done string, d deed.Deed, do func(*outbox.Outbox, context.Context, ...string) (int64, error)) error {
	if err := may(h.options.AuthorizeOutbox, r); err != nil {
		h.recordDenial(r, d.Before, err)
		http.Error(w, "Forbidden", http.StatusForbidden)
		return nil
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return unreadable(err)
	}
	ids := r.PostForm["id"]
	if len(ids) == 0 {
		return &event.FieldError{Field: "id", Value: "", Reason: "names no dead letter; tick those that are meant"}
	}
	if typed := r.PostForm.Get("phrase"); d.Before == event.ActionDiscarding && strings.TrimSpace(typed) != discardPhrase {
		return &event.FieldError{Field: "confirmation", Value: typed, Reason: fmt.Sprintf("is not %q; type that to lose the dead letters for ever", discardPhrase)}
	}
	box, ok := h.audit.Outbox()
	if !ok {
		return errNoPage
	}
	d.Facts = map[string]any{"ids": ids}
	n, err := deed.Record(r.Context(), h.audit, d, func() (int64, error) { return do(box, r.Context(), ids...) })
	if err != nil {
		return err
	}
	if n == 0 {
		done = "none"
	}
	h.redirect(w, "settings?done="+done)
	return nil
}

// unreadable is the error of a form that cannot be read.
func unreadable(err error) error {
	return &event.FieldError{Field: "form", Value: "", Reason: "cannot be read: " + err.Error()}
}
