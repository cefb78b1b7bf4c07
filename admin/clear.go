package admin

import (
	"crypto/subtle"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/deed"
	"github.com/eventaudit/eventaudit/repository"
)

// clearPage asks whether events are to be removed for ever.
type clearPage struct {
	frame
	Chips  []chip
	Hidden []pair
	// Count is how many events there are, Phrase what is to be typed.
	Count, Phrase string
	Wrong         bool
	Removed       string
}

// paramPhrase is the name of what is typed in the form.
const paramPhrase = "phrase"

// errPaged says that a question cannot be used to remove events.
var errPaged = &event.FieldError{Field: "q", Value: "", Reason: "cannot be used to remove events; narrow by fields or time"}

// confirmClear asks for a confirmation. The question ends now, so that what is
// removed is what was counted.
func (h *panel) confirmClear(w http.ResponseWriter, r *http.Request) error {
	q, _, allowed, err := h.clearing(w, r)
	if err != nil || !allowed {
		return err
	}
	q.filter = deed.Until(q.filter, time.Now())
	return h.askToClear(w, r, q, false)
}

// clearing returns the question, if the sender may remove what it asks for.
func (h *panel) clearing(w http.ResponseWriter, r *http.Request) (q query, typed string, allowed bool, err error) {
	if err := may(h.options.AuthorizeClear, r); err != nil {
		h.recordDenial(r, event.ActionClearing, err)
		http.Error(w, "Forbidden", http.StatusForbidden)
		return q, "", false, nil
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return q, "", false, unreadable(err)
	}
	values := r.Form
	if r.Method == http.MethodPost {
		values = r.PostForm
	}
	typed = strings.TrimSpace(values.Get(paramPhrase))
	values.Del(paramPhrase)
	q, err = parseQuery(values, h.now())
	if err == nil && (q.text != "" || q.after != "" || q.before != "" || q.oldest) {
		err = errPaged
	}
	if q.quick != "" { // it counts back from now, which goes on
		q.quick = ""
	}
	return q, typed, err == nil, err
}

func (h *panel) askToClear(w http.ResponseWriter, r *http.Request, q query, wrong bool) error {
	n, err := repository.Count(r.Context(), h.audit.Repository(), q.filter)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if wrong {
		status = http.StatusConflict
	}
	page := clearPage{
		frame: h.frame(r, "events", "Remove events"), Chips: q.chips(h.options.Location), Hidden: hidden(q.narrowing()),
		Count: events(n), Phrase: "remove " + events(n), Wrong: wrong,
	}
	return h.show(w, status, "clear.html", page)
}

// clear removes the events for ever, when what was typed says how many there
// are.
func (h *panel) clear(w http.ResponseWriter, r *http.Request) error {
	q, typed, allowed, err := h.clearing(w, r)
	if err != nil || !allowed {
		return err
	}
	if q.filter.To.IsZero() {
		return &event.FieldError{Field: "to", Value: "", Reason: "is missing; begin with the page that asks for a confirmation"}
	}
	n, err := repository.Count(r.Context(), h.audit.Repository(), q.filter)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare([]byte(typed), []byte("remove "+events(n))) != 1 {
		return h.askToClear(w, r, q, true)
	}
	removed, err := deed.Clear(r.Context(), h.audit, h.audit.Repository(), q.filter)
	if err != nil && !errors.Is(err, errors.ErrUnsupported) && removed > 0 {
		h.logger.ErrorContext(r.Context(), "a removal ended early", "removed", removed, "error", err)
	}
	if err != nil {
		return err
	}
	page := clearPage{frame: h.frame(r, "events", "Removed"), Removed: events(removed)}
	return h.show(w, http.StatusOK, "clear.html", page)
}
