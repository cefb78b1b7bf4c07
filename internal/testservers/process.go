//go:build unix

package main

import (
	"errors"
	"fmt"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
	"time"
)

// grace is how long a process has to end by itself when asked to.
const grace = 20 * time.Second

// process is a command with all that it starts in turn: a process group, which
// a Ctrl-C on the terminal does not reach, so that everything ends in order.
type process struct{ *exec.Cmd }

// newProcess prepares the command. When its context ends the group is
// interrupted first and killed after the grace.
func newProcess(command *exec.Cmd) *process {
	p := &process{command}
	p.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.Cancel = func() error { return p.signal(syscall.SIGINT) }
	p.WaitDelay = grace
	return p
}

// run waits for the command and kills what it left behind.
func (p *process) run() error {
	if err := p.Start(); err != nil {
		return err
	}
	return p.wait()
}

func (p *process) wait() error {
	failed := p.Wait()
	if err := p.signal(syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return errors.Join(failed, fmt.Errorf("kill the rest of %s: %w", p.Path, err))
	}
	return failed
}

func (p *process) signal(signal syscall.Signal) error {
	return syscall.Kill(-p.Process.Pid, signal)
}

// account is the system user that a server runs as, because it refuses root.
// The zero account is the current user.
type account struct{ credential *syscall.Credential }

// lookUp finds the account when root is asking.
func lookUp(name string) (account, error) {
	if syscall.Geteuid() != 0 {
		return account{}, nil
	}
	found, err := user.Lookup(name)
	if err != nil {
		return account{}, fmt.Errorf("a server does not run as root: %w; create that user", err)
	}
	uid, uidErr := strconv.ParseUint(found.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(found.Gid, 10, 32)
	if err := errors.Join(uidErr, gidErr); err != nil {
		return account{}, fmt.Errorf("ids of user %s: %w", name, err)
	}
	return account{&syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
}
