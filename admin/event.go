package admin

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/lifeline"
	"github.com/eventaudit/eventaudit/repository"
)

// eventPage is all that one event says.
type eventPage struct {
	frame
	Row     row
	Facts   []section
	Meta    []fact
	Changes []change
	// Payload and Result are what is not shown as Changes.
	Payload, Result *value
	// Download leads to the event as JSON.
	Download string
}

// section is a group of facts: who, what, when, where, why.
type section struct {
	Heading string
	Facts   []fact
}

// fact is a field of an event.
type fact struct {
	Label string
	Value value
	// Link leads to what the field names, Find to the events that have the
	// same in it.
	Link, Find string
}

// event shows one event.
func (h *panel) event(w http.ResponseWriter, r *http.Request) error {
	e, err := repository.Get(r.Context(), h.audit.Repository(), r.URL.Query().Get("id"))
	if err != nil {
		return err
	}
	page := eventPage{
		frame: h.frame(r, "events", strings.TrimSpace(brief(e.Action)+" "+brief(e.ActionObject)+" "+brief(e.ActionObjectID))),
		Row:   h.row(e), Facts: h.facts(e), Download: address("event.json", url.Values{"id": {e.ID}}),
	}
	for _, key := range slices.Sorted(maps.Keys(e.Meta)) {
		page.Meta = append(page.Meta, fact{Label: clip(key, beforeAll), Value: shown(e.Meta[key])})
	}
	page.Payload, page.Result = document(e.Payload), document(e.Result)
	if images, told := h.images(r.Context(), e); told {
		page.Changes, page.Result = changes(images), nil
	}
	return h.show(w, http.StatusOK, "event.html", page)
}

// images returns what an event tells of its row. A result that no row has, as
// other writers of the trail may leave it, is logged.
func (h *panel) images(ctx context.Context, e event.Event) (images lifeline.Images, told bool) {
	images, err := lifeline.ImagesOf(e)
	if err != nil && !errors.Is(err, lifeline.ErrNoRow) {
		h.logger.WarnContext(ctx, "an event has a result that no row has", "error", err)
	}
	return images, err == nil
}

func document(text json.RawMessage) *value {
	if len(text) == 0 {
		return nil
	}
	v := block(indented(text))
	return &v
}

// facts are the fields of an event that are not empty.
func (h *panel) facts(e event.Event) []section {
	when := fact{Label: "time", Value: shown(h.moment(e.Timestamp).Exact)}
	return filled([]section{
		{"Who", []fact{field("actor", e.Actor), field("on_behalf_of", e.OnBehalfOf), field("tenant", e.Tenant)}},
		{"What", []fact{
			field("action", e.Action), field("category", e.Category), field("action_object", e.ActionObject),
			leading("action_object_id", e.ActionObjectID, recordLink(e.ActionObject, e.ActionObjectID)),
			field("target_type", e.TargetType), leading("target_id", e.TargetID, recordLink(e.TargetType, e.TargetID)),
			field("outcome", string(e.Outcome)), field("error", e.Error), beforeUnknown(e),
		}},
		{"When", []fact{
			when, leading("transaction_id", e.TransactionID, groupLink("transaction", e.TransactionID)),
			{Label: "sequence", Value: shown(strconv.FormatInt(e.Sequence, 10))},
			field("id", e.ID),
			{Label: "schema version", Value: shown(strconv.Itoa(e.SchemaVersion))},
		}},
		{"Where", []fact{
			leading("request_id", e.RequestID, groupLink("request", e.RequestID)), field("trace_id", e.TraceID),
			field("ip_address", e.IPAddress), field("user_agent", e.UserAgent),
		}},
		{"Why", []fact{field("reason", e.Reason)}},
	})
}

func beforeUnknown(e event.Event) fact {
	if !e.BeforeUnknown {
		return fact{}
	}
	return fact{Label: "before", Value: shown("not known exactly")}
}

// field is a fact that the list can be narrowed by.
func field(name, text string) fact { return leading(name, text, "") }

func leading(name, text, link string) fact {
	f := fact{Label: label(name), Value: shown(text), Link: link}
	if len(text) <= maxValue {
		f.Find = address("./", url.Values{name: {text}})
	}
	return f
}

// filled leaves out what is empty.
func filled(sections []section) (full []section) {
	for _, s := range sections {
		s.Facts = slices.DeleteFunc(s.Facts, func(f fact) bool { return f.Value.Length == 0 })
		if len(s.Facts) > 0 {
			full = append(full, s)
		}
	}
	return full
}

// label is what the pages call a field.
func label(name string) string {
	words := strings.ReplaceAll(strings.TrimPrefix(name, "action_"), "_", " ")
	for _, short := range []string{"id", "ip"} {
		if words == short || strings.HasPrefix(words, short+" ") {
			words = strings.ToUpper(short) + words[len(short):]
		}
		if strings.HasSuffix(words, " "+short) {
			words = words[:len(words)-len(short)] + strings.ToUpper(short)
		}
	}
	return words
}

// eventJSON sends one event as exports have it, whole.
func (h *panel) eventJSON(w http.ResponseWriter, r *http.Request) error {
	e, err := repository.Get(r.Context(), h.audit.Repository(), r.URL.Query().Get("id"))
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Disposition", `attachment; filename="event.json"`)
	_, err = w.Write(event.JSON(e))
	return gone(err)
}
