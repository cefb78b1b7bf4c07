package main

import (
	"strings"
	"testing"
)

func TestTheShopsTrailIsInCloudWatch(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var out strings.Builder
	if err := run(t.Context(), &out, nil); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"olga (owner)   created  Product MUG", `"old":{"quantity":5},"new":{"quantity":3}`, "\n13 events\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output lacks %q:\n%s", want, out.String())
		}
	}
}
