package sqlrepo

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// Fields come out of the text as they were before they were stored, whatever
// is in them.
func TestPackedFields(t *testing.T) {
	t.Parallel()
	piece := rapid.SampledFrom([]string{"a", "␛", "\x00", "0", "1", "é", "␛1", "|", ""})
	rapid.Check(t, func(t *rapid.T) {
		var fields, stored []string
		for range rapid.IntRange(1, 5).Draw(t, "fields") {
			field := strings.Join(rapid.SliceOfN(piece, 0, 4).Draw(t, "pieces"), "")
			fields, stored = append(fields, field), append(stored, escape(field))
		}
		text := strings.Join(stored, fieldEnd)
		var got []string
		for range fields {
			var field string
			field, text = nextField(text)
			got = append(got, field)
		}
		if diff := cmp.Diff(fields, got); diff != "" || text != "" {
			t.Fatalf("%s; left %q", diff, text)
		}
	})
}
