package admin_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/eventaudit/eventaudit"
	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

// An event whose result is not what a row is does not close the page of its
// record: it is shown as it is, and what the record was after it is not known.
func TestOddResultsAreShown(t *testing.T) {
	t.Parallel()
	for _, odd := range []string{`[]`, `5`, `{"old":"text"}`, `{"old":{"total":7},"new":5}`} {
		var log bytes.Buffer
		app := open(t, testdb.SQLitePure, nil, eventaudit.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		created := event.New(event.CategoryModel, event.ActionCreated)
		created.ActionObject, created.ActionObjectID, created.Timestamp = "Order", "1", noon
		created.Result = []byte(`{"new":{"total":7}}`)
		changed := event.New(event.CategoryModel, event.ActionChanged)
		changed.ActionObject, changed.ActionObjectID, changed.Timestamp = "Order", "1", noon.Add(time.Minute)
		changed.Result = []byte(odd)
		app.write(t, created, changed)
		answer := app.ask(t, get("record?object=Order&id=1"))
		page := answer.Body.String()
		state, _, _ := strings.Cut(page, `id="h-life"`)
		if answer.Code != http.StatusOK || !strings.Contains(page, `<bdi class="doc">`) || !strings.Contains(state, "not known") || strings.Contains(state, ">7<") {
			t.Errorf("%s: %d, %s", odd, answer.Code, page)
		}
		if !strings.Contains(log.String(), changed.ID) {
			t.Errorf("%s: logged %q", odd, log.String())
		}
		if answer = app.ask(t, get("record?object=Order&id=1&at=2026-03-02T12:00:30Z")); answer.Code != http.StatusOK || !strings.Contains(answer.Body.String(), ">7<") {
			t.Errorf("%s: before it: %d, %s", odd, answer.Code, answer.Body)
		}
	}
}
