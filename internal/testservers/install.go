//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// tools are the programs besides the servers that tests run, and the Debian
// packages that have them.
var tools = []struct {
	program  string
	packages []string
}{
	{"chromium", []string{"chromium"}},                  // reads the pages of the panel
	{"soffice", []string{"libreoffice-calc-nogui"}},     // reads exports
	{openpyxl, []string{"python3", "python3-openpyxl"}}, // reads exports
	{"pgbouncer", []string{"pgbouncer"}},                // stands before PostgreSQL
}

// openpyxl is a module of Debian's Python, which is no program on the path.
const openpyxl = "/usr/lib/python3/dist-packages/openpyxl/__init__.py"

// install gets the programs of these servers, the tools, and the C compiler that
// the race detector needs, from the Debian packages where they are missing.
// Redis is wanted in any case: tests start servers and clusters of their own.
func install(ctx context.Context, servers []kind) error {
	if !slices.ContainsFunc(servers, func(k kind) bool { return k.name == redis().name }) {
		servers = append(slices.Clone(servers), redis())
	}
	var packages []string
	if !hasCompiler() {
		packages = append(packages, "gcc", "libc6-dev")
	}
	for _, k := range servers {
		packages = append(packages, missing(k.programs, k.packages)...)
	}
	for _, tool := range tools {
		packages = append(packages, missing([]string{tool.program}, tool.packages)...)
	}
	if len(packages) == 0 {
		return nil
	}
	wanted := strings.Join(packages, " ")
	if _, err := exec.LookPath("apt-get"); err != nil || syscall.Geteuid() != 0 {
		return fmt.Errorf("these Debian packages, or what they are called here, are missing: %s; install them, or run as root on Debian", wanted)
	}
	fmt.Fprintln(os.Stderr, "testservers: installing", wanted)
	return aptGet(ctx, packages)
}

// missing returns the packages, if one of the programs is not there.
func missing(programs, packages []string) []string {
	for _, program := range programs {
		if _, err := find(program); err != nil {
			return packages
		}
	}
	return nil
}

func hasCompiler() bool {
	compiler := "gcc"
	if set := strings.Fields(os.Getenv("CC")); len(set) > 0 {
		compiler = set[0]
	}
	_, err := exec.LookPath(compiler)
	return err == nil
}

// find looks for the program on the path and where Debian keeps servers. A file
// with a full name needs only to be there.
func find(program string) (string, error) {
	if filepath.IsAbs(program) {
		_, err := os.Stat(program)
		return program, err
	}
	if path, err := exec.LookPath(program); err == nil {
		return path, nil
	}
	var newest string
	for _, pattern := range []string{"/usr/sbin", "/usr/libexec", "/usr/local/sbin", "/usr/lib/postgresql/[0-9]/bin", "/usr/lib/postgresql/[0-9][0-9]/bin"} {
		paths, err := filepath.Glob(filepath.Join(pattern, program))
		if err != nil {
			return "", err
		}
		if len(paths) > 0 {
			newest = paths[len(paths)-1]
		}
	}
	if newest == "" {
		return "", fmt.Errorf("program %s: %w", program, exec.ErrNotFound)
	}
	return newest, nil
}

// aptGet installs the packages without letting them start their services.
func aptGet(ctx context.Context, packages []string) (err error) {
	const policy = "/usr/sbin/policy-rc.d" // 101: an action is forbidden
	file, err := os.OpenFile(policy, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	switch {
	case errors.Is(err, fs.ErrExist): // this machine has its own policy
	case err != nil:
		return err
	default:
		defer func() { err = errors.Join(err, os.Remove(policy)) }()
		_, err := file.WriteString("#!/bin/sh\nexit 101\n")
		if err := errors.Join(err, file.Close()); err != nil {
			return err
		}
	}
	for _, arguments := range [][]string{
		{"update", "-q"},
		append([]string{"install", "-q", "-y", "--no-install-recommends"}, packages...),
	} {
		apt := newProcess(exec.CommandContext(ctx, "apt-get", arguments...))
		apt.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		apt.Stdout, apt.Stderr = os.Stderr, os.Stderr
		if err := apt.run(); err != nil {
			return fmt.Errorf("apt-get %s: %w", strings.Join(arguments, " "), err)
		}
	}
	return nil
}
