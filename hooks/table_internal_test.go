package hooks

import (
	"strings"
	"testing"
)

func TestRealName(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string][2]string{
		"users":                  {"", "users"},
		"`users`":                {"", "users"},
		`"users"`:                {"", "users"},
		`"audit"."users"`:        {"audit", "users"},
		"audit.users":            {"audit", "users"},
		"`db`.`audit`.`users`":   {"audit", "users"},
		"users AS u":             {"", "users"},
		"users u":                {"", "users"},
		`"odd name" AS "o"`:      {"", "odd name"},
		"`a.b`":                  {"", "a.b"},
		"  users\tu":             {"", "users"},
		"":                       {"", ""},
		`"unclosed`:              {"", "unclosed"},
		"audit.`order items` oi": {"audit", "order items"},
	} {
		schema, name := realName(expr)
		if schema != want[0] || name != want[1] {
			t.Errorf("realName(%q) = %q, %q, want %q", expr, schema, name, want)
		}
	}
}

func FuzzRealName(f *testing.F) {
	f.Add("`db`.`users` AS u")
	f.Add(`"`)
	f.Fuzz(func(t *testing.T, expr string) {
		schema, name := realName(expr)
		if len(schema)+len(name) > len(expr) {
			t.Errorf("realName(%q) = %q, %q", expr, schema, name)
		}
		if quoted := `"` + strings.ReplaceAll(name, `"`, "") + `"`; name != "" && !strings.Contains(name, `"`) {
			if _, again := realName(quoted); again != name {
				t.Errorf("realName(%q) = %q", quoted, again)
			}
		}
	})
}
