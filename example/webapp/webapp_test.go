package main

import (
	"context"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// client is a browser that somebody has signed in with.
type client struct {
	t    *testing.T
	http *http.Client
	base string
	user string
}

// start runs the app until the test ends.
func start(t *testing.T) client {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	file, stopped := filepath.Join(folder(t), "payroll.db"), make(chan error)
	go func() { stopped <- run(ctx, listener, file) }()
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		cancel()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
	browser := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return client{t, browser, "http://" + listener.Addr().String(), ""}
}

// folder is one in memory where the system has that. On a slow disk the last of
// many writers waits longer than the five seconds in which an action has to be
// recorded.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "payroll")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func (c client) as(user string) client {
	c.user = user
	return c
}

func (c client) do(method, path string, form url.Values, headers ...string) (status int, body string) {
	c.t.Helper()
	r, err := http.NewRequest(method, c.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		c.t.Error(err)
		return 0, ""
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(c.user, "demo")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := c.http.Do(r)
	if err != nil {
		c.t.Error(err)
		return 0, ""
	}
	defer response.Body.Close() //nolint:errcheck // read to its end
	page, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Error(err)
	}
	return response.StatusCode, string(page)
}

// change asks for another salary.
func (c client) change(id int, cents, reason string, headers ...string) int {
	c.t.Helper()
	status, page := c.do(http.MethodPost, fmt.Sprintf("/employees/%d/salary", id), url.Values{"cents": {cents}, "reason": {reason}}, headers...)
	if status == http.StatusInternalServerError {
		c.t.Errorf("%s: %s", reason, page)
	}
	return status
}

var (
	row  = regexp.MustCompile(`(?s)<tr>(.*?)</tr>`)
	cell = regexp.MustCompile(`(?s)<td>(.*?)</td>`)
)

// history reads the page, newest first, without the times.
func (c client) history(id int) (lines []string) {
	c.t.Helper()
	status, page := c.do(http.MethodGet, fmt.Sprintf("/employees/%d/history", id), nil)
	if status != http.StatusOK {
		c.t.Errorf("history: %d\n%s", status, page)
	}
	for _, match := range row.FindAllStringSubmatch(page, -1) {
		var cells []string
		for _, cell := range cell.FindAllStringSubmatch(match[1], -1) {
			text := strings.ReplaceAll(strings.TrimSuffix(cell[1], "<br>"), "<br>", "; ")
			cells = append(cells, html.UnescapeString(text))
		}
		if len(cells) > 1 { // the headline has none
			lines = append(lines, strings.Join(cells[1:], " | "))
		}
	}
	return lines
}

// settled reads the page until it has so many lines: what failed is recorded
// later where the database is busy.
func (c client) settled(id, lines int) []string {
	c.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; {
		if got := c.history(id); len(got) >= lines || time.Now().After(deadline) {
			return got
		}
	}
}

