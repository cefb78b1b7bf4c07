//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// kind is one of the servers that tests need.
type kind struct {
	name     string
	variable string // holds the DSN
	dsn      func(port int) string
	port     int // the standard one
	ping     func(ctx context.Context, dsn string) error

	programs []string // what must be installed to start one
	packages []string // the Debian packages with these programs
	account  string   // the system user that runs it
	// start starts one that keeps its data in the folder.
	start func(at place) (*process, error)
}

func kinds() []kind {
	return []kind{postgres(), mariadb(), redis()}
}

// obtained is what obtain found or started.
type obtained struct {
	environment []string
	started     []*server
}

// obtain gets one server of each kind. What it returns must be stopped, also
// when there is an error.
func obtain(ctx context.Context, folder string, private bool) (*obtained, error) {
	found := &obtained{}
	var missing []kind
	for _, k := range kinds() {
		dsn, source, err := running(ctx, k, private)
		if err != nil {
			return found, err
		}
		if dsn == "" {
			missing = append(missing, k)
			continue
		}
		found.add(k, dsn, source)
	}
	if err := install(ctx, missing); err != nil {
		return found, err
	}
	for _, k := range missing {
		s, err := startServer(ctx, k, filepath.Join(folder, k.name))
		if err != nil {
			return found, fmt.Errorf("start %s: %w; or set %s to a server of yours", k.name, err, k.variable)
		}
		found.started = append(found.started, s)
		found.add(k, s.dsn, "started for this run")
	}
	return found, nil
}

// running returns the DSN of a server that is there already, or "".
func running(ctx context.Context, k kind, private bool) (dsn, source string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if dsn := os.Getenv(k.variable); dsn != "" {
		if err := k.ping(ctx, dsn); err != nil {
			return "", "", fmt.Errorf("the %s server that %s names does not answer: %w; correct or unset it", k.name, k.variable, err)
		}
		return dsn, k.variable, nil
	}
	if dsn := k.dsn(k.port); !private && k.ping(ctx, dsn) == nil {
		return dsn, "running on the standard port", nil
	}
	return "", "", nil
}

func (o *obtained) add(k kind, dsn, source string) {
	fmt.Fprintf(os.Stderr, "testservers: %s: %s\n", k.name, source)
	o.environment = append(o.environment, k.variable+"="+dsn)
}

// stop ends what was started.
func (o *obtained) stop() error {
	var problems []error
	for _, s := range o.started {
		problems = append(problems, s.stop())
	}
	return errors.Join(problems...)
}
