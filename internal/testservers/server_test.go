//go:build unix

package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fake is a kind whose server is a shell script.
func fake(script string, ping func(context.Context, string) error) kind {
	return kind{
		name:    "fake",
		dsn:     func(int) string { return "fake" },
		ping:    ping,
		account: "root", // asked for only when root runs the tests
		start: func(at place) (*process, error) {
			p := at.command("sh", "-c", script)
			return p, p.Start()
		},
	}
}

func TestStopEndsTheServerAndItsChildren(t *testing.T) {
	t.Parallel()
	alive, held, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	k := fake("", func(context.Context, string) error { return nil })
	k.start = func(at place) (*process, error) {
		p := at.command("sh", "-c", "sleep 600 & sleep 600")
		p.ExtraFiles = []*os.File{held}
		return p, errors.Join(p.Start(), held.Close())
	}
	s, err := startServer(t.Context(), k, filepath.Join(t.TempDir(), "fake"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	// The read ends when the last process that holds the other end is gone.
	if _, err := io.ReadAll(alive); err != nil {
		t.Error(err)
	}
	if err := s.stop(); err != nil {
		t.Errorf("a second stop: %v", err)
	}
}

func TestServerThatEndsAtOnceIsReportedWithItsLog(t *testing.T) {
	t.Parallel()
	k := fake("echo no room >&2; exit 3", func(context.Context, string) error { return errors.New("silence") })
	_, err := startServer(t.Context(), k, filepath.Join(t.TempDir(), "fake"))
	if err == nil || !strings.Contains(err.Error(), "no room") || !strings.Contains(err.Error(), "ended at once") {
		t.Errorf("error = %v; want its log and that it ended", err)
	}
}

func TestServerThatNeverAnswersIsEnded(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	k := fake("sleep 600", func(context.Context, string) error {
		cancel()
		return errors.New("silence")
	})
	_, err := startServer(ctx, k, filepath.Join(t.TempDir(), "fake"))
	if err == nil || !strings.Contains(err.Error(), "does not answer: silence") {
		t.Errorf("error = %v; want that it does not answer", err)
	}
}
