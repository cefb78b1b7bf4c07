package redact_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/eventaudit/eventaudit/event"
	"github.com/eventaudit/eventaudit/internal/redact"
)

func matcher(t *testing.T, patterns ...string) *redact.Matcher {
	t.Helper()
	m, err := redact.New(patterns)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMatch(t *testing.T) {
	t.Parallel()
	m := matcher(t, "password*", "*_token", "api_key")
	for name, want := range map[string]bool{
		"password": true, "PasswordHash": true, "access_token": true, "Api_Key": true,
		"token": false, "my_password": false, "api_key2": false, "apixkey": false, "": false,
	} {
		if got := m.Match(name); got != want {
			t.Errorf("Match(%q) = %v, want %v", name, got, want)
		}
	}
	words := matcher(t, "*_password", "access_token", "*_pin", "cardNumber", "x-api-key")
	for name, want := range map[string]bool{
		"NewPassword": true, "newPassword": true, "new-password": true, "NEW_PASSWORD": true, "accessToken": true, "AccessToken": true,
		"access-token": true, "Access Token": true, "UserPIN": true, "User2PIN": true, "PINNumber": false, "card_number": true, "CardNumber": true,
		"x_api_key": true, "X-Api-Key": true, "XApiKey": true, "shipping": false, "spin": false, "Spin": false, "tokenAccess": false, "newpassword": false,
	} {
		if got := words.Match(name); got != want {
			t.Errorf("Match(%q) = %v, want %v", name, got, want)
		}
	}
	var none *redact.Matcher
	if none.Match("password") {
		t.Error("a nil Matcher matched")
	}
}

// What a document looks like at first sight hides no key.
func TestKeysThatMatchInOtherLetters(t *testing.T) {
	t.Parallel()
	m := matcher(t, "*secret*key", "a/b", "\u017ftraight")
	for document, want := range map[string]string{
		`{"My_SECRET_Key":1}`:     `{"My_SECRET_Key":"[redacted]"}`,
		`{"\u017fecret key":1}`:   `{"\u017fecret key":"[redacted]"}`,
		`{"a\/b":1}`:              `{"a\/b":"[redacted]"}`,
		`{"STRAIGHT":1}`:          `{"STRAIGHT":"[redacted]"}`,
		`{"secret":1,"key":"ab"}`: `{"secret":1,"key":"ab"}`,
	} {
		if got := string(m.JSON(json.RawMessage(document))); got != want {
			t.Errorf("JSON(%s) = %s, want %s", document, got, want)
		}
	}
}

// Names are remembered up to a limit, and matched beyond it all the same.
func TestManyNames(t *testing.T) {
	t.Parallel()
	m := matcher(t, "secret*")
	for i := range 10_000 {
		if m.Match(fmt.Sprint("n", i)) || !m.Match(fmt.Sprint("secret", i)) {
			t.Fatalf("name %d is taken for another", i)
		}
	}
}

func TestBadPatternsAreAllNamed(t *testing.T) {
	t.Parallel()
	_, err := redact.New([]string{"*", "ok", " pad", ""})
	if !errors.Is(err, event.ErrInvalid) {
		t.Fatalf("err = %v, want ErrInvalid", err)
	}
	if joined, ok := err.(interface{ Unwrap() []error }); !ok || len(joined.Unwrap()) != 3 {
		t.Fatalf("err = %v, want three problems", err)
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	m := matcher(t, "password*")
	for document, want := range map[string]string{
		`{"name":"Ann"}`:                               `{"name":"Ann"}`,
		`{"password":"hunter2"}`:                       `{"password":"[redacted]"}`,
		`{"password" : {"a":[1,2]} , "b":1}`:           `{"password":"[redacted]" , "b":1}`,
		`{"password":null}`:                            `{"password":null}`,
		`[{"a":{"password":1}},{"password":true}]`:     `[{"a":{"password":"[redacted]"}},{"password":"[redacted]"}]`,
		`{"note":"password","x":["password","s"]}`:     `{"note":"password","x":["password","s"]}`,
		`{"\u0070assword":"hunter2","n":12.50}`:        `{"\u0070assword":"[redacted]","n":12.50}`,
		`{"a":[],"b":{},"password":"x","c":[[{}],{}]}`: `{"a":[],"b":{},"password":"[redacted]","c":[[{}],{}]}`,
		`"text"`:   `"text"`,
		`not json`: `not json`,
		``:         ``,
	} {
		if got := string(m.JSON(json.RawMessage(document))); got != want {
			t.Errorf("JSON(%s) = %s, want %s", document, got, want)
		}
	}
}

// The scan must agree with the plain way: decode, walk, mask.
func TestJSONAgreesWithAWalk(t *testing.T) {
	t.Parallel()
	m := matcher(t, "secret", "p*")
	key := rapid.SampledFrom([]string{"a", "secret", "pin", "", "é"})
	var value func(depth int) *rapid.Generator[any]
	value = func(depth int) *rapid.Generator[any] {
		leaf := rapid.SampledFrom([]any{nil, true, 1.5, "x", "secret"})
		if depth == 0 {
			return leaf
		}
		return rapid.OneOf(leaf,
			rapid.Map(rapid.SliceOfN(value(depth-1), 0, 3), func(s []any) any { return s }),
			rapid.Map(rapid.MapOfN(key, value(depth-1), 0, 3), func(o map[string]any) any { return o }))
	}
	var walk func(v any) any
	walk = func(v any) any {
		switch v := v.(type) {
		case []any:
			for i := range v {
				v[i] = walk(v[i])
			}
		case map[string]any:
			for k := range v {
				if m.Match(k) && v[k] != nil {
					v[k] = redact.Mask
				} else {
					v[k] = walk(v[k])
				}
			}
		}
		return v
	}
	rapid.Check(t, func(t *rapid.T) {
		document := event.JSON(value(4).Draw(t, "document"))
		var want, got any
		if err := json.Unmarshal(document, &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(m.JSON(document), &got); err != nil {
			t.Fatalf("%s became invalid: %v", document, err)
		}
		if diff := cmp.Diff(walk(want), got); diff != "" {
			t.Fatalf("%s: %s", document, diff)
		}
	})
}
