package admin

import (
	"net/http"
	"slices"
	"time"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/export"
)

// groupPage is what happened together.
type groupPage struct {
	frame
	ID      string
	Rows    []row
	Summary []fact
	// More leads on where there are more events than a page has.
	More string
}

// inGroup is how many events of a transaction or request are shown.
const inGroup = maxSize

// transaction shows what one transaction did.
func (h *panel) transaction(w http.ResponseWriter, r *http.Request) error {
	return h.group(w, r, "Transaction", "transaction_id")
}

// request shows what one request did.
func (h *panel) request(w http.ResponseWriter, r *http.Request) error {
	return h.group(w, r, "Request", "request_id")
}

func (h *panel) group(w http.ResponseWriter, r *http.Request, heading, name string) error {
	id := r.URL.Query().Get("id")
	if id == "" {
		return &event.FieldError{Field: "id", Value: "", Reason: "is missing; say which"}
	}
	q := query{size: inGroup}
	if err := q.filter.Set(name, id); err != nil {
		return err
	}
	p, more, err := h.read(r.Context(), q, event.OldestFirst, "")
	if err != nil {
		return err
	}
	page := groupPage{frame: h.frame(r, "events", heading), ID: id, Rows: h.rows(p.events), Summary: h.summary(p.events, name)}
	if more {
		page.More = q.link(paramOldest, "1")
	}
	return h.show(w, http.StatusOK, "group.html", page)
}

// summary says who did it, when, for how long and from where.
func (h *panel) summary(events []event.Event, group string) (facts []fact) {
	if len(events) == 0 {
		return nil
	}
	first, last := events[0], events[len(events)-1]
	facts = append(facts,
		fact{Label: "began", Value: shown(h.moment(first.Timestamp).Exact)},
		fact{Label: "took", Value: shown(last.Timestamp.Sub(first.Timestamp).Round(time.Microsecond).String())})
	for _, c := range summarized {
		if c.Name == group {
			continue
		}
		for _, text := range distinct(events, c) {
			f := field(c.Name, text)
			if page, ok := groupPages[c.Name]; ok {
				f.Link = groupLink(page, text)
			}
			facts = append(facts, f)
		}
	}
	return facts
}

// summarized are the fields that a summary has.
var summarized = func() []export.Column {
	columns, err := export.Options{Fields: []string{
		"actor", "on_behalf_of", "tenant", "reason", "ip_address", "user_agent", "request_id", "transaction_id",
	}}.Columns()
	if err != nil {
		panic(err) // a field is misspelt
	}
	return columns
}()

// groupPages are the pages of events that belong together.
var groupPages = map[string]string{"request_id": "request", "transaction_id": "transaction"}

// distinct are the values that the events have in the field, in their order, no
// more than people look at.
func distinct(events []event.Event, c export.Column) (values []string) {
	const most = 10
	for _, e := range events {
		text, _ := c.Value(&e).(string)
		if text != "" && len(values) < most && !slices.Contains(values, text) {
			values = append(values, text)
		}
	}
	return values
}