func TestThePayroll(t *testing.T) {
	t.Parallel()
	app := start(t)
	kim, bob := app.as("kim"), app.as("bob")
	if status, page := bob.do(http.MethodGet, "/", nil); status != http.StatusOK || !strings.Contains(page, "Ada") || !strings.Contains(page, "Signed in as bob.") {
		t.Errorf("the list: %d\n%s", status, page)
	}
	for _, x := range []struct {
		name string
		got  int
		want int
	}{
		{"nobody", app.change(1, "1", "why not"), http.StatusUnauthorized},
		{"not allowed", bob.change(1, "900000", "I am worth it", "X-Forwarded-For", "198.51.100.7"), http.StatusForbidden},
		{"no reason", kim.change(1, "460000", " "), http.StatusUnprocessableEntity},
		{"over the budget", kim.change(1, "2000000", "a slip of the hand"), http.StatusConflict},
		{"no such employee", kim.change(7, "1", "who?"), http.StatusNotFound},
		{"nonsense", kim.change(1, "much", "more"), http.StatusBadRequest},
		{"from another site", kim.change(1, "1", "click here", "Sec-Fetch-Site", "cross-site"), http.StatusForbidden},
		{"fine", kim.change(1, "460000", "<b>annual review</b>"), http.StatusSeeOther},
	} {
		if x.got != x.want {
			t.Errorf("%s: status %d, want %d", x.name, x.got, x.want)
		}
	}
	want := []string{
		`kim | salary_change | {"employee_id":1,"cents":460000} | <b>annual review</b> | 127.0.0.1`,
		`kim | changed | cents: 450000 → 460000 | <b>annual review</b> | 127.0.0.1`,
		`kim | salary_change: failure (the budget does not allow that) | {"employee_id":1,"cents":2000000} | a slip of the hand | 127.0.0.1`,
		`kim | salary_change: denied (a reason is required: reason " " is missing, and salary_change needs one; give it with event.WithReason) | {"employee_id":1,"cents":460000} |   | 127.0.0.1`,
		`bob | salary_change: denied (only personnel may change salaries) | {"employee_id":1,"cents":900000} | I am worth it | 127.0.0.1`,
		`job:import | created | cents: 450000; iban: "[redacted]"; id: 1; name: "Ada" | taken over from the old payroll | `,
	}
	if diff := cmp.Diff(want, app.as("bob").settled(1, len(want))); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	if _, page := kim.do(http.MethodGet, "/employees/8/history", nil); !strings.Contains(page, "Nothing is known") {
		t.Errorf("the history of nobody:\n%s", page)
	}
}

// Sixty-four at once, half of them not allowed to: every event has its own
// actor, request and reason. Other tests beside it would take the time in which
// an action has to be recorded.
func TestManyAtOnce(t *testing.T) {
	app := start(t)
	var group sync.WaitGroup
	for n := range 64 {
		group.Go(func() {
			user, want := "kim", http.StatusSeeOther
			if n%2 == 1 {
				user, want = "bob", http.StatusForbidden
			}
			reason := fmt.Sprintf("%s-%d", user, n)
			if got := app.as(user).change(1, fmt.Sprint(500_000+n), reason, "X-Request-ID", reason); got != want {
				t.Errorf("%s: status %d, want %d", reason, got, want)
			}
		})
	}
	group.Wait()
	actions, rows := map[string]int{}, 0
	for _, line := range app.as("kim").settled(1, 1+64+32) {
		cells := strings.Split(line, " | ")
		switch {
		case cells[0] == "job:import":
		case !strings.HasPrefix(cells[3], cells[0]+"-"):
			t.Errorf("%s has the reason of another: %s", cells[0], line)
		case cells[1] == "changed":
			rows++
		default:
			actions[cells[1]]++
		}
	}
	if want := map[string]int{"salary_change": 32, "salary_change: denied (only personnel may change salaries)": 32}; !cmp.Equal(want, actions) || rows != 32 {
		t.Errorf("actions %v and %d changed rows, want %v and 32", actions, rows, want)
	}
}

// The panel is for auditors, and what others try there is in the trail.
func TestThePanelIsForAuditors(t *testing.T) {
	t.Parallel()
	app := start(t)
	if status := app.as("kim").change(1, "460000", "annual review"); status != http.StatusSeeOther {
		t.Fatalf("the change: %d", status)
	}
	for user, want := range map[string]int{"nobody": http.StatusUnauthorized, "bob": http.StatusForbidden, "kim": http.StatusForbidden, "ines": http.StatusOK} {
		for _, path := range []string{"/audit/", "/audit/settings", "/audit/style.css"} {
			if status, _ := app.as(user).do(http.MethodGet, path, nil); status != want {
				t.Errorf("%s asks for %s: %d, want %d", user, path, status, want)
			}
		}
	}
	status, page := app.as("ines").do(http.MethodGet, "/audit/", nil)
	for _, shown := range []string{"annual review", "salary_change", "accessing", "denied", "bob"} {
		if !strings.Contains(page, shown) {
			t.Errorf("the panel (%d) does not show %q", status, shown)
		}
	}
}
