package cli

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/eventaudit/eventaudit/admin"
)

// serving are the flags of the command.
type serving struct {
	listen       string
	clear, boxes bool
	zone         string
}

func newServe(a *app) *cobra.Command {
	var s serving
	c := &cobra.Command{
		Use: "serve", Short: "Show the trail in a browser", Args: cobra.NoArgs,
		Long: `Serve shows the trail in a browser until it is interrupted: it prints an address
with a token in it, which is new each time and lets the browser in. Programs
send the token as "Authorization: Bearer TOKEN".

It listens on this machine only, unless --listen says otherwise; then put it
behind TLS. It only reads, unless the flags allow more.`,
		Example: "  eventaudit serve --database=sqlite:app.db",
		RunE: func(c *cobra.Command, _ []string) error {
			zone, err := time.LoadLocation(s.zone)
			if err != nil {
				return misused(err)
			}
			return a.with(c.Context(), func(ctx context.Context, t *trail) error { return a.serve(ctx, t, s, zone) })
		},
	}
	c.Flags().StringVar(&s.listen, "listen", "127.0.0.1:8686", "the `ADDRESS` to listen on; port 0 takes a free one")
	c.Flags().BoolVar(&s.clear, "allow-clear", false, "let events be removed")
	c.Flags().BoolVar(&s.boxes, "allow-outbox", false, "let dead letters be retried and discarded")
	c.Flags().StringVar(&s.zone, "time-zone", "UTC", "the `ZONE` of times, for example Europe/Berlin")
	return c
}

// serve serves the panel until the context ends.
func (a *app) serve(ctx context.Context, t *trail, s serving, zone *time.Location) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.listen)
	if err != nil {
		return err
	}
	door := door{token: rand.Text(), cookie: "eventaudit_" + portOf(listener.Addr())}
	panel, err := admin.New(t.Auditor, s.options(a, door, zone))
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	server := &http.Server{Handler: door.open(panel), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	if host, _, err := net.SplitHostPort(listener.Addr().String()); err == nil && !net.ParseIP(host).IsLoopback() {
		a.streams.say("warning: %s can be reached from other machines; put TLS in front", listener.Addr())
	}
	a.streams.say("the trail is at http://%s/?token=%s", listener.Addr(), door.token)
	closed := make(chan error, 1)
	context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), closing)
		defer cancel()
		closed <- server.Shutdown(grace)
	})
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-closed
}

func (s serving) options(a *app, d door, zone *time.Location) admin.Options {
	options := admin.Options{
		Enabled: true, Authorize: d.admits, Location: zone,
		Actor: func(r *http.Request) string {
			if d.admits(r) == nil {
				return a.who()
			}
			return "" // somebody else on this machine
		},
	}
	if s.clear {
		options.AuthorizeClear = d.admits
	}
	if s.boxes {
		options.AuthorizeOutbox = d.admits
	}
	return options
}

func portOf(address net.Addr) string {
	_, port, err := net.SplitHostPort(address.String())
	if err != nil {
		return "0"
	}
	return port
}

// door lets those in who know the token.
type door struct {
	token string
	// cookie is the name of the one that holds it. Browsers do not keep the
	// cookies of two ports apart.
	cookie string
}

var errNoToken = errors.New("the token is missing or wrong")

// admits reports whether the request brings the token.
func (d door) admits(r *http.Request) error {
	brought := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if c, err := r.Cookie(d.cookie); err == nil && brought == "" {
		brought = c.Value
	}
	if !d.fits(brought) {
		return errNoToken
	}
	return nil
}

func (d door) fits(token string) bool {
	return subtle.ConstantTimeCompare([]byte(token), []byte(d.token)) == 1
}

// open turns a token in the address into a cookie, so that it is not in the
// history of the browser.
func (d door) open(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && d.fits(r.URL.Query().Get("token")) {
			http.SetCookie(w, &http.Cookie{Name: d.cookie, Value: d.token, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
			w.Header().Set("Cache-Control", "no-store")
			w.Header().Set("Referrer-Policy", "no-referrer")
			http.Redirect(w, r, "/", http.StatusSeeOther)
			return
		}
		next.ServeHTTP(w, r)
	})
}
