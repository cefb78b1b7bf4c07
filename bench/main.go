// Bench measures what auditing costs: the same operations through plain GORM and
// through several ways of auditing, in turns within one process, so that only
// ratios count and a busy machine is busy for all. Behind that come encoding,
// reads of a million events and the relay.
//
//	go run . [-only ^PostgreSQL$] [-variant pgpipe] [-operation '^Create 1$'] [-rounds 60] [-cpuprofile file]
//
// What is measured is chosen by regular expressions; plain GORM always is.
//
// The servers are reached as in the tests, by EVENT_AUDIT_TEST_POSTGRES,
// EVENT_AUDIT_TEST_MYSQL and EVENT_AUDIT_TEST_REDIS; make bench sets them. The goals are in goals.json.
// The exit code is 1 when a goal is missed by more than 15 per cent.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"runtime/pprof"
)

func main() {
	var w work
	pattern := func(into **regexp.Regexp) func(string) error {
		return func(text string) (err error) {
			*into, err = regexp.Compile(text)
			return err
		}
	}
	flag.Func("only", "measure the settings whose names match", pattern(&w.settings))
	flag.Func("variant", "measure plain GORM and the variants whose names match", pattern(&w.variants))
	flag.Func("operation", "measure the operations whose names match", pattern(&w.operations))
	flag.IntVar(&w.rounds, "rounds", 60, "how often each operation is measured; large ones a quarter as often")
	profile := flag.String("cpuprofile", "", "write a CPU profile to this file")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	missed, err := profiled(*profile, func() (int, error) { return w.run(ctx) })
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
	if err != nil || missed > 0 {
		os.Exit(1)
	}
}

// work is what is asked for; without a pattern it is everything.
type work struct {
	settings, variants, operations *regexp.Regexp
	rounds                         int
}

// profiled runs do, and writes a profile of it unless the file has no name.
func profiled(name string, do func() (int, error)) (missed int, err error) {
	if name == "" {
		return do()
	}
	file, err := os.Create(name)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if err := pprof.StartCPUProfile(file); err != nil {
		return 0, err
	}
	defer pprof.StopCPUProfile()
	return do()
}

// run measures and returns how many goals are missed.
func (w work) run(ctx context.Context) (missed int, err error) {
	goals, err := readGoals()
	if err != nil {
		return 0, err
	}
	var report bytes.Buffer
	fmt.Fprintf(&report, "%s, %s/%s, %d CPUs\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	for _, s := range chosen(append(settings(), others()...), w.settings, func(s setting) string { return s.name }) {
		s.variants = append(s.variants[:1:1], chosen(s.variants[1:], w.variants, func(v variant) string { return v.name })...)
		measured := operations
		if s.operations != nil {
			measured = s.operations
		}
		table, err := s.measure(ctx, chosen(measured, w.operations, func(o operation) string { return o.name }), w.rounds)
		if err != nil {
			return missed, fmt.Errorf("%s: %w", s.name, err)
		}
		table.print(&report)
		missed += table.judge(&report, goals)
		if _, err := report.WriteTo(os.Stdout); err != nil {
			return missed, err
		}
	}
	return missed, nil
}

// chosen returns those whose names match.
func chosen[T any](all []T, pattern *regexp.Regexp, name func(T) string) (some []T) {
	for _, one := range all {
		if pattern == nil || pattern.MatchString(name(one)) {
			some = append(some, one)
		}
	}
	return some
}
