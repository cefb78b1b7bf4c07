package eventaudit_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/eventaudit/eventaudit/internal/testdb"
)

// restartable is a PostgreSQL of the test's own, with the durability that
// PostgreSQL has by default, so that it may fall at any moment.
type restartable struct {
	folder  string
	control string // the program pg_ctl
	account *syscall.Credential
	fell    int // how often
}

// startPostgres starts one and has package testdb use it.
func startPostgres(t *testing.T) *restartable {
	t.Helper()
	s := &restartable{control: programOfPostgres(t, "pg_ctl"), account: accountOfPostgres(t)}
	var err error
	if s.folder, err = os.MkdirTemp("", "soaked"); err != nil { // beside t.TempDir(), which only its owner enters
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(s.folder); err != nil {
			t.Error(err)
		}
	})
	if s.account != nil {
		if err := os.Chown(s.folder, int(s.account.Uid), int(s.account.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	s.run(t, programOfPostgres(t, "initdb"), "--pgdata="+s.data(), "--username=postgres", "--auth=trust", "--encoding=UTF8")
	options := fmt.Sprintf("-c listen_addresses=127.0.0.1 -c port=%d -c unix_socket_directories=", port)
	s.run(t, s.control, "start", "--wait", "--silent", "--pgdata="+s.data(), "--log="+s.log(), "--options="+options)
	t.Cleanup(func() { s.run(t, s.control, "stop", "--wait", "--silent", "--mode=immediate", "--pgdata="+s.data()) })
	t.Setenv(testdb.PostgresVariable, fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port))
	return s
}

func (s *restartable) data() string { return filepath.Join(s.folder, "data") }
func (s *restartable) log() string  { return filepath.Join(s.folder, "log") }

// restart ends the server, in turns as a crash does and by ending its sessions,
// and returns when it is up again.
func (s *restartable) restart(t *testing.T) {
	t.Helper()
	s.fell++
	s.run(t, s.control, "restart", "--wait", "--silent", "--mode="+[]string{"fast", "immediate"}[s.fell%2], "--pgdata="+s.data(), "--log="+s.log())
}

// run runs a program of PostgreSQL's, by the account that may.
func (s *restartable) run(t *testing.T, program string, arguments ...string) {
	t.Helper()
	command := exec.CommandContext(context.WithoutCancel(t.Context()), program, arguments...)
	command.Dir = s.folder
	command.SysProcAttr = &syscall.SysProcAttr{Credential: s.account}
	output, err := os.CreateTemp(s.folder, "output") // a pipe would wait for the server, which has it too
	if err != nil {
		t.Error(err)
		return
	}
	command.Stdout, command.Stderr = output, output
	failed := command.Run()
	said, err := os.ReadFile(output.Name())
	if failed != nil || err != nil {
		t.Errorf("%s: %v\n%s %v", filepath.Base(program), failed, said, err)
	}
	if err := output.Close(); err != nil {
		t.Error(err)
	}
	if err := os.Remove(output.Name()); err != nil {
		t.Error(err)
	}
}

// programOfPostgres finds a program where it is on the path, or where Debian
// has it.
func programOfPostgres(t *testing.T, name string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	found, err := filepath.Glob("/usr/lib/postgresql/[0-9]*/bin/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		if testdb.Strict() {
			t.Fatalf("%s is missing", name)
		}
		t.Skipf("%s is missing", name)
	}
	return found[len(found)-1]
}

// accountOfPostgres is who runs the server: root may not.
func accountOfPostgres(t *testing.T) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	known, err := user.Lookup("postgres")
	if err != nil {
		t.Fatal(err)
	}
	uid, err := strconv.ParseUint(known.Uid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	gid, err := strconv.ParseUint(known.Gid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}
