//go:build unix

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/eventaudit/eventaudit/internal/testdb"
)

// line is one line of `go test -json`.
type line struct {
	Action  string
	Package string
	Test    string
	Output  string
	Key     string
	Value   string
}

// test is one that has begun. Subtests are tests of their own.
type test struct{ pkg, name string }

func (t test) String() string { return t.pkg + " " + t.name }

// report prints what failed, a line per package, and the counts.
type report struct {
	out      io.Writer
	broken   error                     // the first one of out
	output   map[test]*strings.Builder // of those that have not ended yet
	shuffle  map[string]string         // how to get a package's order of tests again
	database map[test][]string         // what they said they ran on
	count    map[string]int            // tests that passed or failed, per database
	passed   int
	failed   []test
	skipped  []test
}

// newReport counts the databases of this build even when no test ran on them.
func newReport(out io.Writer) *report {
	count := map[string]int{"redis": 0}
	for _, k := range testdb.Kinds() {
		count[string(k)] = 0
	}
	return &report{
		out: out, count: count,
		output: map[test]*strings.Builder{}, shuffle: map[string]string{}, database: map[test][]string{},
	}
}

// read consumes lines until the end; those that are not JSON are printed.
func (r *report) read(in io.Reader) error {
	lines := bufio.NewReader(in)
	for {
		text, err := lines.ReadBytes('\n')
		if len(text) > 0 {
			var l line
			if json.Unmarshal(text, &l) != nil {
				l = line{Action: "output", Output: string(text)}
			}
			r.add(l)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *report) add(l line) {
	t := test{l.Package, l.Test}
	switch {
	case l.Test == "":
		r.addPackage(l)
	case l.Action == "run":
		r.output[t] = &strings.Builder{}
	case l.Action == "attr" && l.Key == testdb.Attribute:
		r.database[t] = append(r.database[t], l.Value)
	case l.Action == "output" && !strings.HasPrefix(l.Output, "=== "):
		if r.output[t] == nil {
			r.output[t] = &strings.Builder{}
		}
		r.output[t].WriteString(l.Output)
	case l.Action == "pass" || l.Action == "fail" || l.Action == "skip":
		r.end(t, l.Action)
	}
}

// addPackage prints what a package or its build said. Tests that have not
// ended when their package fails were cut off: by a panic or the time limit.
func (r *report) addPackage(l line) {
	switch {
	case l.Action == "fail":
		r.print("%s", r.shuffle[l.Package])
		for t := range maps.Clone(r.output) {
			if t.pkg == l.Package {
				r.end(t, "fail")
			}
		}
	case l.Action != "output" && l.Action != "build-output":
	case strings.HasPrefix(l.Output, "-test.shuffle "):
		r.shuffle[l.Package] = l.Output
	case l.Output == "PASS\n" || l.Output == "FAIL\n" || strings.Contains(l.Output, "[no test files]"):
	default:
		r.print("%s", l.Output)
	}
}

func (r *report) end(t test, action string) {
	switch action {
	case "pass":
		r.passed++
	case "skip":
		r.skipped = append(r.skipped, t)
	case "fail":
		r.failed = append(r.failed, t)
		r.print("%s", r.output[t])
	}
	if action != "skip" {
		for _, name := range r.databasesOf(t) {
			r.count[name]++
		}
	}
	delete(r.output, t)
}

// databasesOf returns what the test or one it is part of ran on.
func (r *report) databasesOf(t test) []string {
	var names []string
	for ; t.name != "."; t.name = path.Dir(t.name) {
		names = append(names, r.database[t]...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// complete reports whether no test was skipped.
func (r *report) complete() bool { return len(r.skipped) == 0 }

// summary prints the counts. The error says that the report could not be
// printed as a whole.
func (r *report) summary() error {
	r.print("\n")
	for _, name := range slices.Sorted(maps.Keys(r.count)) {
		r.print("%s: %d tests\n", name, r.count[name])
	}
	for _, t := range r.failed {
		r.print("failed: %s\n", t)
	}
	for _, t := range r.skipped {
		r.print("skipped, which is not allowed here: %s\n", t)
	}
	r.print("%d passed, %d failed, %d skipped\n", r.passed, len(r.failed), len(r.skipped))
	return r.broken
}

func (r *report) print(format string, values ...any) {
	if _, err := fmt.Fprintf(r.out, format, values...); err != nil && r.broken == nil {
		r.broken = err
	}
}
