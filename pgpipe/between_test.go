package pgpipe_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	run "os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/eventaudit/eventaudit/internal/testdb"
)

// overTLS has the connections encrypted, whether the server can do that or not.
func overTLS(t *testing.T, config *pgx.ConnConfig) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	of := &x509.Certificate{SerialNumber: big.NewInt(1)}
	certificate, err := x509.CreateCertificate(rand.Reader, of, of, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	server := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{certificate}, PrivateKey: key}}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := listener.Close(); err != nil {
			t.Error(err)
		}
	})
	dial := config.DialFunc
	network, addr := pgconn.NetworkAddress(config.Host, config.Port)
	go func() {
		for {
			front, err := listener.Accept()
			if err != nil {
				return // closed
			}
			back, err := dial(context.Background(), network, addr)
			if err != nil {
				t.Error(err)
				return
			}
			go encrypted(front, back, server)
		}
	}()
	config.TLSConfig = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // the certificate is our own
	config.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return dial(ctx, listener.Addr().Network(), listener.Addr().String())
	}
}

// encrypted passes what comes over TLS from the front on to the back, until
// one of them ends.
func encrypted(front, back net.Conn, config *tls.Config) {
	end := func() {
		_, _ = front.Close(), back.Close() //nolint:errcheck // each is closed by either side
	}
	defer end()
	request := make([]byte, 8) // SSLRequest
	if _, err := io.ReadFull(front, request); err != nil {
		return
	}
	if _, err := front.Write([]byte("S")); err != nil {
		return
	}
	secure := tls.Server(front, config)
	go func() {
		defer end()
		_, _ = io.Copy(back, secure) //nolint:errcheck // the end of a connection, whatever ended it
	}()
	_, _ = io.Copy(secure, back) //nolint:errcheck // see above
}

// Behind PgBouncer programs see the same, too. In transaction mode they may
// not count on a session, and statements must not be prepared.
func TestProgramsSeeTheSameBehindPgBouncer(t *testing.T) {
	t.Parallel()
	t.Run("session", func(t *testing.T) {
		t.Parallel()
		all := map[string]func(a *app){}
		for name, program := range programs {
			if name != "a connection that dies" { // it would take the bouncer for the program
				all[name] = program
			}
		}
		compare(t, all, bounced("session", pgx.QueryExecModeCacheStatement))
	})
	t.Run("transaction", func(t *testing.T) {
		t.Parallel()
		some := map[string]func(a *app){}
		for _, name := range []string{
			"types", "commit", "rollback", "a constraint", "a first statement that fails", "an argument that cannot be encoded", "isolation", "savepoints",
			"a conflict of serializable transactions", "rows that are not read to the end", "large values", "several statements in one text",
			"empty statements", "notices", "cursors", "time stands still", "a statement that takes too long", "batches",
		} {
			some[name] = programs[name]
		}
		compare(t, some, bounced("transaction", pgx.QueryExecModeExec))
	})
}

// bounced has the connections go through a PgBouncer of their own.
func bounced(mode string, how pgx.QueryExecMode) func(t *testing.T, config *pgx.ConnConfig) {
	return func(t *testing.T, config *pgx.ConnConfig) {
		t.Helper()
		config.DefaultQueryExecMode = how
		config.RuntimeParams = nil
		config.Host = startBouncer(t, mode, config)
		config.Port = 6432
	}
}

// startBouncer starts PgBouncer and returns the folder of its socket.
func startBouncer(t *testing.T, mode string, to *pgx.ConnConfig) string {
	t.Helper()
	program, err := run.LookPath("pgbouncer")
	if err != nil {
		program = "/usr/sbin/pgbouncer" // not on everybody's path
	}
	if _, err := os.Stat(program); err != nil {
		if testdb.Strict() {
			t.Fatalf("PgBouncer is missing: %v", err)
		}
		t.Skip("PgBouncer is missing")
	}
	folder, err := os.MkdirTemp("", "bouncer") // short, as the path of a socket has to be
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(folder); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(folder, 0o777); err != nil { //nolint:gosec // PgBouncer gives up root's rights
		t.Fatal(err)
	}
	settings := filepath.Join(folder, "bouncer.ini")
	password := ""
	if to.Password != "" {
		password = " password=" + to.Password
	}
	text := fmt.Sprintf(`[databases]
%s = host=%s port=%d user=%s%s
[pgbouncer]
listen_addr =
unix_socket_dir = %s
listen_port = 6432
auth_type = any
pool_mode = %s
ignore_startup_parameters = extra_float_digits
`, to.Database, to.Host, to.Port, to.User, password, folder, mode)
	if err := os.WriteFile(settings, []byte(text), 0o644); err != nil { //nolint:gosec // see above
		t.Fatal(err)
	}
	arguments := []string{settings}
	if os.Geteuid() == 0 {
		arguments = append([]string{"-u", "nobody"}, arguments...)
	}
	bouncer := run.CommandContext(context.WithoutCancel(t.Context()), program, arguments...)
	log, err := bouncer.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := bouncer.Start(); err != nil {
		t.Fatal(err)
	}
	said, up := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(said)
		var all strings.Builder
		for buffer, open := make([]byte, 4096), false; ; {
			n, err := log.Read(buffer)
			all.Write(buffer[:n])
			if !open && strings.Contains(all.String(), "process up") {
				open = true
				close(up)
			}
			if err != nil {
				said <- all.String()
				return
			}
		}
	}()
	t.Cleanup(func() {
		if err := bouncer.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Error(err)
		}
		text := <-said
		_ = bouncer.Wait() //nolint:errcheck // it was killed
		if t.Failed() {
			t.Log(text)
		}
	})
	select {
	case <-up:
	case text := <-said:
		said <- text
		t.Fatalf("PgBouncer did not start: %s", text)
	}
	return folder
}
