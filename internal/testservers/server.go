//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// server is one that was started here.
type server struct {
	dsn     string
	process *process
	ended   chan struct{} // closed when the process is gone
	how     error         // it ended; valid after that
}

// place is where a server may live.
type place struct {
	folder  string // empty, owned by the account
	port    int    // free
	account account
	log     *os.File
}

// startServer starts one on a free port and waits until it answers.
func startServer(ctx context.Context, k kind, folder string) (*server, error) {
	at, err := prepare(k, folder)
	if err != nil {
		return nil, err
	}
	p, err := k.start(at)
	if err := errors.Join(err, at.log.Close()); err != nil {
		return nil, at.explain(err)
	}
	s := &server{dsn: k.dsn(at.port), process: p, ended: make(chan struct{})}
	go func() {
		s.how = p.wait()
		close(s.ended)
	}()
	if err := s.answers(ctx, k); err != nil {
		return nil, at.explain(errors.Join(err, s.stop()))
	}
	return s, nil
}

// prepare makes the folder and finds a free port.
func prepare(k kind, folder string) (place, error) {
	who, err := lookUp(k.account)
	if err != nil {
		return place{}, err
	}
	// Other users have to pass through the outer folder.
	if err := errors.Join(os.Chmod(filepath.Dir(folder), 0o711), os.Mkdir(folder, 0o700)); err != nil {
		return place{}, err
	}
	if who.credential != nil {
		if err := os.Chown(folder, int(who.credential.Uid), int(who.credential.Gid)); err != nil {
			return place{}, err
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return place{}, err
	}
	port := listener.Addr().(*net.TCPAddr).Port
	log, logErr := os.Create(folder + ".log")
	return place{folder: folder, port: port, account: who, log: log}, errors.Join(logErr, listener.Close())
}

// explain adds what the programs at the place said.
func (at place) explain(failed error) error {
	said, err := os.ReadFile(at.log.Name())
	return fmt.Errorf("%w\n%s", errors.Join(failed, err), said)
}

// command prepares a program that runs at the place. It does not end with a
// context: the tests end first, then the servers.
func (at place) command(program string, arguments ...string) *process {
	p := newProcess(exec.CommandContext(context.Background(), program, arguments...))
	p.Dir = at.folder
	p.Stdout, p.Stderr = at.log, at.log
	p.SysProcAttr.Credential = at.account.credential
	return p
}

// answers waits until the server answers a login, at most a minute.
func (s *server) answers(ctx context.Context, k kind) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		failed := k.ping(ctx, s.dsn)
		if failed == nil {
			return nil
		}
		select {
		case <-s.ended:
			return errors.Join(errors.New("it ended at once"), s.how)
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w", failed)
		case <-again.C:
		}
	}
}

// stop asks the server to end and kills it after the grace.
func (s *server) stop() error {
	select {
	case <-s.ended:
		return nil
	default:
	}
	if err := s.process.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-s.ended:
		return nil
	case <-time.After(grace):
	}
	err := s.process.signal(syscall.SIGKILL)
	<-s.ended
	return err
}
