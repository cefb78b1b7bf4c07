package middleware_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/middleware"
)

// seen is the event that a handler behind the middleware would record.
func seen(o middleware.Options, r *http.Request) (event.Event, *httptest.ResponseRecorder) {
	var e event.Event
	w := httptest.NewRecorder()
	middleware.HTTP(o)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { e.FillFrom(r.Context()) })).ServeHTTP(w, r)
	return e, w
}

func request(headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/orders", nil)
	r.RemoteAddr = "203.0.113.9:4711"
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func TestContextOfARequest(t *testing.T) {
	t.Parallel()
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	header := func(name string) func(*http.Request) string {
		return func(r *http.Request) string { return r.Header.Get(name) }
	}
	got, w := seen(middleware.Options{Actor: header("User"), OnBehalfOf: header("For"), Tenant: header("Tenant")},
		request("User", "ann", "For", "bert", "Tenant", "acme", "X-Request-ID", "req-71", "User-Agent", "curl/8",
			"Traceparent", "00-"+trace+"-00f067aa0ba902b7-01"))
	want := event.Event{
		Actor: "ann", OnBehalfOf: "bert", Tenant: "acme", RequestID: "req-71", TraceID: trace,
		IPAddress: "203.0.113.9", UserAgent: "curl/8",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if id := w.Header().Get("X-Request-ID"); id != "req-71" {
		t.Errorf("response has request id %q", id)
	}
}

func TestContextOfARequestByDefault(t *testing.T) {
	t.Parallel()
	got, w := seen(middleware.Options{}, request("X-Forwarded-For", "198.51.100.1", "Traceparent", "nonsense"))
	if got.RequestID == "" || got.RequestID != w.Header().Get("X-Request-ID") {
		t.Errorf("request id %q, response has %q", got.RequestID, w.Header().Get("X-Request-ID"))
	}
	got.RequestID = ""
	want := event.Event{Actor: event.ActorAnonymous, IPAddress: "203.0.113.9"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Whatever checked who it is may have said so in front of the middleware.
func TestTheActorOfTheContextStays(t *testing.T) {
	t.Parallel()
	as := func(name string) func(*http.Request) string { return func(*http.Request) string { return name } }
	for _, test := range []struct {
		name, before string
		actor        func(*http.Request) string
		want         string
	}{
		{"nobody is asked", "olga", nil, "olga"},
		{"who is asked does not know", "olga", as(""), "olga"},
		{"who is asked knows better", "olga", as("ann"), "ann"},
		{"nobody knows", "", as(""), event.ActorAnonymous},
		{"nobody is asked and nobody knows", "", nil, event.ActorAnonymous},
	} {
		r := request()
		got, _ := seen(middleware.Options{Actor: test.actor}, r.WithContext(event.WithActor(r.Context(), test.before)))
		if got.Actor != test.want {
			t.Errorf("%s: the actor is %q, want %q", test.name, got.Actor, test.want)
		}
	}
}

// What the app has put into the context before stays.
func TestContextKeepsWhatIsThere(t *testing.T) {
	t.Parallel()
	r := request()
	ctx := event.OnBehalfOf(event.WithTenant(event.WithReason(r.Context(), "ticket"), "acme"), "bert")
	got, _ := seen(middleware.Options{}, r.WithContext(ctx))
	if got.Reason != "ticket" || got.Tenant != "acme" || got.OnBehalfOf != "bert" {
		t.Errorf("%+v", got)
	}
}

func TestRequestIDs(t *testing.T) {
	t.Parallel()
	for id, kept := range map[string]bool{
		"req-71": true, "A.b_c:d/e+f=g@h": true, strings.Repeat("x", 128): true,
		"": false, strings.Repeat("x", 129): false, "two words": false, "new\nline": false, "<b>": false, "ü": false, "a\xff": false, "a,b": false,
	} {
		got, w := seen(middleware.Options{RequestIDHeader: "X-Correlation-ID"}, request("X-Correlation-ID", id))
		if got.RequestID == "" || kept != (got.RequestID == id) || w.Header().Get("X-Correlation-ID") != got.RequestID {
			t.Errorf("%q becomes %q in the trail, %q in the response", id, got.RequestID, w.Header().Get("X-Correlation-ID"))
		}
		if got, _ := seen(middleware.Options{IgnoreRequestID: true}, request("X-Request-ID", id)); got.RequestID == id || got.RequestID == "" {
			t.Errorf("%q is kept though it is to be ignored", id)
		}
	}
}

func TestUserAgentsAreShort(t *testing.T) {
	t.Parallel()
	got, _ := seen(middleware.Options{}, request("User-Agent", strings.Repeat("ü", 1000)))
	if got.UserAgent != strings.Repeat("ü", 256) {
		t.Errorf("%d bytes", len(got.UserAgent))
	}
}

// The client is who the last trusted proxy says that it was called by. What
// stands before that, anybody may have written.
func TestClientAddress(t *testing.T) {
	t.Parallel()
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
	for _, x := range []struct {
		name      string
		peer      string
		forwarded []string
		trusted   []netip.Prefix
		want      string
	}{
		{"no proxy", "203.0.113.9:4711", nil, trusted, "203.0.113.9"},
		{"forged, nobody is trusted", "10.0.0.1:80", []string{"198.51.100.1"}, nil, "10.0.0.1"},
		{"forged by an untrusted peer", "203.0.113.9:4711", []string{"198.51.100.1"}, trusted, "203.0.113.9"},
		{"forged to look trusted", "203.0.113.9:4711", []string{"10.0.0.7"}, trusted, "203.0.113.9"},
		{"one proxy", "10.0.0.1:80", []string{"198.51.100.1"}, trusted, "198.51.100.1"},
		{"forged through a proxy", "10.0.0.1:80", []string{"1.1.1.1, 198.51.100.1"}, trusted, "198.51.100.1"},
		{"forged in a header of its own", "10.0.0.1:80", []string{"1.1.1.1", "198.51.100.1"}, trusted, "198.51.100.1"},
		{"two proxies", "10.0.0.1:80", []string{"198.51.100.1, 10.9.9.9"}, trusted, "198.51.100.1"},
		{"proxies only", "10.0.0.1:80", []string{"10.0.0.3, 10.0.0.2"}, trusted, "10.0.0.3"},
		{"nothing forwarded", "10.0.0.1:80", nil, trusted, "10.0.0.1"},
		{"nonsense forwarded", "10.0.0.1:80", []string{"198.51.100.1, unknown"}, trusted, "10.0.0.1"},
		{"nonsense before the client", "10.0.0.1:80", []string{"unknown, 198.51.100.1"}, trusted, "198.51.100.1"},
		{"with a port", "10.0.0.1:80", []string{"198.51.100.1:4711"}, trusted, "198.51.100.1"},
		{"IPv6", "[2001:db8::1]:80", []string{"2001:db9::9"}, trusted, "2001:db9::9"},
		{"IPv6 with a port", "[2001:db8::1]:80", []string{"[2001:db9::9]:4711"}, trusted, "2001:db9::9"},
		{"IPv6 in brackets", "[2001:db8::1]:80", []string{"[2001:db9::9]"}, trusted, "2001:db9::9"},
		{"IPv4 in brackets", "10.0.0.1:80", []string{"[198.51.100.1]"}, trusted, "10.0.0.1"},
		{"half a bracket", "10.0.0.1:80", []string{"[2001:db9::9"}, trusted, "10.0.0.1"},
		{"IPv4 within IPv6", "[::ffff:10.0.0.1]:80", []string{"::ffff:198.51.100.1"}, trusted, "198.51.100.1"},
		{"a zone", "[fe80::1%eth0]:80", nil, trusted, "fe80::1"},
		{"a Unix socket", "@", []string{"198.51.100.1"}, trusted, ""},
	} {
		r := request()
		r.RemoteAddr = x.peer
		for _, forwarded := range x.forwarded {
			r.Header.Add("X-Forwarded-For", forwarded)
		}
		if got, _ := seen(middleware.Options{TrustedProxies: x.trusted}, r); got.IPAddress != x.want {
			t.Errorf("%s: %q, want %q", x.name, got.IPAddress, x.want)
		}
	}
}

func TestTraceparent(t *testing.T) {
	t.Parallel()
	const id, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	zeros := strings.Repeat("0", 32)
	for header, valid := range map[string]bool{
		"00-" + id + "-" + parent + "-01":                  true,
		"00-" + id + "-" + parent + "-ff":                  true,
		"cc-" + id + "-" + parent + "-01":                  true,
		"cc-" + id + "-" + parent + "-01-more":             true,
		"cc-" + id + "-" + parent + "-01.more":             false,
		"00-" + id + "-" + parent + "-01-more":             false,
		"ff-" + id + "-" + parent + "-01":                  false,
		"00-" + zeros + "-" + parent + "-01":               false,
		"00-" + id + "-" + zeros[:16] + "-01":              false,
		"00-" + strings.ToUpper(id) + "-" + parent + "-01": false,
		"00-" + id + "-" + parent + "-0":                   false,
		"00-" + id + "-" + parent + "-0x":                  false,
		"00_" + id + "-" + parent + "-01":                  false,
		"0g-" + id + "-" + parent + "-01":                  false,
		"00-" + id[:31] + "g-" + parent + "-01":            false,
		" 00-" + id + "-" + parent + "-01":                 false,
		"":                                                 false,
	} {
		want := ""
		if valid {
			want = id
		}
		if got, ok := middleware.TraceID([]string{header}); ok != valid || got != want {
			t.Errorf("%q: %q, %t", header, got, ok)
		}
	}
	twice := "00-" + id + "-" + parent + "-01"
	if got, ok := middleware.TraceID([]string{twice, twice}); ok {
		t.Errorf("sent twice: %q", got)
	}
}

func FuzzTraceparent(f *testing.F) {
	f.Add("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	f.Add("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what.comes")
	f.Add("00-00000000000000000000000000000000-0000000000000000-00")
	f.Fuzz(func(t *testing.T, header string) {
		id, ok := middleware.TraceID([]string{header})
		if !ok {
			if id != "" {
				t.Errorf("%q is refused and yet has id %q", header, id)
			}
			return
		}
		if len(id) != 32 || strings.ToLower(id) != id || header[3:35] != id || strings.Count(header[:55], "-") != 3 {
			t.Errorf("%q has id %q", header, id)
		}
	})
}

// Whatever is forwarded, the address is one of those that are vouched for.
func FuzzClientAddress(f *testing.F) {
	f.Add("203.0.113.9:4711", "198.51.100.1")
	f.Add("10.0.0.1:80", "1.1.1.1, 198.51.100.1, 10.0.0.2")
	f.Add("[::1]:80", "[2001:db8::1]:443, unknown")
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	f.Fuzz(func(t *testing.T, peer, forwarded string) {
		alone := middleware.ClientAddress(peer, nil, trusted)
		if got := middleware.ClientAddress(peer, []string{forwarded}, nil); got != alone {
			t.Errorf("without trust %q makes %s of %s", forwarded, got, alone)
		}
		got := middleware.ClientAddress(peer, []string{forwarded}, trusted)
		// Nobody but the client writes what stands before what the proxy adds.
		behind := middleware.ClientAddress(peer, []string{"1.2.3.4, " + forwarded}, trusted)
		inside := func(a netip.Addr) bool { return trusted[0].Contains(a) || trusted[1].Contains(a) }
		if got != behind && !inside(got) {
			t.Errorf("%s becomes %s by what the client wrote", got, behind)
		}
	})
}

// Sixty-four clients at once, each with many requests: nobody gets another's
// actor, request id, trace or address.
func TestParallelRequestsNeverMix(t *testing.T) {
	t.Parallel()
	trusted := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	handler := middleware.HTTP(middleware.Options{
		Actor:          func(r *http.Request) string { return r.Header.Get("User") },
		TrustedProxies: trusted,
	})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var e event.Event
		e.FillFrom(r.Context())
		if err := json.NewEncoder(w).Encode(e); err != nil {
			t.Error(err)
		}
	}))
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	var group sync.WaitGroup
	for client := range 64 {
		group.Go(func() {
			for n := range 20 {
				want := event.Event{
					Actor: fmt.Sprintf("user-%d", client), RequestID: fmt.Sprintf("r-%d-%d", client, n),
					TraceID: fmt.Sprintf("%032x", client*1000+n+1), IPAddress: fmt.Sprintf("198.51.100.%d", client), UserAgent: "test",
				}
				if diff := cmp.Diff(want, ask(t, server, want)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
	}
	group.Wait()
}

// ask sends a request that says what is to be seen.
func ask(t *testing.T, server *httptest.Server, want event.Event) (got event.Event) {
	t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, server.URL, nil)
	if err != nil {
		t.Error(err)
		return got
	}
	for name, value := range map[string]string{
		"User": want.Actor, "X-Request-ID": want.RequestID, "User-Agent": want.UserAgent, "X-Forwarded-For": want.IPAddress,
		"Traceparent": "00-" + want.TraceID + "-00f067aa0ba902b7-01",
	} {
		r.Header.Set(name, value)
	}
	response, err := server.Client().Do(r)
	if err != nil {
		t.Error(err)
		return got
	}
	defer response.Body.Close() //nolint:errcheck // read to its end below
	if err := json.NewDecoder(response.Body).Decode(&got); err != nil {
		t.Error(err)
	}
	return got
}
