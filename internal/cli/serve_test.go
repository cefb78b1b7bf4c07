package cli_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/eventaudit/eventaudit/internal/cli"
	"github.com/eventaudit/eventaudit/internal/testdb"
)

var addressed = regexp.MustCompile(`http://(\S+)/\?token=(\S+)`)

// serve runs the command until the test ends and returns where the panel is,
// and the token.
func serve(t *testing.T, database string, flags ...string) (base, token string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		args := append([]string{"--database=" + database, "--as=tester", "serve", "--listen=127.0.0.1:0"}, flags...)
		code := cli.Run(ctx, args, cli.Streams{In: strings.NewReader(""), Out: io.Discard, Err: writer})
		writer.Close() //nolint:errcheck // never fails
		ended <- code
	}()
	lines := bufio.NewScanner(reader)
	for lines.Scan() {
		if found := addressed.FindStringSubmatch(lines.Text()); found != nil {
			base, token = "http://"+found[1], found[2]
			break
		}
	}
	go io.Copy(io.Discard, reader) //nolint:errcheck // the rest is talk
	t.Cleanup(func() {
		cancel()
		if code := <-ended; code != 0 {
			t.Errorf("serve exits with %d", code)
		}
	})
	if base == "" {
		t.Fatal("serve does not say where it is")
	}
	return base, token
}

func fetch(t *testing.T, client *http.Client, r *http.Request) (status int, body string) {
	t.Helper()
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close() //nolint:errcheck // read to its end
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

func request(t *testing.T, method, address string, form url.Values) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

func TestServeShowsTheTrailToThoseWithTheToken(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, kind testdb.Kind) {
		database, _ := newDatabase(t, kind)
		done(t, database, "events", "create", "--category=custom", "--action=secret_deed")
		base, token := serve(t, database)
		transport := &http.Transport{}
		t.Cleanup(transport.CloseIdleConnections)
		nobody := &http.Client{Transport: transport}
		for _, path := range []string{"/", "/settings", "/style.css", "/?token=wrong"} {
			if status, body := fetch(t, nobody, request(t, http.MethodGet, base+path, nil)); status != http.StatusForbidden || strings.Contains(body, "deed") {
				t.Errorf("%s without the token: %d", path, status)
			}
		}
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		browser := &http.Client{Transport: transport, Jar: jar}
		if status, body := fetch(t, browser, request(t, http.MethodGet, base+"/?token="+token, nil)); status != http.StatusOK || !strings.Contains(body, "secret_deed") || strings.Contains(body, token) {
			t.Errorf("with the token: %d", status)
		}
		if status, _ := fetch(t, browser, request(t, http.MethodGet, base+"/settings", nil)); status != http.StatusOK {
			t.Errorf("with the cookie: %d", status)
		}
		if status, _ := fetch(t, browser, request(t, http.MethodGet, base+"/clear", nil)); status != http.StatusForbidden {
			t.Errorf("clear without being allowed: %d", status)
		}
		program := request(t, http.MethodPost, base+"/export", url.Values{"format": {"xlsx"}, "action": {"secret_deed"}})
		program.Header.Set("Authorization", "Bearer "+token)
		if status, body := fetch(t, nobody, program); status != http.StatusOK || !strings.HasPrefix(body, "PK") {
			t.Errorf("export by a program: %d", status)
		}
		if got := done(t, database, "events", "list", "--category=audit"); strings.Count(got, "denied")+strings.Count(got, "accessing") < 4 || !strings.Contains(got, "exported") || !strings.Contains(got, "tester") {
			t.Errorf("what was recorded:\n%s", got)
		}
	})
}

func TestServeRefusesAZoneThatIsNone(t *testing.T) {
	t.Parallel()
	if got := call(t, "sqlite:none.db", "serve", "--time-zone=Nowhere"); got.code != 2 {
		t.Errorf("exit code %d: %s", got.code, got.err)
	}
}
