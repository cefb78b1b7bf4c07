package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"gorm.io/gorm"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/event"
)

//go:embed pages.html
var markup string

var templates = template.Must(template.New("").Funcs(template.FuncMap{"values": values}).Parse(markup))

// pages are what the browser sees.
type pages struct {
	db           *gorm.DB
	audit        *eventaudit.Auditor
	changeSalary func(context.Context, salary) error
}

func newPages(db *gorm.DB, audit *eventaudit.Auditor) http.Handler {
	p := &pages{db: db, audit: audit, changeSalary: payroll{db}.salaryChange(audit)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.list)
	mux.HandleFunc("POST /employees/{id}/salary", p.salary)
	mux.HandleFunc("GET /employees/{id}/history", p.history)
	// A browser signs in by itself, so a form on another site could act for it.
	return http.NewCrossOriginProtection().Handler(mux)
}

func (p *pages) list(w http.ResponseWriter, r *http.Request) {
	var employees []Employee
	if err := p.db.WithContext(r.Context()).Order("id").Find(&employees).Error; err != nil {
		fail(w, err)
		return
	}
	show(w, "list", map[string]any{"Employees": employees, "User": userFrom(r.Context()).name})
}

func (p *pages) salary(w http.ResponseWriter, r *http.Request) {
	id, idErr := strconv.ParseUint(r.PathValue("id"), 10, 32)
	cents, centsErr := strconv.ParseInt(r.FormValue("cents"), 10, 64)
	if err := errors.Join(idErr, centsErr); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	ctx := event.WithReason(r.Context(), r.FormValue("reason"))
	if err := p.changeSalary(ctx, salary{EmployeeID: uint(id), Cents: cents}); err != nil {
		fail(w, err)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// history shows the events of one record: what was done to it, and what was
// tried.
func (p *pages) history(w http.ResponseWriter, r *http.Request) {
	events, err := p.audit.Events(r.Context(), event.Filter{
		ActionObject: "Employee", ActionObjectID: r.PathValue("id"), Order: event.NewestFirst, Limit: 100,
	})
	if err != nil {
		fail(w, err)
		return
	}
	show(w, "history", map[string]any{"ID": r.PathValue("id"), "Events": events})
}

func show(w http.ResponseWriter, name string, data any) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := templates.ExecuteTemplate(w, name, data); err != nil {
		panic(http.ErrAbortHandler) // half of the page is out already
	}
}

// fail answers with the status that the error stands for.
func fail(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	for is, code := range map[error]int{
		errForbidden:             http.StatusForbidden,
		errOverBudget:            http.StatusConflict,
		gorm.ErrRecordNotFound:   http.StatusNotFound,
		event.ErrReasonRequired:  http.StatusUnprocessableEntity,
		context.DeadlineExceeded: http.StatusServiceUnavailable,
	} {
		if errors.Is(err, is) {
			status = code
		}
	}
	http.Error(w, err.Error(), status)
}

// values lists what an event says, one line for each value.
func values(e event.Event) []string {
	if e.Category != event.CategoryModel {
		return []string{string(e.Payload)}
	}
	var result struct{ Old, New map[string]json.RawMessage }
	if err := json.Unmarshal(e.Result, &result); err != nil {
		return []string{string(e.Result)}
	}
	var lines []string
	for _, column := range slices.Sorted(maps.Keys(result.New)) {
		if old, changed := result.Old[column]; changed {
			lines = append(lines, fmt.Sprintf("%s: %s → %s", column, old, result.New[column]))
		} else {
			lines = append(lines, fmt.Sprintf("%s: %s", column, result.New[column]))
		}
	}
	return lines
}
