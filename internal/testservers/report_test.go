//go:build unix

package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func reported(t *testing.T, lines ...string) (r *report, printed string) {
	t.Helper()
	var out strings.Builder
	r = newReport(&out)
	if err := r.read(strings.NewReader(strings.Join(lines, "\n") + "\n")); err != nil {
		t.Fatal(err)
	}
	return r, out.String()
}

func TestReportCountsPerDatabaseWithSubtests(t *testing.T) {
	t.Parallel()
	r, printed := reported(t,
		`{"Action":"output","Package":"p","Output":"-test.shuffle 1\n"}`,
		`{"Action":"run","Package":"p","Test":"TestA"}`,
		`{"Action":"run","Package":"p","Test":"TestA/postgres"}`,
		`{"Action":"attr","Package":"p","Test":"TestA/postgres","Key":"database","Value":"postgres"}`,
		`{"Action":"attr","Package":"p","Test":"TestA/postgres","Key":"database","Value":"postgres"}`,
		`{"Action":"attr","Package":"p","Test":"TestA/postgres","Key":"else","Value":"redis"}`,
		`{"Action":"run","Package":"p","Test":"TestA/postgres/case"}`,
		`{"Action":"output","Package":"p","Test":"TestA/postgres/case","Output":"chatter\n"}`,
		`{"Action":"pass","Package":"p","Test":"TestA/postgres/case"}`,
		`{"Action":"pass","Package":"p","Test":"TestA/postgres"}`,
		`{"Action":"pass","Package":"p","Test":"TestA"}`,
		`{"Action":"output","Package":"p","Output":"PASS\n"}`,
		`{"Action":"output","Package":"p","Output":"ok  \tp\t1s\n"}`,
		`{"Action":"pass","Package":"p"}`)
	if want := "ok  \tp\t1s\n"; printed != want {
		t.Errorf("printed %q, want %q", printed, want)
	}
	if r.count["postgres"] != 2 || r.count["redis"] != 0 || r.passed != 3 {
		t.Errorf("counts %v, passed %d; want 2 on postgres, none on redis, 3 passed", r.count, r.passed)
	}
}

func TestReportPrintsWhatFailedAndOnlyThat(t *testing.T) {
	t.Parallel()
	r, printed := reported(t,
		`{"Action":"build-output","ImportPath":"q","Output":"q.go:1: undefined: x\n"}`,
		`{"Action":"output","Package":"p","Output":"-test.shuffle 1\n"}`,
		`{"Action":"run","Package":"p","Test":"TestGood"}`,
		`{"Action":"output","Package":"p","Test":"TestGood","Output":"chatter\n"}`,
		`{"Action":"pass","Package":"p","Test":"TestGood"}`,
		`{"Action":"run","Package":"p","Test":"TestBad"}`,
		`{"Action":"output","Package":"p","Test":"TestBad","Output":"=== RUN   TestBad\n"}`,
		`{"Action":"output","Package":"p","Test":"TestBad","Output":"    p_test.go:1: broken\n"}`,
		`{"Action":"fail","Package":"p","Test":"TestBad"}`,
		`{"Action":"run","Package":"p","Test":"TestCutOff"}`,
		`{"Action":"output","Package":"p","Test":"TestCutOff","Output":"panic: test timed out\n"}`,
		`{"Action":"output","Package":"p","Output":"FAIL\tp\t1s\n"}`,
		`{"Action":"fail","Package":"p"}`,
		`a word that is not JSON`)
	want := "q.go:1: undefined: x\n    p_test.go:1: broken\nFAIL\tp\t1s\n-test.shuffle 1\npanic: test timed out\na word that is not JSON\n"
	if diff := cmp.Diff(want, printed); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"p TestBad", "p TestCutOff"}, texts(r.failed)); diff != "" {
		t.Error(diff)
	}
}

func TestReportIsNotCompleteWhenATestWasSkipped(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	r := newReport(&out)
	r.add(line{Action: "pass", Package: "p", Test: "TestA"})
	if !r.complete() {
		t.Error("incomplete without a skipped test")
	}
	r.add(line{Action: "skip", Package: "p", Test: "TestB"})
	r.add(line{Action: "skip", Package: "without-tests"})
	if r.complete() {
		t.Error("complete with a skipped test")
	}
	if err := r.summary(); err != nil {
		t.Error(err)
	}
	for _, want := range []string{"skipped, which is not allowed here: p TestB\n", "\n1 passed, 0 failed, 1 skipped\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

func texts(tests []test) []string {
	var names []string
	for _, t := range tests {
		names = append(names, t.String())
	}
	return names
}
