// Package address shows addresses of servers without what may be secret in
// them.
package address

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Mask stands for what is not shown.
const Mask = "***"

// Masked returns a URL, or several with commas between them, for showing: the
// login and the options of each are masked. If it is not certain of any of them
// which part is the login, nothing is shown of all: a password with one of
// @/?#, that is not written as %XX ends where nobody means it to.
func Masked(urls string) string {
	if urls == "" {
		return ""
	}
	parts := strings.Split(urls, ",")
	for i, one := range parts {
		if parts[i] = masked(strings.TrimSpace(one)); parts[i] == Mask {
			return Mask
		}
	}
	return strings.Join(parts, ",")
}

func masked(one string) string {
	if one == "" {
		return "" // behind a comma at the end
	}
	u, err := url.Parse(one)
	if err != nil || !isClear(u) || strings.Count(one, "@") != logins(u) || strings.Contains(one, "#") {
		return Mask
	}
	shown := u.Scheme + "://"
	if u.User != nil {
		shown += Mask + "@"
	}
	shown += u.Host + u.Path
	if u.RawQuery != "" {
		shown += "?" + Mask
	}
	return shown
}

func logins(u *url.URL) int {
	if u.User == nil {
		return 0
	}
	return 1
}

// The hosts and paths that are nothing but that. A path is the number of a
// database.
var (
	host = regexp.MustCompile(`\A([\w.-]+|\[[\da-fA-F:.]+\])(:\d+)?\z`)
	path = regexp.MustCompile(`\A(/\d*)?\z`)
)

func isClear(u *url.URL) bool {
	schemes := []string{"redis", "rediss", "http", "https"}
	return slices.Contains(schemes, u.Scheme) && host.MatchString(u.Host) && path.MatchString(u.EscapedPath())
}
