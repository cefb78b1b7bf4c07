package cloudwatchtest_test

import (
	"testing"

	"github.com/eventaudit/eventaudit/repository/cloudwatchrepo/cloudwatchtest"
)

func TestPatterns(t *testing.T) {
	t.Parallel()
	const message = `{"actor":"u1","n":3,"text":"17","on":true,"off":false,"nil":null,"list":[{"a":"x"}],"a.b":"dot","quote":"a\"b","o":{"p":"q"}}`
	for pattern, want := range map[string]bool{
		``:                                         true,
		`{ $.actor = "u1" }`:                       true,
		`{ $.actor = u1 }`:                         true,
		`{ $.actor = "U1" }`:                       false,
		`{ $.actor = "u" }`:                        false,
		`{ $.actor = "u*" }`:                       true, // a wildcard in quotes too
		`{ $.actor = "*1" }`:                       true,
		`{ $.actor = "*x*" }`:                      false,
		`{ $.actor != "u1" }`:                      false,
		`{ $.actor != "u2" }`:                      true,
		`{ $.none != "u2" }`:                       false,
		`{ $.n = 3 }`:                              true,
		`{ $.n = 3.0 }`:                            true,
		`{ $.n != 3 }`:                             false,
		`{ $.n < 4 }`:                              true,
		`{ $.n <= 3 }`:                             true,
		`{ $.n > 3 }`:                              false,
		`{ $.n >= 3 }`:                             true,
		`{ $.text = 17 }`:                          true, // looks like a number
		`{ $.on IS TRUE }`:                         true,
		`{ $.off IS TRUE }`:                        false,
		`{ $.off IS FALSE }`:                       true,
		`{ $.nil IS NULL }`:                        true,
		`{ $.none IS NULL }`:                       false,
		`{ $.none NOT EXISTS }`:                    true,
		`{ $.nil NOT EXISTS }`:                     false,
		`{ $.list[0].a = "x" }`:                    true,
		`{ $.list[1].a = "x" }`:                    false,
		`{ $.o.p = "q" }`:                          true,
		`{ $.o = "q" }`:                            false,
		`{ $.['a.b'] = "dot" }`:                    true,
		`{ $.quote = "a\"b" }`:                     true,
		`{ $.n = 1 && $.n = 2 || $.n = 3 }`:        true,
		`{ $.n = 3 || $.n = 1 && $.n = 2 }`:        true,
		`{ ($.n = 3 || $.n = 1) && $.n = 2 }`:      false,
		`{ ($.actor = "x") || ($.actor = "*") }`:   true, // what a pasted value does
		`{($.actor="u1")&&($.n=3)}`:                true,
		`{ (($.actor = "u1") && ($.on IS TRUE)) }`: true,
	} {
		if got, err := cloudwatchtest.Matches(pattern, message); got != want || err != nil {
			t.Errorf("%s: %v, %v, want %v", pattern, got, err, want)
		}
	}
	if got, err := cloudwatchtest.Matches(`{ $.actor = "u1" }`, `{"actor":"u1"`); got || err != nil {
		t.Errorf("a message that is cut off matches: %v, %v", got, err)
	}
	for _, pattern := range []string{
		"ERROR", "{", "{}", "{ $.a }", "{ $.a = }", `{ $.a = "b }`, "{ $.a = b", "{ ($.a = b }", "{ $ = b }", "{ $.a == b }",
		"{ $.a[x] = b }", "{ $.['a = b }", "{ $.a = b } x", "{ $.a = b && }", "{ a = b }", `{ $.a = "b"" }`,
	} {
		if got, err := cloudwatchtest.Matches(pattern, `{}`); err == nil {
			t.Errorf("%s: %v, no error", pattern, got)
		}
	}
}

func FuzzPattern(f *testing.F) {
	for _, seed := range []string{`{ $.a = "b" }`, `{ ($.a != 1) && $.b IS NULL || $.['c'][0] NOT EXISTS }`, `{ $.a = "x") || ($.a = "*" }`, "{((((", `{ $.a = "\`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, pattern string) {
		if got, err := cloudwatchtest.Matches(pattern, `{"a":"b"}`); got && err != nil {
			t.Errorf("%q matches and is wrong: %v", pattern, err)
		}
	})
}

// FuzzPut feeds the parser what comes over the wire.
func FuzzPut(f *testing.F) {
	for _, seed := range []string{
		`{"logEvents":[{"message":"a\"\\\u00e9\ud83d\ude00","timestamp":1}],"logGroupName":"g","logStreamName":"s"}`,
		`{"logEvents":[]}`, `{`, `{"logEvents":[{"message":"\ud800"}]}`, `{"a":1}`, "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) { cloudwatchtest.CheckPut(t, body) })
}
