package admin

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/export"
	"github.com/eventaudit/eventaudit/internal/plain"
	"github.com/eventaudit/eventaudit/repository"
)

// eventsPage is the list.
type eventsPage struct {
	frame
	Rows []row
	// Count says how many there are.
	Count string
	// Problem is what is wrong with the question, Unfinished what was not
	// searched to the end.
	Problem, Unfinished string
	Filters             filters
	Histogram           *histogram
	// Newest, Newer, Older and Oldest are the other pages; Live is the stream
	// of what comes.
	Newest, Newer, Older, Oldest, Live string
	Formats                            []string
	// Hidden is the question, for forms that go on with it.
	Hidden []pair
	// Clear leads to the removal of these events.
	Clear string
}

type pair struct{ Name, Value string }

// filters are the form above the list.
type filters struct {
	// Main are always there, Rest unfolds.
	Main, Rest  []input
	Text        string
	From, To    moments
	Quick       []choice
	Sizes       []choice
	Chips       []chip
	RestIsAsked bool
}

// input is a field of the form.
type input struct {
	Name, Label, Value string
	// Choices are the values that there can be, nil for any.
	Choices []choice
}

// choice is one of several.
type choice struct {
	Label, Value, Link string
	Chosen             bool
}

// chip is something that is asked for, and the list without it.
type chip struct{ Label, Value, Without string }

// moments is a time in the form, and the kind of input that can hold it.
type moments struct{ Value, Kind string }

// mainFields are the fields that are always in the form.
var mainFields = []string{"category", "action", "actor", "action_object", "action_object_id", "outcome"}

// countTo is how far events are counted.
const countTo = 10_000

// events shows the list.
func (h *panel) events(w http.ResponseWriter, r *http.Request) error {
	q, wrong := parseQuery(r.URL.Query(), h.now())
	view := eventsPage{frame: h.frame(r, "events", "Events"), Filters: q.form(h.options.Location), Formats: export.Names()}
	if wrong != nil {
		view.Problem = plain.Lines(wrong.Error())
		return h.show(w, http.StatusBadRequest, "events.html", view)
	}
	p, err := h.page(r.Context(), q)
	if err != nil {
		return err
	}
	view.Rows, view.Hidden = h.rows(p.events), hidden(q.narrowing())
	view.Unfinished = strings.Join(labels(p.unfinished), ", ")
	view.link(q, p)
	if q.text == "" && may(h.options.AuthorizeClear, r) == nil {
		view.Clear = address("clear", q.narrowing())
	}
	if view.Count, err = h.count(r, q, p); err != nil {
		return err
	}
	if view.Histogram, err = h.histogram(r.Context(), q); err != nil {
		return err
	}
	return h.show(w, http.StatusOK, "events.html", view)
}

func (h *panel) now() time.Time { return time.Now().In(h.options.Location) }

func labels(names []string) []string {
	for i := range names {
		names[i] = label(names[i])
	}
	return names
}

// link fills in where the other pages are.
func (v *eventsPage) link(q query, p page) {
	if p.newer {
		v.Newest = q.link()
		v.Newer = q.link(paramOldest, "1")
	}
	if n := len(p.events); n > 0 {
		if p.newer {
			v.Newer = q.link(paramBefore, string(p.events[0].Cursor()))
		}
		if p.older {
			v.Older = q.link(paramAfter, string(p.events[n-1].Cursor()))
			v.Oldest = q.link(paramOldest, "1")
		}
	}
	live := q.narrowing()
	if len(p.events) > 0 && !p.newer {
		live.Set(paramAfter, string(p.events[0].Cursor()))
	}
	v.Live = address("live", live)
}

// count says how many events there are, as far as that is cheap to know.
func (h *panel) count(r *http.Request, q query, p page) (string, error) {
	n := int64(len(p.events))
	if p.newer || p.older {
		if q.text != "" {
			return "", nil
		}
		var err error
		if n, err = repository.CountUpTo(r.Context(), h.audit.Repository(), q.filter, countTo+1); err != nil {
			return "", err
		}
	}
	if n > countTo {
		return "more than " + events(countTo), nil
	}
	return events(n), nil
}

// hidden is a question as a form sends it along.
func hidden(values url.Values) (pairs []pair) {
	for name, value := range values {
		pairs = append(pairs, pair{name, value[0]})
	}
	slices.SortFunc(pairs, func(a, b pair) int { return strings.Compare(a.Name, b.Name) })
	return pairs
}

// form is what the page shows of the question: what was typed where it is
// wrong.
func (q query) form(zone *time.Location) filters {
	f := filters{Text: q.given.Get(paramText), From: q.bound(paramFrom, q.filter.From, zone), To: q.bound(paramTo, q.filter.To, zone)}
	for _, name := range event.FilterFields() {
		in := input{Name: name, Label: label(name), Value: q.given.Get(name)}
		if name == "outcome" {
			in.Choices = outcomes(in.Value)
		}
		if slices.Contains(mainFields, name) {
			f.Main = append(f.Main, in)
			continue
		}
		f.Rest = append(f.Rest, in)
		f.RestIsAsked = f.RestIsAsked || in.Value != ""
	}
	f.RestIsAsked = f.RestIsAsked || q.given.Get(paramFrom) != "" || q.given.Get(paramTo) != ""
	for _, r := range quickRanges {
		f.Quick = append(f.Quick, choice{r.Label, r.Name, q.link(paramFrom, "", paramTo, "", paramQuick, r.Name), r.Name == q.quick})
	}
	for _, size := range sizes {
		text := number(int64(size))
		f.Sizes = append(f.Sizes, choice{text, text, "", size == q.size})
	}
	f.Chips = q.chips(zone)
	return f
}

func outcomes(chosen string) []choice {
	choices := []choice{{Label: "any", Chosen: chosen == ""}}
	for _, o := range []event.Outcome{event.OutcomeSuccess, event.OutcomeFailure, event.OutcomeDenied} {
		choices = append(choices, choice{Label: string(o), Value: string(o), Chosen: chosen == string(o)})
	}
	return choices
}

// bound is a time in the form. Browsers know no parts of milliseconds.
func (q query) bound(name string, t time.Time, zone *time.Location) moments {
	given := q.given.Get(name)
	if given == "" {
		return moments{Kind: "datetime-local"}
	}
	if t.IsZero() || t.Nanosecond() != 0 {
		return moments{given, "text"}
	}
	return moments{t.In(zone).Format("2006-01-02T15:04:05"), "datetime-local"}
}

// chips are what narrows the list.
func (q query) chips(zone *time.Location) (all []chip) {
	add := func(name, text, value string) {
		all = append(all, chip{text, edged(value), q.link(name, "")})
	}
	if q.text != "" {
		add(paramText, "any ID", q.text)
	}
	for _, field := range q.filter.Fields() {
		add(field.Name, label(field.Name), field.Value)
	}
	if q.quick != "" {
		for _, r := range quickRanges {
			if r.Name == q.quick {
				add(paramQuick, "time", r.Label)
			}
		}
	} else if !q.filter.From.IsZero() {
		add(paramFrom, "from", q.filter.From.In(zone).Format("2006-01-02 15:04:05"))
	}
	if !q.filter.To.IsZero() {
		add(paramTo, "to", q.filter.To.In(zone).Format("2006-01-02 15:04:05"))
	}
	return all
}

// edged is brief, in quotation marks where blanks at an edge would not be seen.
func edged(text string) string {
	if strings.TrimSpace(text) == text {
		return brief(text)
	}
	return `"` + brief(text) + `"`
}
